"""Implicit ALS with frequency-scaled regularisation (Rendle et al. 2021, "Revisiting the performance of iALS").

Minimises Σ_observed c_ui (1 − u·i)² + α₀ Σ_all (u·i)² + Σ_u λ_u |u|² + Σ_i λ_i |i|², where
λ_u = λ (Σ_i c_ui + α₀ n_items)^ν and likewise for items. `ials_solver` does the linear algebra, exactly.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from trainer.models.embeddings import Embeddings
from trainer.models.ials_solver import Penalty, RowSolver
from trainer.shop_data.interactions import Interactions


class IALSSettings(BaseModel, frozen=True, extra="forbid"):
    dim: int = Field(default=256, ge=1)
    sweeps: int = Field(default=4, ge=1)
    unobserved_weight: float = Field(default=0.02, gt=0)  # α₀
    regularization: float = Field(default=0.003, gt=0)  # λ
    frequency_exponent: float = Field(default=1.0, ge=0)  # ν
    user_length_exponent: float = Field(default=0.7, ge=0)  # a user's confidences ∝ (number of items)^-this
    init_std: float = Field(default=0.1, gt=0)  # of a random vector's length

    def penalty(self) -> Penalty:
        return Penalty(self.unobserved_weight, self.regularization, self.frequency_exponent)


def fit(interactions: Interactions, settings: IALSSettings, *, seed: int) -> Embeddings:
    """Vectors of all users and items; zeros for a user or an item without interactions.

    Random item vectors come first: from random user vectors it takes twice the sweeps (Gowalla). Users come last, so
    that `FoldIn` gives a known user the vector that they have.
    """
    weights = interactions.weights
    by_user = weights_to_confidences(weights, settings, scale=confidence_scale(weights, settings))
    by_item = by_user.T.tocsr()
    rng = np.random.default_rng(seed)
    item = rng.standard_normal((weights.shape[1], settings.dim), dtype=np.float32)
    item *= np.float32(settings.init_std / np.sqrt(settings.dim))
    user = RowSolver.of(item, settings.penalty()).solve(by_user)
    for _ in range(settings.sweeps):
        item = RowSolver.of(user, settings.penalty()).solve(by_item)
        user = RowSolver.of(item, settings.penalty()).solve(by_user)
    return Embeddings(user=user, item=item)


def weights_to_confidences(weights: sp.csr_matrix, settings: IALSSettings, *, scale: float) -> sp.csr_matrix:
    """c_ui = scale × w_ui × (items of u)^-exponent: float32, same shape and pattern."""
    lengths = np.diff(weights.indptr)
    per_user = np.maximum(lengths, 1).astype(np.float64) ** -settings.user_length_exponent
    data = (scale * weights.data * np.repeat(per_user, lengths)).astype(np.float32)
    return sp.csr_matrix((data, weights.indices, weights.indptr), shape=weights.shape)


def confidence_scale(weights: sp.csr_matrix, settings: IALSSettings) -> float:
    """What makes the mean confidence of the observed pairs 1; 1 where there is none."""
    unscaled = weights_to_confidences(weights, settings, scale=1.0)
    return 1 / float(unscaled.data.mean(dtype=np.float64)) if unscaled.nnz else 1.0


@dataclass(frozen=True)
class FoldIn:
    """Vectors of users that the model was not trained on, without retraining."""

    solver: RowSolver
    scale: float
    settings: IALSSettings

    @classmethod
    def of(cls, item: NDArray[np.float32], interactions: Interactions, settings: IALSSettings) -> "FoldIn":
        """Args: item: float32 [n_items, dim], as `fit` made them; interactions and settings: what it made them of."""
        solver = RowSolver.of(item, settings.penalty())
        return cls(solver, scale=confidence_scale(interactions.weights, settings), settings=settings)

    def users(self, weights: sp.csr_matrix) -> NDArray[np.float32]:
        """The vector of each row of histories, float32 [n, n_items]: float32 [n, dim]."""
        return self.solver.solve(weights_to_confidences(weights, self.settings, scale=self.scale))
