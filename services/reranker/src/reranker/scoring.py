"""Every candidate's score, and how it came about.

How well it fits is exact: from the full-precision embeddings, not from the index's approximation.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from recsys.shop.catalogue import LiveCatalogue
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
    query = None if request.item_id is None else _vector_of(request.item_id, candidates.catalogue)
    fit = fit_of(candidates, request, query_item=query)
    boost = boosts(candidates, request.rules)
    blend = blended(fit, candidates, request, is_boosted=bool(boost.matches))
    scores = blend.scores * boost.factors
    # where there is nothing to rank for, equal scores keep the candidates' own order; else they stand by item id
    ties = np.arange(len(candidates)) if request.query_vector is None and query is None else candidates.rows
    return Scored(candidates, fit, blend, boost, scores, ties)


def fit_of(
    candidates: Candidates, request: RankRequest, *, query_item: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """float32 [n]: dot products with the query vector, or cosines with the query item; where there is neither, what
    stands for the candidates' own order. An item of which the model knows nothing, and whose facts the version maps to
    no vector, fits a little worse than any other.

    Args:
        query_item: float32 [dim], the vector of the item that others are asked to be like.

    Raises:
        InvalidArgumentError: a vector of another dimension.
    """
    if request.query_vector is not None:
        fit = _dot_products(candidates, request.query_vector)
    elif query_item is not None:
        fit = _cosines(candidates, query_item)
    else:
        # scores of different sources do not compare: a later one never lifts its item above an earlier candidate
        return np.minimum.accumulate(candidates.scores)
    unknown = candidates.without_vector()
    unknown = unknown[~candidates.vectors[unknown].any(axis=1)]
    if 0 < len(unknown) < len(candidates):
        fit[unknown] = np.inf
        fit[unknown] = np.nextafter(np.minimum.reduce(fit), np.float32(-np.inf))
    return fit


def _dot_products(candidates: Candidates, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    dim = candidates.catalogue.artifact.manifest.dim
    if len(vector) != dim:
        raise InvalidArgumentError(f"query_vector: expected {dim} float32 values, found {len(vector)}")
    products: NDArray[np.float64] = candidates.vectors.dot(vector.astype(np.float64))
    return products.astype(np.float32)


def _cosines(candidates: Candidates, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 where a candidate's vector is zero."""
    norms = np.linalg.norm(candidates.vectors, axis=1) * np.linalg.norm(query.astype(np.float64))
    return divided(candidates.vectors @ query.astype(np.float64), norms).astype(np.float32)


def _vector_of(item_id: str, catalogue: LiveCatalogue) -> NDArray[np.float32] | None:
    """Of an item that others are asked to be like: the model's, or by its facts; none where nothing is known of it.

    Then the first stage proposed what does without, in its own order. It may know the item earlier than this process.
    """
    artifact, row = catalogue.artifact, catalogue.row_of(item_id)
    vector: NDArray[np.float32] | None = None if row is None else artifact.item_embeddings[row]
    if vector is not None and vector.any():
        return vector
    item = catalogue.find(item_id)
    if item is None or artifact.item_content is None:
        return None
    of_facts = artifact.item_content.vector(item)
    return of_facts if of_facts.any() else None
