"""The rows of one side of iALS, given the vectors of the other side: many small exact least-squares problems.

With Y the other side's vectors and YᵀY = QΛQᵀ (once a half-sweep), rotating Z = YQ makes α₀YᵀY + λ_u I diagonal for
every row u, whatever its λ_u. A row with n < dim entries then needs an n × n system only (Woodbury identity).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

_BATCH_FLOATS = 1 << 22  # of gathered vectors held at once, or of systems: 16 MiB


@dataclass(frozen=True)
class Penalty:
    """What keeps a row's vector from fitting its entries alone."""

    unobserved_weight: float  # α₀
    regularization: float  # λ
    frequency_exponent: float  # ν


@dataclass(frozen=True)
class RowSolver:
    """Minimises Σ_j c_j (1 − x·y_j)² + α₀ Σ_all (x·y)² + λ (Σ_j c_j + α₀ n)^ν |x|² over x, for rows of entries j, c."""

    rotated: Tensor  # float32 [n, dim]: Z = YQ
    rotation: Tensor  # float32 [dim, dim]: Q
    spectrum: Tensor  # float32 [dim]: α₀Λ
    penalty: Penalty

    @classmethod
    def of(cls, vectors: NDArray[np.float32], penalty: Penalty) -> "RowSolver":
        """Args: vectors: the other side's, float32 [n, dim]."""
        y = torch.from_numpy(vectors)
        eigenvalues, rotation = torch.linalg.eigh((y.T @ y).double())
        spectrum = (penalty.unobserved_weight * eigenvalues.clamp(min=0)).float()
        return cls(y @ rotation.float(), rotation.float(), spectrum, penalty)

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
            solved[batch] = self._solve_batch(entries, confidences, ridge[batch])
            start = stop
        return np.ascontiguousarray((solved @ self.rotation.T).numpy())

    def _ridge(self, rows: sp.csr_matrix) -> Tensor:
        observed = np.asarray(rows.sum(axis=1), dtype=np.float64).ravel()
        frequency = observed + self.penalty.unobserved_weight * rows.shape[1]
        return torch.from_numpy(self.penalty.regularization * frequency**self.penalty.frequency_exponent).float()

    def _batch_end(self, lengths: NDArray[np.int32], start: int) -> int:
        """As many rows of about one length as fit: little padding, bounded memory."""
        dim = self.rotated.shape[1]
        longest = int(lengths[start]) * 17 // 16 + 1
        rows = _BATCH_FLOATS // (max(longest, dim if longest >= dim else 0) * dim)
        return min(start + max(rows, 1), int(np.searchsorted(lengths, longest, side="right")))

    def _solve_batch(self, entries: Tensor, confidences: Tensor, ridge: Tensor) -> Tensor:
        diagonal = self.spectrum + ridge[:, None]  # [batch, dim]
        real = confidences > 0  # [batch, length]; the rest is padding
        z = self.rotated[entries] * real[:, :, None]  # [batch, length, dim]
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
    """Entries and confidences of some rows, [batch, longest]; confidence 0 marks padding."""
    starts, ends = rows.indptr[batch], rows.indptr[batch + 1]
    at = starts[:, None] + np.arange((ends - starts).max())
    inside = at < ends[:, None]
    at = np.where(inside, at, 0)
    confidences = np.where(inside, rows.data[at], np.float32(0))
    return torch.from_numpy(rows.indices[at].astype(np.int64)), torch.from_numpy(confidences)
