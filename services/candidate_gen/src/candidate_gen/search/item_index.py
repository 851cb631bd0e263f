"""A FAISS index over the items of one artifact version, opened and checked.

A file comes in; nearest neighbours of a vector, among all items or some of them, go out. An index that is not of these
items is refused.
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


BIT: Final = (1 << np.arange(8)).astype(np.uint8)
"""Of a byte of a bitmap, by row & 7."""


def are_in(bitmap: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each row is in a bitmap, as `Among` has it: bool, the shape of `rows`."""
    return np.asarray((bitmap[rows >> 3] & BIT[rows & 7]) != 0)


NONE: Final = Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))


class Among:
    """Items that searches may find, as FAISS is told of them: made once, since that takes as long as some stages do."""

    def __init__(self, bitmap: NDArray[np.uint8] | None = None, *, size: int = 1, n_items: int = 1) -> None:
        """`size` of the `n_items` of an index: bit r & 7 of byte r >> 3 of the bitmap is row r; none: all of them."""
        # FAISS holds addresses only: the bitmap must live as long as its selector
        self.bitmap = bitmap
        self.size = size
        self.selector = None if bitmap is None else _faiss.IDSelectorBitmap(bitmap)
        # the sparser the set, the deeper its best stand among all items
        self.effort = float((n_items / max(size, 1)) ** (1 / 3))
        self.parameters: dict[tuple[ItemIndex, float], Any] = {}  # of searches, by index and factor


class ItemIndex:
    """Approximate search by inner product."""

    def __init__(self, path: Path, *, item_count: int, dim: int, search_effort: int | None) -> None:
        """Map the file into memory. `search_effort` is nprobe or efSearch; none: as the file says.

        Raises:
            ArtifactError: this is no FAISS index, or one of other items.
        """
        self.path = path
        self._everything = Among()
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
        self, query: NDArray[np.float32], fetch: int, *, among: Among | None = None, factor: float = 1
    ) -> Neighbours:
        """The `fetch` best items for a query, float32 [dim]; fewer where the index found no more.

        Args:
            among: the items that may be found; none: all.
            factor: on the effort that a search among these items takes, which is nprobe or efSearch.
        """
        parameters = self._parameters(among or self._everything, factor)
        [scores], [rows] = self._index.search(query[np.newaxis], fetch, params=parameters)
        if rows[-1] >= 0:
            return Neighbours(rows, scores)
        found = np.count_nonzero(rows >= 0)  # FAISS pads with -1
        return Neighbours(rows[:found], scores[:found])

    def search_many(self, queries: NDArray[np.float32], fetch: int, *, among: Among) -> NDArray[np.int64]:
        """The same for queries, float32 [n, dim]: the rows alone, int64 [n, fetch], -1 where no more were found."""
        rows: NDArray[np.int64] = self._index.search(queries, fetch, params=self._parameters(among, 1))[1]
        return rows

    def _parameters(self, among: Among, factor: float) -> Any:
        key = (self, factor)
        if key not in among.parameters:
            among.parameters[key] = self._made(among.selector, among.effort * factor)
        return among.parameters[key]

    def _made(self, selector: faiss.IDSelector | None, effort: float) -> Any:
        if isinstance(self._index, faiss.IndexIVF):
            lists = min(max(round(self._index.nprobe * effort), 1), self._index.nlist)
            return _faiss.SearchParametersIVF(sel=selector, nprobe=lists)
        if isinstance(self._index, faiss.IndexHNSW):
            return _faiss.SearchParametersHNSW(sel=selector, efSearch=round(self._index.hnsw.efSearch * effort))
        return None if selector is None else _faiss.SearchParameters(sel=selector)

    def _expect(self, what: str, expected: int, found: int) -> None:
        if found != expected:
            raise ArtifactError(f"{self.path}: {what}: expected {expected}, found {found}")
