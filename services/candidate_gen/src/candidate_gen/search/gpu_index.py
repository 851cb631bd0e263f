"""The index of items on a GPU, beside the one in main memory: the same questions, the same answers.

A GPU knows no selector: it is asked for as many more as the set of items leaves out, and those are dropped. Where that
is too many for it, or an answer comes short, the index in main memory answers.
"""

import logging
import threading
from math import ceil
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from candidate_gen.search import cuda
from candidate_gen.search.item_index import Among, ItemIndex, Neighbours, are_in

_log = logging.getLogger(__name__)

_MOST_ON_GPU: Final = 2_048  # neighbours of one search, FAISS's limit
_MOST_OF_GRAPH: Final = 512  # of CAGRA, which keeps twice as many in mind
_ROOM: Final = 1.2  # a set is not spread evenly: ask for so many times as many as it leaves out on average


class GpuItemIndex(ItemIndex):
    """IVF and exhaustive indexes are copied to the GPU; a graph (HNSW) is built again there, as CAGRA."""

    def __init__(self, path: Path, *, item_count: int, dim: int, search_effort: int | None) -> None:
        """As `ItemIndex`. What the GPU does not take is said in the log, and searched in main memory.

        Raises: ArtifactError.
        """
        super().__init__(path, item_count=item_count, dim=dim, search_effort=search_effort)
        self._one_at_a_time = threading.Lock()  # the GPU's resources are not for two threads at once
        self._is_graph = isinstance(self._index, faiss.IndexHNSW)
        self._on_gpu: Any = None
        try:
            self._on_gpu = self._moved() if item_count else None
        except RuntimeError as error:
            _log.error("searching in main memory: the GPU does not take the index", extra={"reason": str(error)})

    def search(
        self, query: NDArray[np.float32], fetch: int, *, among: Among | None = None, factor: float = 1
    ) -> Neighbours:
        """As `ItemIndex.search`; with more effort than at first, in main memory."""
        if factor == 1 and (found := self._asked(query[np.newaxis], fetch, among)) is not None:
            [scores], [rows] = found
            if (is_item := rows >= 0).all():
                return Neighbours(rows, scores)
            if among is None or among.bitmap is None or np.count_nonzero(is_item) >= min(fetch, among.size):
                return Neighbours(rows[is_item], scores[is_item])
        return super().search(query, fetch, among=among, factor=factor)

    def search_many(self, queries: NDArray[np.float32], fetch: int, *, among: Among) -> NDArray[np.int64]:
        """As `ItemIndex.search_many`; the queries that come short are asked again in main memory."""
        found = self._asked(queries, fetch, among)
        if found is None:
            return super().search_many(queries, fetch, among=among)
        rows = found[1]
        short = np.flatnonzero((rows < 0).any(axis=1))
        if len(short):
            rows[short] = super().search_many(queries[short], fetch, among=among)
        return rows

    def _moved(self) -> Any:
        if self._is_graph:
            return cuda.cagra(self._index.reconstruct_n(0, self._index.ntotal))
        if isinstance(self._index, faiss.IndexIVF):
            return cuda.copied(self._index)
        flat = faiss.IndexFlatIP(self._index.d)
        flat.add(self._index.reconstruct_n(0, self._index.ntotal))
        return cuda.copied(flat)

    def _asked(
        self, queries: NDArray[np.float32], fetch: int, among: Among | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """Scores and rows of the best `fetch` of a set, [n, fetch], -1 where no more; none: not for the GPU."""
        bitmap = None if among is None else among.bitmap
        wanted = fetch
        if among is not None and bitmap is not None:
            wanted = ceil(_ROOM * fetch * self._index.ntotal / max(among.size, 1))
        wanted = min(wanted, self._index.ntotal)
        most = _MOST_OF_GRAPH if self._is_graph else _MOST_ON_GPU
        if self._on_gpu is None or wanted > most or wanted < min(fetch, self._index.ntotal):
            return None
        parameters = cuda.cagra_parameters(wanted) if self._is_graph else None
        with self._one_at_a_time:
            scores, rows = self._on_gpu.search(queries, wanted, params=parameters)
        return _first_of(scores, rows, bitmap, fetch)


def _first_of(
    scores: NDArray[np.float32], rows: NDArray[np.int64], bitmap: NDArray[np.uint8] | None, fetch: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The first `fetch` of each row that are in the set, the rest -1."""
    is_in = rows >= 0
    if bitmap is not None:
        is_in &= are_in(bitmap, rows)
    order = np.argsort(~is_in, axis=1, kind="stable")[:, :fetch]
    first = np.where(np.take_along_axis(is_in, order, axis=1), np.take_along_axis(rows, order, axis=1), -1)
    missing = ((0, 0), (0, fetch - order.shape[1]))  # where there are fewer items than that
    return np.pad(np.take_along_axis(scores, order, axis=1), missing), np.pad(first, missing, constant_values=-1)


def index_class(device: str) -> type[ItemIndex]:
    """What opens indexes on `cpu` or `cuda`; where there is no GPU, the log says so, and main memory is searched."""
    if device == "cpu":
        return ItemIndex
    count = cuda.gpu_count()
    if count == 0:
        _log.error(
            "CANDIDATE_GEN_INDEX_DEVICE=cuda: expected a GPU, found none: searching in main memory",
            extra={
                "reason": "FAISS sees no GPU"
                if cuda.is_for_gpus()
                else "this build of FAISS is without GPUs: see services/candidate_gen/gpu.Dockerfile"
            },
        )
        return ItemIndex
    _log.info("searching on the GPU", extra={"gpus": count})
    return GpuItemIndex
