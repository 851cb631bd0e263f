"""Vectors of length 1 and cosines, the same in training and in serving; a zero vector stays zero, its cosines are 0."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", bound=np.floating)


def unit(vectors: NDArray[Float]) -> NDArray[Float]:
    """Each vector of the last axis divided by its length, of the shape and type that came in."""
    return divided(vectors, np.linalg.norm(vectors, axis=-1, keepdims=True))


def divided(values: NDArray[Float], lengths: NDArray[Float]) -> NDArray[Float]:
    """`values` by `lengths`, which spread over them as numpy does it; 0 where a length is 0."""
    quotients: NDArray[Float] = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    return quotients
