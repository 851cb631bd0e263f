"""Every candidate's score, and how it came about.

How well it fits is exact: from the full-precision embeddings, not from the index's approximation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from recsys.vectors import divided
from reranker.blending import Blended, blended
from reranker.candidates import Candidates
from reranker.request import RankRequest
from reranker.rules import Boosts, boosts


@dataclass(frozen=True)
class Fit:
    """float32 [n] each; where nothing is asked for, or nothing known, there is no exact score."""

    exact: NDArray[np.float32]  # dot product or cosine; 0 where there is none
    ranked: NDArray[np.float32]  # the same, and the lowest of them where there is none: what is ranked by


@dataclass(frozen=True)
class Scored:
    """Candidates by index, and their order."""

    candidates: Candidates
    fit: Fit
    blended: Blended
    boosts: Boosts
    scores: NDArray[np.float64]  # [n] blended × boosts
    order: NDArray[np.int64]  # the best first


def score(candidates: Candidates, request: RankRequest) -> Scored:
    """Fit, blend and boosts of each candidate, and their order. Raises: InvalidArgumentError, as `fit_of`."""
    fit = fit_of(candidates, request)
    boost = boosts(candidates, request.rules)
    blend = blended(fit.ranked, candidates, request, is_boosted=bool(boost.matches))
    scores = blend.scores * boost.factors
    # for nobody in particular, equal scores keep the candidates' own order; else they stand by item id
    ties = np.arange(len(candidates)) if request.is_for_nobody else candidates.rows
    return Scored(candidates, fit, blend, boost, scores, order=np.lexsort((ties, -scores)))


def fit_of(candidates: Candidates, request: RankRequest) -> Fit:
    """Dot products with the query vector, or cosines with the query item, or the candidates' own order.

    Raises:
        InvalidArgumentError: a vector of another dimension, or an item that the version does not have.
    """
    if request.query_vector is not None:
        exact = _dot_products(candidates, request.query_vector)
    elif request.item_id is not None:
        exact = _cosines(candidates, request.item_id)
    else:
        # scores of different sources do not compare: a later one never lifts its item above an earlier candidate
        return Fit(exact=np.zeros(len(candidates), np.float32), ranked=np.minimum.accumulate(candidates.scores))
    return Fit(exact=exact, ranked=_lowest_for_new(candidates, exact))


def _dot_products(candidates: Candidates, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    dim = candidates.catalogue.artifact.manifest.dim
    if len(vector) != dim:
        raise InvalidArgumentError(f"query_vector: expected {dim} float32 values, found {len(vector)}")
    products: NDArray[np.float64] = candidates.vectors @ vector.astype(np.float64)
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


def _lowest_for_new(candidates: Candidates, exact: NDArray[np.float32]) -> NDArray[np.float32]:
    known = exact[candidates.is_in_model]
    if len(known) in (0, len(exact)):
        return exact
    return np.where(candidates.is_in_model, exact, known.min())
