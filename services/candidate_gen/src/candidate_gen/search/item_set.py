"""Sets of item rows as bitmaps: a bit for each item of the version, which FAISS reads as they are.

Sets that differ by a few rows share one bitmap: a user's history is no reason to copy, and to read, a bit of each item.
What many requests ask of one set is kept with it.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.search.item_index import BIT, Among, Neighbours, are_in
from recsys.shop.sources import Source

_ALL_BUT: Final = ~BIT
_NONE: Final[NDArray[np.int64]] = np.empty(0, np.int64)


@dataclass(frozen=True)
class RowSet:
    """Row r is in the set if bit r & 7 of byte r >> 3 of `base` is set, and r is not in `gone`."""

    base: NDArray[np.uint8]  # [whole 64-bit words]; never changed
    gone: NDArray[np.int64]  # rows of the base, ascending
    size: int  # how many rows are in the set

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "RowSet":
        """The rows whose entry is true."""
        packed = np.packbits(mask, bitorder="little")
        padded = np.concatenate([packed, np.zeros(-len(packed) % 8, np.uint8)])
        return cls(padded, _NONE, int(np.count_nonzero(mask)))

    @cached_property
    def bitmap(self) -> NDArray[np.uint8]:
        """The set as one bitmap, [whole 64-bit words]."""
        if len(self.gone) == 0:
            return self.base
        bitmap = self.base.copy()
        np.bitwise_and.at(bitmap, self.gone >> 3, _ALL_BUT[self.gone & 7])
        return bitmap

    def size_below(self, row: int) -> int:
        """How many rows below this one are in the set."""
        return self.size - int(np.count_nonzero(self.has(np.arange(row, 8 * len(self.base)))))

    def has(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each row is in the set: bool [len(rows)]."""
        is_in_base = are_in(self.base, rows)
        return is_in_base & self.keeps(rows) if len(self.gone) else is_in_base

    def keeps(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of some rows of the base is in the set: bool [len(rows)]."""
        return ~are_among(rows, self.gone)

    def rows(self) -> NDArray[np.int64]:
        """All rows of the set, ascending."""
        words = self.bitmap.view(np.uint64)
        some = np.flatnonzero(words)  # of a narrow filter, most words are empty
        at, bit = np.nonzero(np.unpackbits(words[some].view(np.uint8), bitorder="little").reshape(-1, 64))
        return np.asarray(64 * some[at] + bit)

    def changed(self, rows: NDArray[np.int64], is_in: NDArray[np.bool_], *, n_rows: int) -> "RowSet":
        """The set of now `n_rows` rows, in which each of these, named once, is or is not: this one, if it was so."""
        length = -(-n_rows // 64) * 8
        if length == len(self.base) and np.array_equal(self.has(rows), is_in):
            return self
        before = self.bitmap
        base = np.zeros(length, np.uint8)
        base[: len(before)] = before
        was_in = are_in(base, rows)
        np.bitwise_or.at(base, rows[is_in] >> 3, BIT[rows[is_in] & 7])
        np.bitwise_and.at(base, rows[~is_in] >> 3, _ALL_BUT[rows[~is_in] & 7])
        return RowSet(base, _NONE, self.size + int(np.count_nonzero(is_in)) - int(np.count_nonzero(was_in)))

    def without(self, rows: NDArray[np.int64]) -> "RowSet":
        """The set without these rows, which may repeat."""
        rows = np.sort(rows)
        is_more = self.has(rows)
        is_more[1:] &= rows[1:] != rows[:-1]
        more = rows[is_more]
        gone = np.sort(np.concatenate([self.gone, more])) if len(self.gone) else more
        return RowSet(self.base, gone, self.size - len(more))


@dataclass(frozen=True)
class Head:
    """The first items of a list that are in a set, with their scores."""

    listed: object  # the list
    ranked: list[tuple[int, float]]
    is_whole: bool  # there are no more


@dataclass(frozen=True)
class ItemSet:
    """Items that may be answers to many requests, and what all of these ask of it."""

    rows: RowSet
    few: NDArray[np.int64] | None  # the version's rows of the set, ascending, where they are few enough to score each
    n_items: int  # of the version; rows from there on were added since
    n_known: int  # how many of the version are in the set
    among: Among  # these
    heads: dict[Source, Head] = field(default_factory=dict)  # requests add to them

    @classmethod
    def of(cls, rows: RowSet, *, n_items: int, most_few: int) -> "ItemSet":
        """The set of these rows; up to `most_few` of the version are few."""
        n_known = rows.size_below(n_items)
        return cls(
            rows,
            rows.rows()[:n_known] if n_known <= most_few else None,
            n_items=n_items,
            n_known=n_known,
            among=Among(None if n_known == n_items else rows.bitmap, size=n_known, n_items=n_items),
        )

    def without(self, rows: NDArray[np.int64]) -> "ItemsLeft":
        """What one request may have: the set without these rows, which may repeat."""
        return ItemsLeft.of(self, self.rows.without(rows) if len(rows) else self.rows)


@dataclass(frozen=True)
class ItemsLeft:
    """Items that may be the answer to one request: those of a set, without a few."""

    items: ItemSet
    rows: RowSet
    gone: frozenset[int]  # the rows of the set that are left out
    n_known_gone: int  # how many of these are items of the version

    @classmethod
    def of(cls, items: ItemSet, rows: RowSet) -> "ItemsLeft":
        """`rows` are those of the set, or what is left of them."""
        gone = rows.gone.tolist()
        return cls(items, rows, frozenset(gone), bisect_left(gone, items.n_items))

    @cached_property
    def few(self) -> NDArray[np.int64] | None:
        """As of the set."""
        few = self.items.few
        return None if few is None else few[self.rows.keeps(few)]

    @property
    def n_known(self) -> int:
        """How many items of the version are left."""
        return self.items.n_known - self.n_known_gone

    @property
    def among(self) -> Among:
        """The items of the version that are left."""
        if self.n_known_gone == 0:
            return self.items.among
        return Among(self.rows.bitmap, size=self.n_known, n_items=self.items.n_items)

    def those_left(self, found: Neighbours) -> Neighbours:
        """Those of some items of the set that are left."""
        if not self.gone:
            return found
        left = self.rows.keeps(found.rows)
        return Neighbours(found.rows[left], found.scores[left])

    def without(self, rows: NDArray[np.int64]) -> "ItemsLeft":
        """What is left without these rows too, which may repeat."""
        return ItemsLeft.of(self.items, self.rows.without(rows))


def are_among(rows: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some rows are among others: bool [len(rows)]."""
    if len(ascending) == 0:
        return np.zeros(len(rows), bool)
    return np.asarray(ascending.take(ascending.searchsorted(rows), mode="clip") == rows)


def first_of(order: NDArray[np.int64], items: RowSet, count: int, *, start: int = 0) -> NDArray[np.int64]:
    """Of rows in an order, int64 [n], the first `count` that are in the set, from position `start` on and around."""
    found: list[NDArray[np.int64]] = []
    at, block, taken = 0, 2 * count, 0
    while at < len(order) and taken < count:
        end = min(at + block, len(order))
        rows = order[start + at : start + end]
        if start + end > len(order):
            rows = np.concatenate([rows, order[max(start + at - len(order), 0) : start + end - len(order)]])
        rows = rows[items.has(rows)]
        found.append(rows)
        taken += len(rows)
        at, block = end, 4 * block
    return np.concatenate(found)[:count] if found else _NONE
