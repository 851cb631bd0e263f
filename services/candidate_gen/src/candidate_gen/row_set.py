"""Sets of item rows as bitmaps: a bit for each item of the version, which FAISS reads as they are."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BIT: Final = (1 << np.arange(8)).astype(np.uint8)
_ALL_BUT: Final = ~_BIT


@dataclass(frozen=True)
class RowSet:
    """Row r is in the set if bit r & 7 of byte r >> 3 is set."""

    bitmap: NDArray[np.uint8]  # [whole 64-bit words]; never changed

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "RowSet":
        """The rows whose entry is true."""
        packed = np.packbits(mask, bitorder="little")
        return cls(np.concatenate([packed, np.zeros(-len(packed) % 8, np.uint8)]))

    @cached_property
    def size(self) -> int:
        """How many rows are in the set."""
        return int(np.bitwise_count(self.bitmap.view(np.uint64)).sum())

    def size_below(self, row: int) -> int:
        """How many rows below this one are in the set."""
        return self.size - int(np.count_nonzero(self.has(np.arange(row, 8 * len(self.bitmap)))))

    def has(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each row is in the set: bool [len(rows)]."""
        return np.asarray((self.bitmap[rows >> 3] & _BIT[rows & 7]) != 0)

    def rows(self) -> NDArray[np.int64]:
        """All rows of the set, ascending."""
        return np.flatnonzero(np.unpackbits(self.bitmap, bitorder="little"))

    def without(self, rows: NDArray[np.int64]) -> "RowSet":
        """The set without these rows, which may repeat."""
        bitmap = self.bitmap.copy()
        np.bitwise_and.at(bitmap, rows >> 3, _ALL_BUT[rows & 7])
        return RowSet(bitmap)

    def __and__(self, other: "RowSet") -> "RowSet":
        return RowSet(self.bitmap & other.bitmap)
