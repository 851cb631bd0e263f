"""What each user has seen, by row, most recent first: memory-mapped, compressed by rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TYPES_IN_A_SET: Final = 32
"""The event types behind these have no bit in `History.type_sets`."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One item of a user's history."""

    item_row: int
    unix_s: int  # time of the pair's last event
    event_type: str  # type of the pair's last event


@dataclass(frozen=True)
class History:
    """Row u of `indptr` and its neighbour bound user u's part of the other arrays."""

    indptr: NDArray[np.int64]  # [n_users + 1]
    items: NDArray[np.int32]  # [nnz] item rows
    times: NDArray[np.int64]  # [nnz] Unix seconds
    types: NDArray[np.uint8]  # [nnz] index into event_types
    weights: NDArray[np.float32]  # [nnz] > 0, sum of the weights of the pair's events
    type_sets: NDArray[np.uint32]  # [nnz] bit n: the pair has an event of event_types[n]; TYPES_IN_A_SET at most
    event_types: list[str]

    def part(self, user_row: int) -> slice:
        """Where the user's items stand."""
        return slice(int(self.indptr[user_row]), int(self.indptr[user_row + 1]))

    def size(self, user_row: int) -> int:
        """How many distinct items the user has seen."""
        return int(self.indptr[user_row + 1] - self.indptr[user_row])

    def rows(self, user_row: int) -> NDArray[np.int32]:
        """Item rows that the user has seen, most recent first: int32 [size]."""
        return self.items[self.part(user_row)]

    def entries(self, user_row: int, count: int) -> list[HistoryEntry]:
        """The `count` most recent items of the user."""
        start = int(self.indptr[user_row])
        stop = min(start + count, int(self.indptr[user_row + 1]))
        return [
            HistoryEntry(item_row=int(item), unix_s=int(unix_s), event_type=self.event_types[code])
            for item, unix_s, code in zip(
                self.items[start:stop], self.times[start:stop], self.types[start:stop], strict=True
            )
        ]


def type_set(names: Collection[str], event_types: Sequence[str]) -> np.uint32:
    """These event types as one of `History.type_sets`."""
    return np.uint32(sum(1 << n for n, name in enumerate(event_types[:TYPES_IN_A_SET]) if name in names))


def sets_of_one(types: NDArray[Any]) -> NDArray[np.uint32]:
    """Of codes of event types, the set of each alone: uint32 [len(types)]."""
    return np.where(types < TYPES_IN_A_SET, np.uint64(1) << types.astype(np.uint64), np.uint64(0)).astype(np.uint32)


def empty_history(event_types: list[str]) -> History:
    """That of a version without users."""
    return History(
        indptr=np.zeros(1, np.int64),
        items=np.empty(0, np.int32),
        times=np.empty(0, np.int64),
        types=np.empty(0, np.uint8),
        weights=np.empty(0, np.float32),
        type_sets=np.empty(0, np.uint32),
        event_types=event_types,
    )
