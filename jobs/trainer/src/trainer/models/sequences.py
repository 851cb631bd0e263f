"""What every user did in its order: interactions in, batches of sequences of item rows out.

A user has each item once, where they had it last: the order is that of the artifact's history, oldest first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.shop_data.interactions import Interactions

_SHUFFLES: Final = 8
_DEVIATIONS: Final = 5.0  # standard ones, of the shuffled orders


@dataclass(frozen=True)
class Sequences:
    """Slices of one array of items: sequence n is `items[starts[n] : starts[n] + lengths[n]]`, oldest first."""

    items: NDArray[np.int64]  # [nnz] item rows
    starts: NDArray[np.int64]  # [n]
    lengths: NDArray[np.int64]  # [n]

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, rows: NDArray[np.int64]) -> "Sequences":
        """Some of the sequences."""
        return Sequences(self.items, self.starts[rows], self.lengths[rows])

    def without_last(self, rows: NDArray[np.int64]) -> "Sequences":
        """The same sequences, these ones without their last item."""
        lengths = self.lengths.copy()
        lengths[rows] -= 1
        return Sequences(self.items, self.starts, lengths)

    def last(self) -> NDArray[np.int64]:
        """The last item of each: int64 [n]; of an empty sequence any."""
        return self.items[self.starts + np.maximum(self.lengths, 1) - 1]

    def newest(self, most: int) -> "Sequences":
        """Of each its last `most` items."""
        dropped = np.maximum(self.lengths - most, 0)
        return Sequences(self.items, self.starts + dropped, self.lengths - dropped)

    def pieces(self, most: int) -> "Sequences":
        """Slices of at most `most` + 1 items that share one item with the next, so that each is once what comes next.

        A sequence of one item has none. The newest pieces are whole.
        """
        steps = np.maximum(self.lengths - 1, 0)
        counts = -(-steps // most)
        owners = np.repeat(np.arange(len(self)), counts)
        from_newest = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        ends = self.lengths[owners] - from_newest * most
        begins = np.maximum(ends - most - 1, 0)
        return Sequences(self.items, self.starts[owners] + begins, ends - begins)

    def padded(self) -> NDArray[np.int64]:
        """The sequences as rows of a matrix, -1 behind each one's end: int64 [n, longest]."""
        columns = np.arange(self.lengths.max(initial=0))
        is_item = columns < self.lengths[:, None]
        padded = np.full(is_item.shape, -1, np.int64)
        padded[is_item] = self.items[(self.starts[:, None] + columns)[is_item]]
        return padded

    def batches(self, size: int, *, rng: np.random.Generator | None = None) -> Iterator[NDArray[np.int64]]:
        """Rows of sequences of about the same length, about `size` items a batch when padded; every row once.

        With `rng` those of a length meet by chance, and batches come in a random order.
        """
        order = np.argsort(self.lengths + (0 if rng is None else rng.random(len(self))), kind="stable")
        lengths = np.maximum(self.lengths[order], 1)
        bounds = [0]
        while bounds[-1] < len(order):
            longest = lengths[bounds[-1] : bounds[-1] + size]
            padded = longest * np.arange(1, len(longest) + 1)
            bounds.append(bounds[-1] + max(int(np.searchsorted(padded, size, side="right")), 1))
        numbers = np.arange(len(bounds) - 1) if rng is None else rng.permutation(len(bounds) - 1)
        for number in numbers.tolist():
            yield order[bounds[number] : bounds[number + 1]]


def of_users(known: Interactions) -> Sequences:
    """A sequence a user, of every item that they have."""
    indptr = known.weights.indptr.astype(np.int64)
    newest_first = known.weights.indices[known.most_recent_first()].astype(np.int64)
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    mirrored = indptr[users] + indptr[users + 1] - 1 - np.arange(len(newest_first))
    return Sequences(newest_first[mirrored], indptr[:-1], np.diff(indptr))


def have_order(known: Interactions) -> bool:
    """Whether anybody had one item later than another."""
    newest_first = known.most_recent_first()
    users = np.repeat(np.arange(known.weights.shape[0]), np.diff(known.weights.indptr))
    is_earlier = np.diff(known.last_seen[newest_first]) != 0
    return bool(is_earlier[users[1:] == users[:-1]].any())


def order_matters(known: Interactions, *, seed: int) -> bool:
    """Whether the same item comes right after the same other one more often than by chance.

    By chance: with each user's items in an order drawn by the seed. What has no times has no order.
    """
    sequences = of_users(known)
    users = np.repeat(np.arange(len(sequences)), sequences.lengths)
    if not have_order(known):
        return False
    rng = np.random.default_rng(seed)

    def repeated(items: NDArray[np.int64]) -> float:
        steps = items[:-1] * len(known.item_ids) + items[1:]
        counts = np.unique(steps[users[1:] == users[:-1]], return_counts=True)[1].astype(np.float64)
        return float((counts * (counts - 1)).sum())

    by_chance = [repeated(sequences.items[np.lexsort((rng.random(len(users)), users))]) for _ in range(_SHUFFLES)]
    spread = max(float(np.std(by_chance, ddof=1)), 1.0)
    return bool(repeated(sequences.items) > np.mean(by_chance) + _DEVIATIONS * spread)
