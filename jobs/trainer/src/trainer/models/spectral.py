"""Spectral low-pass embedding: a truncated SVD of the normalised interactions keeps the smooth part of tastes.

With A = Dᵤ^-a R Dᵢ^-b and V its leading right singular vectors, an item's vector is its row of Dᵢ^c V and a user's the
sum of Dᵢ^-c V over the history. That is the ideal low-pass filter of GF-CF (Shen et al. 2021, "How Powerful is Graph
Convolution for Recommendation?") written as one dot product, so new users need no training: see `history_weights`.
"""

import warnings

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor

from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions

_OVERSAMPLING = 32  # extra directions of the random sketch, dropped at the end
_ROWS_AT_ONCE = 32_768


class SpectralSettings(BaseModel, frozen=True, extra="forbid"):
    dim: int = Field(default=512, ge=1)
    user_exponent: float = Field(default=0.4, ge=0, le=1)  # a: larger gives long histories less say
    item_exponent: float = Field(default=0.5, ge=0, le=1)  # b: larger gives popular items less say
    score_exponent: float = Field(default=0.5, ge=0, le=1)  # c: larger favours popular items
    power_iterations: int = Field(default=2, ge=0)


def fit(interactions: Interactions, settings: SpectralSettings, *, seed: int) -> Embeddings:
    """Vectors of all users and items, zeros for a user or an item without interactions.

    A catalogue or a user base smaller than `settings.dim` has fewer singular vectors; the result has fewer columns.
    """
    weights = interactions.weights
    user_degrees, item_degrees = _degrees(weights, axis=1), _degrees(weights, axis=0)
    normalised = sp.csr_matrix(
        sp.diags_array(user_degrees**-settings.user_exponent)
        @ weights
        @ sp.diags_array(item_degrees**-settings.item_exponent),
        dtype=np.float32,
    )
    basis = _right_singular_vectors(normalised, settings.dim, power_iterations=settings.power_iterations, seed=seed)
    item = basis * (item_degrees**settings.score_exponent).astype(np.float32)[:, None]
    summed = item * history_weights(weights, settings).astype(np.float32)[:, None]
    return Embeddings(user=weights @ summed, item=item)


def history_weights(weights: sp.csr_matrix, settings: SpectralSettings) -> NDArray[np.float64]:
    """What an item's vector is multiplied by where it adds to a user's: float64 [n_items].

    A user, new or known, is Σ weight of the pair × this × item vector over the history; that is the fold-in of this
    model.
    """
    return _degrees(weights, axis=0) ** (-2 * settings.score_exponent)


def _degrees(weights: sp.csr_matrix, *, axis: int) -> NDArray[np.float64]:
    """Sums of weights; 1 where there is none, to divide by."""
    sums = np.asarray(weights.sum(axis=axis), dtype=np.float64).ravel()
    return np.where(sums > 0, sums, 1.0)


def _right_singular_vectors(
    matrix: sp.csr_matrix, count: int, *, power_iterations: int, seed: int
) -> NDArray[np.float32]:
    """The leading right singular vectors (randomised; Halko et al. 2011): float32 [n_columns, ≤ count]."""
    rng = np.random.default_rng(seed)
    sketch = rng.standard_normal((matrix.shape[1], min(count + _OVERSAMPLING, *matrix.shape)), dtype=np.float32)
    basis = torch.from_numpy(sketch)
    for _ in range(power_iterations + 1):
        basis = torch.linalg.qr(_gram_product(matrix, basis))[0]
    _, turn = torch.linalg.eigh(basis.T @ _gram_product(matrix, basis))
    return np.ascontiguousarray((basis @ turn.flip(1)[:, :count]).numpy())


def _gram_product(matrix: sp.csr_matrix, vectors: Tensor) -> Tensor:
    """AᵀA × vectors, some rows of A at a time: a large shop's users × dimensions never stand in memory at once."""
    product = torch.zeros_like(vectors)
    for start in range(0, matrix.shape[0], _ROWS_AT_ONCE):
        rows = matrix[start : start + _ROWS_AT_ONCE]
        product += _sparse(rows.T.tocsr()) @ (_sparse(rows) @ vectors)
    return product


def _sparse(matrix: sp.csr_matrix) -> Tensor:
    indptr, indices = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    with warnings.catch_warnings():  # torch calls CSR a beta; only its product is used here, as fast as any (measured)
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            indptr, indices, torch.from_numpy(matrix.data), matrix.shape, check_invariants=True
        )
