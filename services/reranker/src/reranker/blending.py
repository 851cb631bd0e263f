"""The score of each candidate before the shop's rules: the personal score, or a blend of it with other values.

Where the version has a ranker that learned, its trees add to the blend.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.ranker import Ranker
from recsys.blend import BlendWeights, blend, decayed_recency, log_popularity, scaled
from recsys.ranking_features import Shelf, TakenUp
from recsys.shop.sources import Source
from reranker.candidates import Candidates
from reranker.request import RankRequest

# as `trainer.choosing.blending` proposes them
_LEARNED_FROM: Final = 1 << Source.ANN | 1 << Source.TRANSITIONS | 1 << Source.POPULAR


@dataclass(frozen=True)
class Term:
    """One summand of the score."""

    name: str
    values: NDArray[np.floating]  # [n]
    weight: float
    is_scaled: bool = True  # to 0…1
    over: NDArray[np.bool_] | None = None  # [n] the candidates that the scale is of; none: all

    @cached_property
    def counted(self) -> NDArray[np.floating]:
        """What counts, times the weight: [n]."""
        return scaled(self.values, self.over) if self.is_scaled else self.values


@dataclass(frozen=True)
class Blended:
    """The score of each candidate, and what it is the sum of."""

    scores: NDArray[np.float64]  # [n] Σ weight × value, and what the trees add
    terms: list[Term]
    learned: "Learned | None" = None  # none: there are no trees

    def parts(self, index: int) -> list[tuple[str, float, float]]:
        """Name, value and weight of each summand of a candidate's score."""
        if self.learned is not None and index in self.learned.place_of:
            return self.learned.parts(self.learned.place_of[index])
        parts = [(term.name, float(term.counted[index]), term.weight) for term in self.terms]
        summed = sum(value * weight for _, value, weight in parts)
        return parts if self.learned is None else [*parts, ("ranker", float(self.scores[index]) - summed, 1.0)]


@dataclass(frozen=True)
class Learned:
    """The candidates that a ranker ranks, by their place among them."""

    place_of: dict[int, int]  # index among all candidates → place
    terms: list[Term]  # the blend's, of these candidates alone
    ranker: Ranker
    features: NDArray[np.float32]  # [n, len(ranker.info.features)]
    constant: float  # what is added to every one of them

    def parts(self, place: int) -> list[tuple[str, float, float]]:
        """As `Blended.parts`: the blend's terms, what each feature adds, and under `ranker` what is added to all."""
        blend = [(term.name, float(term.counted[place]), term.weight) for term in self.terms]
        features = self.ranker.info.features
        *values, mean = self.ranker.trees.contributions(self.features[place], n_features=len(features)).tolist()
        names = (f"ranker:{name}" for name in features)
        added = [(name, value, 1.0) for name, value in zip(names, values, strict=True) if value]
        return [*blend, *added, ("ranker", mean + self.constant, 1.0)]


def blended(
    personal: NDArray[np.float32], candidates: Candidates, request: RankRequest, *, is_boosted: bool
) -> Blended:
    """The weighted sum of personal score, popularity, recency and transitions, each from 0 to 1 over the candidates.

    The scale is that of the candidates which the trainer had when it found the weights: an item that the session, what
    trends or the shop's new items propose does not move the others.

    Where nothing but the personal score counts it is the score as it is, below 0 too: what users have always seen. But
    for a boost it is scaled, since a factor above 1 would push an item with a score below 0 down.
    """
    weights = _weights(candidates, request)
    ranker = candidates.catalogue.artifact.ranker
    if ranker is not None and request.blend is None and request.query_vector is not None:
        return _with_trees(ranker, personal, candidates, weights, request.candidates.history)
    return _blended(personal, candidates, weights, is_scaled=is_boosted)


def _with_trees(
    ranker: Ranker,
    personal: NDArray[np.float32],
    candidates: Candidates,
    weights: BlendWeights,
    history: TakenUp,
) -> Blended:
    """The candidates of the sources that the ranker learned from, ranked by it; the others among them, by the blend.

    The trainer ranks candidates of these sources alone, so what others propose changes nothing of their order. The
    lowest of all scores is 0, so that a boost lifts every item.
    """
    blend = _blended(personal, candidates, weights, is_scaled=True)
    known = (candidates.sources & _LEARNED_FROM != 0) & (candidates.rows < len(ranker.items))
    if not known.any():
        return blend
    at = known.nonzero()[0]
    own = _blended(personal[at], candidates.part(at), weights, is_scaled=True)
    catalogue = candidates.catalogue
    ranked = ranker.ranked(
        candidates.rows[at],
        blended=own.scores,
        personal=personal[at],
        transitions=candidates.transitions[at],
        history=history,
        shelf=Shelf(catalogue.categories(), catalogue.prices()),
    )
    scores = np.empty(len(candidates))
    scores[at] = ranked.scores
    if len(at) < len(scores):
        scores[~known] = ranked.scores_of_others(blend.scores[~known], blended=blend.scores[at])
    raised = -float(scores.min())
    scores += raised
    span = float(np.ptp(own.scores))
    factor = ranker.info.base_weight / span if span > 0 else 0.0
    terms = [replace(term, weight=term.weight * factor) for term in own.terms]
    constant = raised - factor * float(own.scores.min())
    place_of = {index: place for place, index in enumerate(at.tolist())}
    return Blended(scores, blend.terms, Learned(place_of, terms, ranker, ranked.features, constant))


def _blended(
    personal: NDArray[np.float32], candidates: Candidates, weights: BlendWeights, *, is_scaled: bool
) -> Blended:
    if weights.is_personal_only:
        values = scaled(personal) if is_scaled else personal.astype(np.float64)
        return Blended(values * weights.personal, [Term("personal", personal, weights.personal, is_scaled)])
    nothing = np.zeros(len(candidates))  # what does not count need not be known
    popularity = _popularity(candidates) if weights.popularity > 0 else nothing
    recency = _recency(candidates) if weights.recency > 0 else nothing
    over = candidates.sources & _LEARNED_FROM != 0
    terms = [
        Term("personal", personal, weights.personal, over=over),
        Term("popularity", popularity, weights.popularity, over=over),
        Term("recency", recency, weights.recency, over=over),
        Term("transitions", candidates.transitions, weights.transitions, over=over),
    ]
    return Blended(
        blend(
            personal=personal,
            popularity=popularity,
            recency=recency,
            transitions=candidates.transitions,
            weights=weights,
            over=over,
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
