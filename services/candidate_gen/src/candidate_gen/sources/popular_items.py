"""The items with most users over the last days of the training data."""

import numpy as np
from numpy.typing import NDArray

from candidate_gen.eligible import ItemSet, first_of
from candidate_gen.search.item_index import Neighbours


class PopularItems:
    """All items of a version by popularity, ties by row."""

    def __init__(self, popularity: NDArray[np.float32]) -> None:
        """`popularity` is float32 [n_items]."""
        self._popularity = np.asarray(popularity)
        self._order: NDArray[np.int64] = np.argsort(-self._popularity, kind="stable")
        self._rank = np.empty(len(self._order), np.int32)
        self._rank[self._order] = np.arange(len(self._order), dtype=np.int32)

    def best(self, items: ItemSet, count: int) -> Neighbours:
        """The `count` most popular items of a set, most popular first."""
        if items.few is None:
            rows = self._order[first_of(self._order, items.rows, count)]
        else:
            ranks = self._rank[items.few]
            rows = self._order[np.sort(np.partition(ranks, count)[:count] if len(ranks) > count else ranks)]
        return Neighbours(rows, self._popularity[rows])
