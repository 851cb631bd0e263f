"""The vector of a sequence of items, by causal self-attention in NumPy: docs/artifact-format.md, "Fold-in".

Vectors of items in their order come in; what the model expects next goes out. Of the last block only the last place is
computed, and nothing depends on what comes later: no mask is needed where only the last place is asked for.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.manifest import SequenceFoldIn
from recsys.artifact.sequence_encoder import BlockWeights, EncoderWeights

_EPSILON: Final = np.float32(1e-5)  # torch's own, added to a variance

Vectors = NDArray[np.float32]


def encoded(vectors: Vectors, weights: EncoderWeights, info: SequenceFoldIn) -> Vectors:
    """What comes after the last item: float32 [dim], of vectors [n, dim], the oldest first; 1 ≤ n ≤ most_items."""
    x = vectors * np.float32(np.sqrt(vectors.shape[1])) + weights.positions[: len(vectors)]
    for block in weights.blocks[:-1]:
        x = _after(x, block, heads=info.heads, places=len(x))
    last = _after(x, weights.blocks[-1], heads=info.heads, places=1)[0]
    return _normalised(last) * weights.norm + weights.norm_bias


def _after(x: Vectors, block: BlockWeights, *, heads: int, places: int) -> Vectors:
    """The last `places` places after a block: [places, dim]."""
    dim = x.shape[1]
    projected = _normalised(x) @ block.project + block.project_bias
    query, key, value = (
        projected[:, part * dim : (part + 1) * dim].reshape(len(x), heads, dim // heads).transpose(1, 0, 2)
        for part in range(3)
    )
    scores = query[:, -places:] @ key.transpose(0, 2, 1) / np.float32(np.sqrt(dim // heads))
    if places > 1:
        scores += np.triu(np.full((places, len(x)), -np.inf, np.float32), k=1)
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    attended = (shares @ value).transpose(1, 0, 2).reshape(places, dim)
    x = x[-places:] + attended @ block.attended + block.attended_bias
    wide = np.maximum(_normalised(x) @ block.widen + block.widen_bias, 0)
    return np.asarray(x + wide @ block.narrow + block.narrow_bias)


def _normalised(x: Vectors) -> Vectors:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.vecdot(centred, centred)[..., np.newaxis] / np.float32(x.shape[-1])
    return np.asarray(centred / np.sqrt(variance + _EPSILON))
