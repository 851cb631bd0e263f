"""The weights of the encoder of a `sequence` fold-in: their names and shapes in one flat array.

docs/artifact-format.md states what is computed with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.manifest import SequenceFoldIn


@dataclass(frozen=True)
class BlockWeights:
    """One block of self-attention and a feed-forward layer. A product has the vector on its left."""

    project: NDArray[np.float32]  # [dim, 3 dim] to queries, keys and values
    project_bias: NDArray[np.float32]  # [3 dim]
    attended: NDArray[np.float32]  # [dim, dim]
    attended_bias: NDArray[np.float32]  # [dim]
    widen: NDArray[np.float32]  # [dim, hidden]
    widen_bias: NDArray[np.float32]  # [hidden]
    narrow: NDArray[np.float32]  # [hidden, dim]
    narrow_bias: NDArray[np.float32]  # [dim]


@dataclass(frozen=True)
class EncoderWeights:
    """All that the encoder multiplies with and adds."""

    positions: NDArray[np.float32]  # [most_items, dim] of the oldest item that is encoded first
    blocks: tuple[BlockWeights, ...]
    norm: NDArray[np.float32]  # [dim]
    norm_bias: NDArray[np.float32]  # [dim]


def size(info: SequenceFoldIn, dim: int) -> int:
    """How many numbers the encoder has."""
    return sum(prod(shape) for _, shape in _shapes(info, dim))


def joined(weights: EncoderWeights) -> NDArray[np.float32]:
    """All numbers in one flat array, in the order of the fields; the blocks one after the other."""
    of_blocks = [part for block in weights.blocks for part in vars(block).values()]
    parts = [weights.positions, *of_blocks, weights.norm, weights.norm_bias]
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)


def split(flat: NDArray[np.float32], info: SequenceFoldIn, dim: int) -> EncoderWeights:
    """Views of what `joined` made, float32 [`size`]."""
    views: dict[str, NDArray[np.float32]] = {}
    start = 0
    for name, shape in _shapes(info, dim):
        views[name] = flat[start : start + prod(shape)].reshape(shape)
        start += prod(shape)
    blocks = tuple(_block(views, number) for number in range(info.blocks))
    return EncoderWeights(views["positions"], blocks, views["norm"], views["norm_bias"])


def _shapes(info: SequenceFoldIn, dim: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "positions", (info.most_items, dim)
    for number in range(info.blocks):
        for name, shape in _block_shapes(info, dim).items():
            yield f"{number}.{name}", shape
    yield "norm", (dim,)
    yield "norm_bias", (dim,)


def _block_shapes(info: SequenceFoldIn, dim: int) -> dict[str, tuple[int, ...]]:
    return {
        "project": (dim, 3 * dim),
        "project_bias": (3 * dim,),
        "attended": (dim, dim),
        "attended_bias": (dim,),
        "widen": (dim, info.hidden),
        "widen_bias": (info.hidden,),
        "narrow": (info.hidden, dim),
        "narrow_bias": (dim,),
    }


def _block(views: Mapping[str, NDArray[np.float32]], number: int) -> BlockWeights:
    return BlockWeights(**{name: views[f"{number}.{name}"] for name in BlockWeights.__dataclass_fields__})
