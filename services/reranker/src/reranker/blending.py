"""The score of each candidate before the shop's rules: the personal score, or a blend of it with other values."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.blend import BlendWeights, blend, decayed_recency, log_popularity, scaled
from reranker.candidates import Candidates
from reranker.request import RankRequest


@dataclass(frozen=True)
class Term:
    """One summand of the score."""

    name: str
    values: NDArray[np.floating]  # [n]
    weight: float
    is_scaled: bool = True  # to 0…1 over the candidates

    @cached_property
    def counted(self) -> NDArray[np.floating]:
        """What counts, times the weight: [n]."""
        return scaled(self.values) if self.is_scaled else self.values


@dataclass(frozen=True)
class Blended:
    """The score of each candidate, and what it is the sum of."""

    scores: NDArray[np.float64]  # [n] Σ weight × value
    terms: list[Term]


def blended(
    personal: NDArray[np.float32], candidates: Candidates, request: RankRequest, *, is_boosted: bool
) -> Blended:
    """The weighted sum of personal score, popularity, recency and transitions, each from 0 to 1 over the candidates.

    Where nothing but the personal score counts it is the score as it is, below 0 too: what users have always seen. But
    for a boost it is scaled, since a factor above 1 would push an item with a score below 0 down.
    """
    weights = _weights(candidates, request)
    if weights.is_personal_only:
        values = scaled(personal) if is_boosted else personal.astype(np.float64)
        return Blended(values * weights.personal, [Term("personal", personal, weights.personal, is_boosted)])
    nothing = np.zeros(len(candidates))  # what does not count need not be known
    popularity = _popularity(candidates) if weights.popularity > 0 else nothing
    recency = _recency(candidates) if weights.recency > 0 else nothing
    terms = [
        Term("personal", personal, weights.personal),
        Term("popularity", popularity, weights.popularity),
        Term("recency", recency, weights.recency),
        Term("transitions", candidates.transitions, weights.transitions),
    ]
    return Blended(
        blend(
            personal=personal,
            popularity=popularity,
            recency=recency,
            transitions=candidates.transitions,
            weights=weights,
        ),
        [term for term in terms if term.weight > 0],
    )


def _weights(candidates: Candidates, request: RankRequest) -> BlendWeights:
    """The request's, or for a query vector the trainer's: it found them with users' vectors, and with nothing else."""
    if request.blend is not None:
        return request.blend
    if request.query_vector is None:
        return BlendWeights()
    return candidates.catalogue.artifact.manifest.blend.weights


def _popularity(candidates: Candidates) -> NDArray[np.float64]:
    return log_popularity(candidates.of_model(candidates.catalogue.artifact.popularity, np.float64))


def _recency(candidates: Candidates) -> NDArray[np.float64]:
    """Of the first event; of an item that the shop added since, of its first record."""
    artifact = candidates.catalogue.artifact
    first_seen = candidates.of_model(artifact.first_seen, np.int64)
    for index, new in candidates.new_items.items():
        first_seen[index] = new.created_ms // 1000
    return decayed_recency(first_seen, half_life_days=artifact.manifest.blend.recency_half_life_days)
