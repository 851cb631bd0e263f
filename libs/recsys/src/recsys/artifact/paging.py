"""What a process touches of a mapped file before requests do."""

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


def page_in(mapped: NDArray[Any]) -> None:
    """Read a byte of each page of an array, so that no request waits until one is there."""
    if mapped.size:
        np.asarray(mapped).reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max()  # other threads run meanwhile


def spread(count: int, samples: int) -> list[int]:
    """At most so many of the numbers below `count`, evenly spread."""
    return sorted({int(row) for row in np.linspace(0, count - 1, min(count, samples))})
