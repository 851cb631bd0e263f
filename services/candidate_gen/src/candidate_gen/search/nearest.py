"""The nearest items to a vector among those that may be answers: from an index while it can, else by exact scores.

An index is asked with a bitmap of the items that may be found, so what does not pass costs no place in the answer. The
few that one request excludes are an exception: they are asked for too, and dropped.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.search.item_index import NONE, ItemIndex, Neighbours
from candidate_gen.search.item_set import ItemsLeft
from recsys.vectors import divided, unit

# Up to so many items, each is scored exactly: 20,000 of a million in 1.0 ms, of which an index with a selector finds a
# third of the nearest in 0.25 ms (README.md). An exhaustive index is quicker from a tenth of the catalogue on.
FEW: Final = 20_000
FEW_SHARE: Final = 0.1

_EQUAL: Final = 1e-4  # scores that differ by less than this share of the best one are the same
_EFFORTS: Final = (1, 4)  # an approximate index looks at a part of the catalogue; if that comes short, at more of it


def few_of(item_count: int) -> int:
    """Up to how many items of a catalogue are scored one by one."""
    return min(FEW, int(item_count * FEW_SHARE))


@dataclass(frozen=True)
class ExactScores:
    """One way to compare a vector with items, straight from the embeddings on disk: inner product, or cosine.

    A cosine wants a query of length 1; that of an item whose vector is zero is 0.
    """

    embeddings: NDArray[np.float32]  # [n_items, dim], memory-mapped
    norms: NDArray[np.float32]  # [n_items] their lengths
    is_cosine: bool

    @property
    def n_items(self) -> int:
        return len(self.norms)

    def comparable(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Queries, float32 [..., dim], as they are compared."""
        return unit(vectors) if self.is_cosine else vectors

    def of_all(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of all items for each query, float32 [n, n_items]."""
        products = queries @ self.embeddings.T
        return divided(products, self.norms) if self.is_cosine else products

    def of_rows(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of some items, float32 [len(rows)]."""
        products = self.embeddings[rows] @ query
        return divided(products, self.norms[rows]) if self.is_cosine else products


@dataclass(frozen=True)
class Space:
    """One way to compare a vector with items: fast, and exactly."""

    index: ItemIndex
    exact: ExactScores

    def nearest(self, query: NDArray[np.float32], items: ItemsLeft, count: int) -> Neighbours:
        """The `count` best that are left of a version's items, by score, ties by row; all where there are fewer.

        `query` is float32 [dim].
        """
        query = self.exact.comparable(query)
        if items.few is not None:
            return best(items.few, self.exact.of_rows(query, items.few), count)
        wanted = min(count, items.n_known)
        if wanted == 0:
            return NONE
        for factor in _EFFORTS:
            found = self._search(query, items, wanted, factor=factor)
            if len(found.rows) >= wanted:
                if np.count_nonzero(found.scores[1:] >= found.scores[:-1]):  # ties, in no order; all others always are
                    return best(found.rows, found.scores, wanted)
                return Neighbours(found.rows[:wanted], found.scores[:wanted])
        rows = items.rows.rows()[: items.n_known]
        return best(rows, self.exact.of_all(query[np.newaxis])[0, rows], wanted)

    def _search(self, query: NDArray[np.float32], items: ItemsLeft, wanted: int, *, factor: float) -> Neighbours:
        """What the index finds that is left: `wanted` and perhaps more, or fewer where it comes short.

        Where a few are gone from a set that is asked for by many, the index is asked for as many more.
        """
        gone = items.n_known_gone
        among, fetch = (items.among, wanted) if gone > wanted else (items.items.among, wanted + gone)
        return items.those_left(self.index.search(query, fetch, among=among, factor=factor))


def count_right(found: NDArray[np.float32], best_scores: NDArray[np.float32]) -> int:
    """How many of the exact scores of what was found are among the best scores that there are; so equal items may stand
    for each other."""
    return int(np.count_nonzero(found >= best_scores.min() - _EQUAL * np.abs(best_scores.max())))


def best(rows: NDArray[np.int64], scores: NDArray[np.float32], count: int) -> Neighbours:
    """The `count` best, by score, ties by row."""
    if len(rows) > count:
        enough = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
        rows, scores = rows[enough], scores[enough]
    order = np.lexsort((rows, -scores))[:count]
    return Neighbours(rows[order], scores[order])
