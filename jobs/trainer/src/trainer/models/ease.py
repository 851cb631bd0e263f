"""EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data") as embeddings: which item goes with which.

With X the users' items, each user divided by (number of items)^½, and P = λ (XᵀX + λ I)⁻¹, EASE scores item j for a
history H by Σ_{i ∈ H} −P_ij / P_jj. P is Q diag(p) Qᵀ, and a constant on its diagonal changes no score of an unseen
item: μ I − P = V Vᵀ with V = Q diag(μ − p)^½. So an item's vector is its row of V over P_jj, and a user's the sum of
their items' rows of V: exact with as many dimensions as items; with fewer, the directions of least p are kept, and μ is
the mean of the others' p, which leaves the least of them. Nothing is random. The items × items matrix bounds the
catalogue; its eigenvectors take nearly all of the time, and are the same whatever the settings and the weights.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from threadpoolctl import threadpool_limits

from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions

WEIGHT_EXPONENT = 0.5  # of a pair's weight in a user's sum: a purchase says more than a view, ten less than ten times
_KEPT: Final = 3  # of recipes that are compared on so many windows; each holds items × items × 8 bytes


class EASESettings(BaseModel, frozen=True, extra="forbid"):
    dim: int = Field(default=128, ge=1)
    regularization: float = Field(default=20.0, gt=0)  # λ over the mean diagonal of XᵀX; more is nearer to popularity


def fit(interactions: Interactions, settings: EASESettings) -> Embeddings:
    """Vectors of all users and items; zeros for a user or an item without interactions.

    A catalogue smaller than `settings.dim` gives as many dimensions as it has items.
    """
    weights = interactions.weights
    gram = _gram(weights)
    p = gram.shrunk(settings)
    dropped = max(len(p) - settings.dim, 0)
    level = p[:dropped].mean() if dropped else p.max(initial=0)
    vectors = gram.directions[:, dropped:] * np.sqrt(np.maximum(level - p[dropped:], 0))
    vectors[np.bincount(weights.indices, minlength=len(vectors)) == 0] = 0
    item = vectors / history_weights(weights, settings)[:, None]
    return Embeddings(
        user=np.ascontiguousarray(shares(weights) @ vectors.astype(np.float32)),
        item=np.ascontiguousarray(item, dtype=np.float32),
    )


def shares(weights: sp.csr_matrix) -> sp.csr_matrix:
    """What a pair's weight counts for in a user's sum: float32, same pattern."""
    return sp.csr_matrix((weights.data**WEIGHT_EXPONENT, weights.indices, weights.indptr), weights.shape)


def history_weights(weights: sp.csr_matrix, settings: EASESettings) -> NDArray[np.float64]:
    """What an item's vector is multiplied by where it adds to a user's, P_jj: float64 [n_items], of (0, 1].

    A user, new or known, is Σ (weight of the pair)^½ × this × item vector over the history.
    """
    gram = _gram(weights)
    return np.asarray(gram.directions**2 @ gram.shrunk(settings))


@dataclass(frozen=True)
class _Pairs:
    """Who had what: all that XᵀX depends on."""

    shape: tuple[int, int]
    indptr: bytes
    indices: bytes


@dataclass(frozen=True)
class _Gram:
    """XᵀX."""

    eigenvalues: NDArray[np.float64]  # [n_items], ascending
    directions: NDArray[np.float64]  # [n_items, n_items], a column for each
    mean_diagonal: float  # of the items that somebody had; 1 where nobody had any

    def shrunk(self, settings: EASESettings) -> NDArray[np.float64]:
        """p, the eigenvalues of P: float64 [n_items], descending."""
        penalty = settings.regularization * self.mean_diagonal
        return np.asarray(penalty / (np.maximum(self.eigenvalues, 0) + penalty))


def _gram(weights: sp.csr_matrix) -> _Gram:
    indptr, indices = weights.indptr.astype(np.int64), weights.indices.astype(np.int64)
    return _gram_of(_Pairs(weights.shape, indptr.tobytes(), indices.tobytes()))


@lru_cache(_KEPT)
def _gram_of(pairs: _Pairs) -> _Gram:
    indptr, indices = np.frombuffer(pairs.indptr, np.int64), np.frombuffer(pairs.indices, np.int64)
    lengths = np.diff(indptr)
    of_users = np.repeat(np.maximum(lengths, 1).astype(np.float64) ** -0.5, lengths)
    x = sp.csr_matrix((of_users, indices, indptr), pairs.shape)
    gram = (x.T @ x).toarray()
    diagonal = np.diag(gram)
    of_known = diagonal[diagonal > 0]
    mean_diagonal = float(of_known.mean()) if len(of_known) else 1.0
    with threadpool_limits(1, user_api="blas"):  # more threads hardly help, and on a busy machine wait for each other
        eigenvalues, directions = np.linalg.eigh(gram)
    return _Gram(eigenvalues, directions, mean_diagonal)
