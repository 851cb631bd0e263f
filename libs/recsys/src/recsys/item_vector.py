"""A vector that the shop made of an item's text or picture, as catalogue, store and artifact keep it: as text.

Only its direction counts. It is kept at length 1, in float16 (little-endian) and base64: 2 KB for 768 numbers.
"""

import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence
from math import fsum, isfinite, sqrt
from typing import Final

MOST_NUMBERS: Final = 4096


def packed(values: Sequence[float]) -> str | None:
    """The text of a vector; none where all numbers are 0, which says nothing.

    Raises:
        ValueError: no numbers, more than `MOST_NUMBERS`, or one that is not finite.
    """
    if not 0 < len(values) <= MOST_NUMBERS:
        raise ValueError(f"expected 1 to {MOST_NUMBERS} numbers, found {len(values)}")
    largest = max(map(abs, values))
    if not all(map(isfinite, values)):
        raise ValueError("expected finite numbers, found NaN or infinity")
    if largest == 0:
        return None
    scaled = [value / largest for value in values]  # squares of these are no overflow
    norm = sqrt(fsum(value * value for value in scaled))
    return b64encode(struct.pack(f"<{len(values)}e", *(value / norm for value in scaled))).decode()


def length(text: str) -> int:
    """How many numbers it has."""
    return len(text.rstrip("=")) * 3 // 8  # a character has 6 bits, a number 16


def unpacked(text: str) -> tuple[float, ...]:
    """Its numbers, of length 1 together."""
    return struct.unpack(f"<{length(text)}e", b64decode(text))
