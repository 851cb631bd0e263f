"""The items as they are at one moment: those of the version, by row, and after them those that the shop added since.

A row of `n_items` or more is no item of the model but `new_ids[row - n_items]`. Sets of items that may be answers come
out, one for each filter, and are kept until an item changes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.filters import Filter
from candidate_gen.row_set import RowSet
from recsys.live_catalogue import LiveCatalogue

_MOST_FILTERS_HELD: Final = 32  # a set takes a bit for each item, and the rows where they are few


@dataclass(frozen=True)
class ItemSet:
    """Items that may be answers."""

    rows: RowSet
    few: NDArray[np.int64] | None  # the version's rows of the set, ascending, where they are few enough to score each

    def without(self, rows: NDArray[np.int64]) -> "ItemSet":
        """The set without these rows, which may repeat."""
        if len(rows) == 0:
            return self
        left = self.rows.without(rows)
        return ItemSet(left, None if self.few is None else self.few[left.has(self.few)])


class Assortment:
    """Items of one version and one state of the shop."""

    def __init__(self, catalogue: LiveCatalogue, *, untrained: NDArray[np.int64], few: int) -> None:
        """Take the shop's state as it is now.

        Args:
            untrained: rows of the version's items that no event of its training touched, int64.
            few: up to so many items, a set knows its rows.
        """
        self._catalogue = catalogue
        self._few = few
        self._available = catalogue.available_mask()
        self._new = catalogue.new_items()
        self.n_items = len(self._available)
        self.new_ids = [new.item.item_id for new in self._new]
        self._row_of_new = {item_id: self.n_items + at for at, item_id in enumerate(self.new_ids)}
        self.unknown_to_model = np.concatenate(
            [np.arange(len(self._new)) + self.n_items, untrained]
        )  # the latest first
        self.matching = lru_cache(_MOST_FILTERS_HELD)(self._matching)
        self.matching_trained = lru_cache(_MOST_FILTERS_HELD)(self._matching_trained)

    def new_row_of(self, item_id: str) -> int | None:
        """The row of an item that the shop added since; none for any other."""
        return self._row_of_new.get(item_id)

    def dropped(self, wanted: Filter) -> dict[str, int]:
        """How many items each condition alone lets not pass, by the wire's name of the condition."""
        counts = {"unavailable": int(np.count_nonzero(~self._available))}
        for name, condition in wanted.conditions.items():
            counts[name] = int(np.count_nonzero(~self._passing(condition))) + self._new_passing(condition).count(False)
        return counts

    def _matching(self, wanted: Filter) -> ItemSet:
        """The items on sale that pass a filter."""
        mask = self._available if wanted.is_empty else self._available & self._passing(wanted)
        few = np.flatnonzero(mask) if np.count_nonzero(mask) <= self._few else None
        return ItemSet(RowSet.of(np.concatenate([mask, np.array(self._new_passing(wanted), bool)])), few)

    def _matching_trained(self, wanted: Filter) -> ItemSet:
        """Of those, the items of which the model knows something."""
        return self.matching(wanted).without(self.unknown_to_model)

    def _passing(self, wanted: Filter) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = self._catalogue.mask(
            categories=wanted.categories,
            min_price=wanted.min_price,
            max_price=wanted.max_price,
            attributes=dict(wanted.attributes),
        )
        return mask

    def _new_passing(self, wanted: Filter) -> list[bool]:
        return [wanted.passes(new.item) for new in self._new] if not wanted.is_empty else [True] * len(self._new)


def first_of(order: NDArray[np.int64], items: RowSet, count: int, *, start: int = 0) -> NDArray[np.int64]:
    """Positions in `order`, int64 [n] rows, of the first `count` that are in the set, from `start` on and around."""
    found: list[NDArray[np.int64]] = []
    at, block, taken = 0, 4 * count, 0
    while at < len(order) and taken < count:
        positions = np.arange(start + at, start + min(at + block, len(order))) % len(order)
        positions = positions[items.has(order[positions])]
        found.append(positions)
        taken += len(positions)
        at, block = at + block, 4 * block
    return np.concatenate(found)[:count] if found else np.empty(0, np.int64)
