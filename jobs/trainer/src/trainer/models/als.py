"""Implicit-feedback ALS (Hu, Koren & Volinsky 2008) by the `implicit` library, with BM25 confidence."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from threadpoolctl import threadpool_limits

from trainer.models import bm25
from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions
from trainer.threads import allowed


class ALSSettings(BaseModel, frozen=True, extra="forbid"):
    """The defaults suit a small, dense shop; `choosing.default_recipes` goes by the size of the data."""

    dim: int = Field(default=64, ge=1)
    alpha: float = Field(default=1.0, gt=0)  # confidence of an observed pair is alpha × its BM25 weight
    k1: float = Field(default=100.0, ge=0)
    b: float = Field(default=0.8, ge=0, le=1)
    regularization: float = Field(default=0.01, ge=0)
    iterations: int = Field(default=15, ge=1)


def fit(interactions: Interactions, settings: ALSSettings, *, seed: int) -> Embeddings:
    """Vectors of all users and items; zeros for a user or an item without interactions.

    `implicit` ends a sweep with the items and solves in part. Users are solved once more here, exactly and last, so
    that a fold-in gives a known user the vector that they have. Rows are solved one by one, so the result does not
    depend on the number of threads.
    """
    weights = _confidences(interactions.weights, settings)
    with threadpool_limits(1, user_api="blas"):  # implicit has threads of its own and warns of a second pool
        model = _model(settings, seed=seed)
        model.fit(weights, show_progress=False)
        user = model.recalculate_user(np.arange(weights.shape[0]), weights)
    return Embeddings(user=np.asarray(user), item=np.asarray(model.item_factors))


def fold_in(
    interactions: Interactions,
    item: NDArray[np.float32],
    settings: ALSSettings,
    *,
    ages: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The vectors of some users whose pairs have confidence × age, exactly: float32 [len(rows), dim].

    Args:
        item: float32 [n_items, dim], as `fit` made them of `interactions` and `settings`.
        ages: float64 [nnz], factors of the pairs' confidence.
    """
    weights = _confidences(interactions.weights, settings)
    weights.data *= ages.astype(np.float32)
    return solver(item, settings)(weights[rows])


def solver(item: NDArray[np.float32], settings: ALSSettings) -> Callable[[sp.csr_matrix], NDArray[np.float32]]:
    """What gives users their vectors, float32 [n_users, dim], out of their BM25 confidences, [n_users, n_items].

    What does not depend on the users is computed once, however often it is called.
    """
    model = _model(settings, seed=0)
    model.item_factors = item

    def users(confidences: sp.csr_matrix) -> NDArray[np.float32]:
        with threadpool_limits(1, user_api="blas"):
            return np.asarray(model.recalculate_user(np.arange(confidences.shape[0]), confidences))

    return users


def _confidences(raw: sp.csr_matrix, settings: ALSSettings) -> sp.csr_matrix:
    of_mean_one = (raw.data * weight_scale(raw)).astype(np.float32)
    weights = sp.csr_matrix((of_mean_one, raw.indices, raw.indptr), shape=raw.shape)
    return bm25.confidence(weights, k1=settings.k1, b=settings.b)


def _model(settings: ALSSettings, *, seed: int) -> AlternatingLeastSquares:
    return AlternatingLeastSquares(
        factors=settings.dim,
        regularization=settings.regularization,
        alpha=settings.alpha,
        iterations=settings.iterations,
        num_threads=allowed(),
        random_state=seed,
    )


def weight_scale(weights: sp.csr_matrix) -> float:
    """What makes the mean weight 1, so that one alpha means the same whatever unit a shop weighs in."""
    return 1 / float(weights.data.mean(dtype=np.float64)) if weights.nnz else 1.0
