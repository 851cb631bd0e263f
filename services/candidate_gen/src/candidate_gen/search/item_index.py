"""A FAISS index over the items of one artifact version, opened and checked.

A file comes in; nearest neighbours of a vector, among all items or those of a bitmap, go out. An index that is not of
these items is refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.errors import ArtifactError

_faiss: Any = faiss  # its stubs know the C++ side of selectors and search parameters only, not Python's keywords
_PARAMETER_OF_KIND: Final = ((faiss.IndexIVF, "nprobe"), (faiss.IndexHNSW, "efSearch"))


@dataclass(frozen=True)
class Neighbours:
    """Item rows and their scores, both [n], best first; ties in no order."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


NONE: Final = Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))


class ItemIndex:
    """Approximate search by inner product."""

    def __init__(self, path: Path, *, item_count: int, dim: int, search_effort: int | None) -> None:
        """Map the file into memory. `search_effort` is nprobe or efSearch; none: as the file says.

        Raises:
            ArtifactError: this is no FAISS index, or one of other items.
        """
        self.path = path
        try:
            # of the two ways to map a file only this one also maps flat indexes (measured: 0 MB of own memory, not 98)
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise ArtifactError(f"{path}: expected a FAISS index, found: {error}") from error
        self._expect("vectors", item_count, self._index.ntotal)
        self._expect("dimensions", dim, self._index.d)
        self._expect("metric", faiss.METRIC_INNER_PRODUCT, self._index.metric_type)
        for kind, parameter in _PARAMETER_OF_KIND:
            if search_effort is not None and isinstance(self._index, kind):
                faiss.ParameterSpace().set_index_parameter(self._index, parameter, search_effort)

    def search(
        self, query: NDArray[np.float32], fetch: int, *, among: NDArray[np.uint8] | None = None, effort: float = 1
    ) -> Neighbours:
        """The `fetch` best items for a query, float32 [dim]; fewer where the index found no more.

        Args:
            among: bitmap of the items that may be found (bit r & 7 of byte r >> 3 is row r); none: all.
            effort: factor on nprobe or efSearch.
        """
        # FAISS holds addresses only: `selector` and the bitmap must outlive the search, so both keep a name here
        selector = None if among is None else _faiss.IDSelectorBitmap(among)
        parameters = self._parameters(selector, effort)
        scores, rows = self._index.search(query[np.newaxis], fetch, params=parameters)
        found = rows[0] >= 0  # FAISS pads with -1
        return Neighbours(rows=rows[0][found], scores=scores[0][found])

    def search_many(
        self, queries: NDArray[np.float32], fetch: int, *, among: NDArray[np.uint8] | None, effort: float
    ) -> NDArray[np.int64]:
        """The same for queries, float32 [n, dim]: the rows alone, int64 [n, fetch], -1 where no more were found."""
        selector = None if among is None else _faiss.IDSelectorBitmap(among)
        rows: NDArray[np.int64] = self._index.search(queries, fetch, params=self._parameters(selector, effort))[1]
        return rows

    def _parameters(self, selector: faiss.IDSelector | None, effort: float) -> Any:
        if isinstance(self._index, faiss.IndexIVF):
            lists = min(max(round(self._index.nprobe * effort), 1), self._index.nlist)
            return _faiss.SearchParametersIVF(sel=selector, nprobe=lists)
        if isinstance(self._index, faiss.IndexHNSW):
            return _faiss.SearchParametersHNSW(sel=selector, efSearch=round(self._index.hnsw.efSearch * effort))
        return None if selector is None else _faiss.SearchParameters(sel=selector)

    def _expect(self, what: str, expected: int, found: int) -> None:
        if found != expected:
            raise ArtifactError(f"{self.path}: {what}: expected {expected}, found {found}")
