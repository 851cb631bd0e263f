"""A FAISS index over the items of one artifact version, opened and checked.

A file comes in; nearest neighbours of a vector go out. An index that is not of these items is refused.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.errors import ArtifactError

_PARAMETER_OF_KIND: Final = ((faiss.IndexIVF, "nprobe"), (faiss.IndexHNSW, "efSearch"))


@dataclass(frozen=True)
class Neighbours:
    """Item rows and their scores, both [n], best first; ties in no order."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class ItemIndex:
    """Approximate search by inner product among all items."""

    def __init__(self, path: Path, *, item_count: int, dim: int, search_effort: int | None) -> None:
        """Map the file into memory. `search_effort` is nprobe or efSearch; none: as the file says.

        Raises:
            ArtifactError: this is no FAISS index, or one of other items.
        """
        self._path = path
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

    def search(self, query: NDArray[np.float32], fetch: int) -> Neighbours:
        """The `fetch` best items for a query, float32 [dim]; fewer where the index found no more."""
        scores, rows = self._index.search(query[np.newaxis], fetch)
        found = rows[0] >= 0  # FAISS pads with -1
        return Neighbours(rows=rows[0][found], scores=scores[0][found])

    def check_agreement(
        self,
        queries: Iterable[NDArray[np.float32]],
        *,
        exact: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        first: int,
        floor: float,
    ) -> None:
        """Compare the `first` answers with exact search: `exact` scores all items for a query, float32 [n_items].

        An answer is right if its exact score is among the first ones; so equal items may stand for each other.

        Raises:
            ArtifactError: of the answers, less than the share `floor` is right.
        """
        shares = []
        for query in queries:
            scores = exact(query)
            least = np.partition(scores, -first)[-first] - 1e-4 * np.abs(scores).max()
            shares.append(np.count_nonzero(scores[self.search(query, first).rows] >= least) / first)
        if shares and np.mean(shares) < floor:
            raise ArtifactError(
                f"{self._path}: expected {floor:.2f} of the sampled answers to agree with exact search "
                f"of the embeddings, found {np.mean(shares):.2f}"
            )

    def _expect(self, what: str, expected: int, found: int) -> None:
        if found != expected:
            raise ArtifactError(f"{self._path}: {what}: expected {expected}, found {found}")
