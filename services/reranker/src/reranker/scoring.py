"""Every candidate's score, and how it came about.

How well it fits is exact: from the full-precision embeddings, not from the index's approximation.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from recsys.vectors import divided
from reranker.blending import Blended, blended
from reranker.candidates import Candidates
from reranker.request import RankRequest
from reranker.rules import Boosts, boosts


@dataclass(frozen=True)
class Scored:
    """Candidates by index, and their order, which is worked out as far as it is asked for."""

    candidates: Candidates
    fit: NDArray[np.float32]  # [n] as `fit_of` has it
    blended: Blended
    boosts: Boosts
    scores: NDArray[np.float64]  # [n] blended × boosts
    ties: NDArray[np.int64]  # [n] of equal scores the lowest comes first

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """[n] all candidates, the best first."""
        return self.in_order(np.arange(len(self.scores)))

    def best(self, count: int) -> NDArray[np.int64]:
        """The first `count` of `order`, without sorting what follows them."""
        if not 0 < count < len(self.scores):
            return self.order[:count]
        falling = -self.scores
        last = np.partition(falling, count - 1)[count - 1]
        return self.in_order((~(falling > last)).nonzero()[0])[:count]

    def in_order(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """These candidates, the best first."""
        if len(indices) < 2:
            return indices
        return indices[np.lexsort((self.ties[indices], -self.scores[indices]))]


def score(candidates: Candidates, request: RankRequest) -> Scored:
    """Fit, blend and boosts of each candidate, and their order. Raises: InvalidArgumentError, as `fit_of`."""
    fit = fit_of(candidates, request)
    boost = boosts(candidates, request.rules)
    blend = blended(fit, candidates, request, is_boosted=bool(boost.matches))
    scores = blend.scores * boost.factors
    # for nobody in particular, equal scores keep the candidates' own order; else they stand by item id
    ties = np.arange(len(candidates)) if request.is_for_nobody else candidates.rows
    return Scored(candidates, fit, blend, boost, scores, ties)


def fit_of(candidates: Candidates, request: RankRequest) -> NDArray[np.float32]:
    """float32 [n]: dot products with the query vector, or cosines with the query item; for nobody, what stands for
    the candidates' own order. An item that is not of the model gets the lowest of the others.

    Raises:
        InvalidArgumentError: a vector of another dimension, or an item that the version does not have.
    """
    if request.query_vector is not None:
        fit = _dot_products(candidates, request.query_vector)
    elif request.item_id is not None:
        fit = _cosines(candidates, request.item_id)
    else:
        # scores of different sources do not compare: a later one never lifts its item above an earlier candidate
        return np.minimum.accumulate(candidates.scores)
    if 0 < len(candidates.new_at) < len(candidates):
        fit[candidates.new_at] = np.inf
        fit[candidates.new_at] = np.minimum.reduce(fit)
    return fit


def _dot_products(candidates: Candidates, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    dim = candidates.catalogue.artifact.manifest.dim
    if len(vector) != dim:
        raise InvalidArgumentError(f"query_vector: expected {dim} float32 values, found {len(vector)}")
    products: NDArray[np.float64] = candidates.vectors.dot(vector.astype(np.float64))
    return products.astype(np.float32)


def _cosines(candidates: Candidates, item_id: str) -> NDArray[np.float32]:
    """0 where one of the two embeddings is zero."""
    artifact = candidates.catalogue.artifact
    row = artifact.items.row_of(item_id)
    if row is None:
        raise InvalidArgumentError(
            f"item_id: expected an item of version {artifact.manifest.version}, found {item_id!r}"
        )
    query = artifact.item_embeddings[row].astype(np.float64)
    norms = np.linalg.norm(candidates.vectors, axis=1) * np.linalg.norm(query)
    return divided(candidates.vectors @ query, norms).astype(np.float32)
