"""Exact scores for one vector, straight from the embeddings on disk."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.vectors import divided


class ItemVectors:
    """Item embeddings, memory-mapped, with their lengths."""

    def __init__(self, embeddings: NDArray[np.float32]) -> None:
        """`embeddings` is float32 [n_items, dim]."""
        # a plain view of the map: every slice of numpy's own memmap class costs microseconds
        self.embeddings: NDArray[np.float32] = np.asarray(embeddings)
        self.norms: NDArray[np.float32] = np.sqrt(np.vecdot(self.embeddings, self.embeddings))


@dataclass(frozen=True)
class ExactScores:
    """One way to compare a vector with items: by inner product, or by cosine with a vector of length 1."""

    vectors: ItemVectors
    is_cosine: bool

    def of_all(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of all items for each query, float32 [n, n_items]; the cosine of an item whose vector is zero is 0."""
        products = queries @ self.vectors.embeddings.T
        return divided(products, self.vectors.norms) if self.is_cosine else products

    def of_rows(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of some items, float32 [len(rows)]."""
        products = self.vectors.embeddings[rows] @ query
        return divided(products, self.vectors.norms[rows]) if self.is_cosine else products
