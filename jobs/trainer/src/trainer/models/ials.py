"""Implicit ALS with frequency-scaled regularisation (Rendle et al. 2021, "Revisiting the performance of iALS").

Minimises Σ_observed c_ui (1 − u·i)² + α₀ Σ_all (u·i)² + Σ_u λ_u |u|² + Σ_i λ_i |i|², where
λ_u = λ (Σ_i c_ui + α₀ n_items)^ν and likewise for items. One side, given the other, is many small exact problems.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor

from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions

_BATCH_FLOATS = 1 << 22  # of gathered vectors held at once, or of systems: 16 MiB


class IALSSettings(BaseModel, frozen=True, extra="forbid"):
    dim: int = Field(default=256, ge=1)
    sweeps: int = Field(default=4, ge=1)
    unobserved_weight: float = Field(default=0.02, gt=0)  # α₀
    regularization: float = Field(default=0.003, gt=0)  # λ
    frequency_exponent: float = Field(default=1.0, ge=0)  # ν
    user_length_exponent: float = Field(default=0.7, ge=0)  # a user's confidences ∝ (number of items)^-this
    init_std: float = Field(default=0.1, gt=0)  # of a random vector's length


def fit(interactions: Interactions, settings: IALSSettings, *, seed: int) -> Embeddings:
    """Vectors of all users and items; zeros for a user or an item without interactions.

    Random item vectors come first: from random user vectors it takes twice the sweeps (Gowalla). Users come last, so
    that `fold_in` gives a known user the vector that they have.
    """
    weights = interactions.weights
    by_user = weights_to_confidences(weights, settings, scale=confidence_scale(weights, settings))
    by_item = by_user.T.tocsr()
    rng = np.random.default_rng(seed)
    item = rng.standard_normal((weights.shape[1], settings.dim), dtype=np.float32)
    item *= np.float32(settings.init_std / np.sqrt(settings.dim))
    user = RowSolver.of(item, settings).solve(by_user)
    for _ in range(settings.sweeps):
        item = RowSolver.of(user, settings).solve(by_item)
        del user  # of a large shop half a gigabyte, which the next ones take
        user = RowSolver.of(item, settings).solve(by_user)
    return Embeddings(user=user, item=item)


def fold_in(
    histories: sp.csr_matrix, item: NDArray[np.float32], interactions: Interactions, settings: IALSSettings
) -> NDArray[np.float32]:
    """The vectors of users that the model was not trained on, without retraining: float32 [n, dim].

    Args:
        histories: float32 [n, n_items], a row a user.
        item: float32 [n_items, dim], as `fit` made them of `interactions` and `settings`.
    """
    scale = confidence_scale(interactions.weights, settings)
    return RowSolver.of(item, settings).solve(weights_to_confidences(histories, settings, scale=scale))


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
class RowSolver:
    """Minimises Σ_j c_j (1 − x·y_j)² + α₀ Σ_all (x·y)² + λ (Σ_j c_j + α₀ n)^ν |x|² over x, for rows of entries j, c.

    With Y the other side's vectors and YᵀY = QΛQᵀ (once a half-sweep), rotating Z = YQ makes α₀YᵀY + λ_u I diagonal for
    every row u, whatever its λ_u. A row with n < dim entries then needs an n × n system only (Woodbury identity).
    """

    rotated: Tensor  # float32 [n + 1, dim]: Z = YQ, and zeros for padding
    rotation: Tensor  # float32 [dim, dim]: Q
    spectrum: Tensor  # float32 [dim]: α₀Λ
    settings: IALSSettings

    @classmethod
    def of(cls, vectors: NDArray[np.float32], settings: IALSSettings) -> "RowSolver":
        """Args: vectors: the other side's, float32 [n, dim]."""
        y = torch.from_numpy(vectors)
        eigenvalues, rotation = torch.linalg.eigh((y.T @ y).double())
        spectrum = (settings.unobserved_weight * eigenvalues.clamp(min=0)).float()
        rotated = torch.zeros((len(y) + 1, y.shape[1]))
        torch.mm(y, rotation.float(), out=rotated[:-1])
        return cls(rotated, rotation.float(), spectrum, settings)

    def solve(self, rows: sp.csr_matrix) -> NDArray[np.float32]:
        """One vector a row of confidences, zeros for an empty row: float32 [n_rows, dim].

        Args:
            rows: float32 [n_rows, n], every stored value > 0.
        """
        lengths = np.diff(rows.indptr)
        ridge = self._ridge(rows)
        solved = torch.zeros((rows.shape[0], self.rotated.shape[1]))
        by_length = np.argsort(lengths, kind="stable")
        start = int(np.searchsorted(lengths[by_length], 1))
        while start < len(by_length):
            stop = self._batch_end(lengths[by_length], start)
            batch = by_length[start:stop]
            entries, confidences = _padded(rows, batch)
            solved[batch] = self._solve_batch(entries, confidences, ridge[batch]) @ self.rotation.T
            start = stop
        return solved.numpy()

    def _ridge(self, rows: sp.csr_matrix) -> Tensor:
        observed = np.asarray(rows.sum(axis=1), dtype=np.float64).ravel()
        frequency = observed + self.settings.unobserved_weight * rows.shape[1]
        return torch.from_numpy(self.settings.regularization * frequency**self.settings.frequency_exponent).float()

    def _batch_end(self, lengths: NDArray[np.int32], start: int) -> int:
        """As many rows of about one length as fit: little padding, bounded memory."""
        dim = self.rotated.shape[1]
        longest = int(lengths[start]) * 17 // 16 + 1
        rows = _BATCH_FLOATS // (max(longest, dim if longest >= dim else 0) * dim)
        return min(start + max(rows, 1), int(np.searchsorted(lengths, longest, side="right")))

    def _solve_batch(self, entries: Tensor, confidences: Tensor, ridge: Tensor) -> Tensor:
        diagonal = self.spectrum + ridge[:, None]  # [batch, dim]
        real = confidences > 0  # [batch, length]; the rest is padding
        z = self.rotated[entries]  # [batch, length, dim], zeros where there is padding
        if entries.shape[1] >= self.rotated.shape[1]:
            weighted = z * confidences[:, :, None]
            return _solve(weighted.mT @ z, diagonal, weighted.sum(dim=1))
        scaled = z / diagonal[:, None, :]
        inverse = torch.where(real, 1 / confidences, 1.0)
        return (_solve(scaled @ z.mT, inverse, real.float())[:, None, :] @ scaled)[:, 0, :]


def _solve(systems: Tensor, diagonal: Tensor, right: Tensor) -> Tensor:
    """x of (system + diag(diagonal)) x = right, for each of a batch; overwrites the systems."""
    systems.diagonal(dim1=1, dim2=2).add_(diagonal)
    return torch.cholesky_solve(right[:, :, None], torch.linalg.cholesky(systems))[:, :, 0]


def _padded(rows: sp.csr_matrix, batch: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Entries and confidences of some rows, [batch, longest]; padding is the entry after the last, of confidence 0."""
    starts, ends = rows.indptr[batch], rows.indptr[batch + 1]
    at = starts[:, None] + np.arange((ends - starts).max())
    inside = at < ends[:, None]
    at = np.where(inside, at, 0)
    confidences = np.where(inside, rows.data[at], np.float32(0))
    entries = np.where(inside, rows.indices[at], rows.shape[1]).astype(np.int64)
    return torch.from_numpy(entries), torch.from_numpy(confidences)
