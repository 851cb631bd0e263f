"""The nearest items to many vectors at once: as `nearest` finds them for one, with one call of FAISS for all."""

from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from candidate_gen.search.item_set import ItemSet
from candidate_gen.search.nearest import Space, effort_among
from recsys.vectors import unit

_faiss: Any = faiss  # its stubs do not know knn

NO_ROW: Final = -1  # as FAISS says it


class ManyNearest:
    """One set of items, made ready for many queries."""

    def __init__(self, space: Space, items: ItemSet) -> None:
        self._space = space
        n_items = len(space.exact.vectors.norms)
        self.size = items.rows.size_below(n_items)  # items of the set that the version knows
        self._among = None if self.size == n_items else items.rows.bitmap
        self._effort = effort_among(n_items, max(self.size, 1))
        self._few = items.few
        self._vectors = None if items.few is None else self._searched(space.exact.vectors.embeddings[items.few])

    def rows(self, queries: NDArray[np.float32], fetch: int) -> NDArray[np.int64]:
        """The `fetch` best items of the set for each query, float32 [n, dim], best first: int64 [n, at most fetch].

        `NO_ROW` stands where no more were found; an approximate index may have more all the same.
        """
        fetch = min(fetch, self.size)
        if fetch == 0:
            return np.empty((len(queries), 0), np.int64)
        searched = self._searched(queries)
        if self._few is None:
            return self._space.index.search_many(searched, fetch, among=self._among, effort=self._effort)
        _, places = _faiss.knn(searched, self._vectors, fetch, metric=faiss.METRIC_INNER_PRODUCT)
        rows: NDArray[np.int64] = self._few[places]
        return rows

    def _searched(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors as the space compares them."""
        return unit(vectors) if self._space.exact.is_cosine else vectors
