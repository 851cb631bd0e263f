"""The items with most weight of recent events, decayed by time, as the feature store counts them."""

from collections.abc import Callable, Sequence

import numpy as np

from candidate_gen.eligible import ItemSet, first_of
from candidate_gen.search.item_index import Neighbours
from recsys.feature_store.interface import TrendingItem


def in_rows(listed: Sequence[TrendingItem], row_of: Callable[[str], int | None]) -> Neighbours:
    """The store's list, heaviest first, without the items that have no row."""
    known = [(row, item.weight) for item in listed if (row := row_of(item.item_id)) is not None]
    return Neighbours(np.array([row for row, _ in known], np.int64), np.array([w for _, w in known], np.float32))


def trending_items(trending: Neighbours, items: ItemSet, count: int) -> Neighbours:
    """The `count` heaviest items of a set, heaviest first."""
    first = first_of(trending.rows, items.rows, count)
    return Neighbours(trending.rows[first], trending.scores[first])
