"""A column of whole numbers in, its n-th smallest value out: exactly, with little of it on the driver."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

# Of the classes that values are counted in, one step after another: times in microseconds fall into some 10,000 of the
# first kind in a human life, and at most 262,144 of each other kind into one of the kind before.
_WIDTHS: Final = (1 << 36, 1 << 18, 1)


def value_at(frame: DataFrame, column: Column, place: int) -> int:
    """The value at a place (from 0) among the column's values in ascending order; there are more than `place`."""
    found = 0
    for width in _WIDTHS:
        classes = fn.shiftright(column, width.bit_length() - 1).alias("class")
        counts = {int(row[0]): int(row[1]) for row in frame.groupBy(classes).count().collect()}
        found, place = _class_of(counts, place)
        found *= width
        frame = frame.where((column >= found) & (column < found + width))
    return found


def _class_of(counts: dict[int, int], place: int) -> tuple[int, int]:
    """The class that holds the value at a place, and its place there."""
    for number in sorted(counts):
        if place < counts[number]:
            return number, place
        place -= counts[number]
    raise AssertionError("there are more values than `place`")


def share_to_place(share: float, count: int) -> int:
    """The place of the value before which a share of `count` values lies."""
    return round((count - 1) * share)
