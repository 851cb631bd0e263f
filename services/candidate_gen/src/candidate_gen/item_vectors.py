"""Exact scores of all items for one vector, straight from the embeddings on disk."""

import numpy as np
from numpy.typing import NDArray


class ItemVectors:
    """Item embeddings, memory-mapped, with their lengths."""

    def __init__(self, embeddings: NDArray[np.float32]) -> None:
        """`embeddings` is float32 [n_items, dim]."""
        self.embeddings = embeddings
        self.norms: NDArray[np.float32] = np.sqrt(np.vecdot(embeddings, embeddings))

    def inner_products(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 [n_items]."""
        return self.embeddings @ query

    def cosines(self, unit_query: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 [n_items], for a query of length 1; 0 for an item whose vector is zero."""
        products = self.inner_products(unit_query)
        return np.divide(products, self.norms, out=np.zeros_like(products), where=self.norms > 0)


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector L2-normalised; a zero vector stays zero."""
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector
