"""The items with most weight of recent events, decayed by time, as the feature store counts them."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.assortment import Assortment, ItemSet, first_of
from candidate_gen.item_index import NONE, Neighbours
from recsys.feature_store.follower import LiveState
from recsys.feature_store.interface import TrendingItem

_NO_ROW: Final = -1


class TrendingItems:
    """The store's list in rows; turned into them once for each list and each state of the shop."""

    def __init__(self, live: LiveState, *, row_of: Callable[[str], int | None]) -> None:
        """`row_of` finds the rows of the version's items."""
        self._live = live
        self._row_of = row_of
        # replaced, never changed, so that readers need no lock
        self._held: tuple[Assortment | None, Neighbours] = (None, NONE)

    def prepare(self, assortment: Assortment) -> None:
        """Have the list as it is now ready for requests."""
        self._held = (assortment, self._in_rows(self._live.trending, assortment))

    def best(self, assortment: Assortment, items: ItemSet, count: int) -> Neighbours:
        """The `count` heaviest items of a set, heaviest first."""
        held_items, order = self._held
        if held_items is not assortment:  # the items changed since this request began
            order = self._in_rows(self._live.trending, assortment)
        first = first_of(order.rows, items.rows, count)
        return Neighbours(order.rows[first], order.scores[first])

    def _in_rows(self, listed: list[TrendingItem], assortment: Assortment) -> Neighbours:
        rows = np.fromiter((self._row(item.item_id, assortment) for item in listed), np.int64, len(listed))
        weights: NDArray[np.float32] = np.fromiter((item.weight for item in listed), np.float32, len(listed))
        known = rows != _NO_ROW
        return Neighbours(rows[known], weights[known])

    def _row(self, item_id: str, assortment: Assortment) -> int:
        row = self._row_of(item_id)
        if row is None:
            row = assortment.new_row_of(item_id)
        return _NO_ROW if row is None else row
