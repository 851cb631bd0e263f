"""A user's vector from their history, by the model's own fold-in, without training: docs/artifact-format.md, "Fold-in".

A history comes in; the vector that the model would have given its owner goes out, and what each item adds to it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.query import sequence
from candidate_gen.query.item_weights import ItemWeights
from recsys.age import age_factors
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.manifest import AgeInfo, ALSFoldIn, IALSFoldIn, SequenceFoldIn, SumFoldIn

# Multiplications that a vector may cost: at 64 dimensions a history of 1,000 items comes in whole, at 512 one of 125.
# Older items are dropped, so a vector takes less than 1 ms.
_MOST_WORK: Final = 8_000_000
_MOST_ITEMS: Final = 1_000


@dataclass(frozen=True)
class _Recent:
    """The part of a history that counts."""

    rows: NDArray[np.int64]  # [n]
    weights: NDArray[np.float64]  # [n]
    ages: NDArray[np.float64]  # [n] factors of what each says
    vectors: NDArray[np.float64]  # [n, dim] in the space that the model was fitted in


@dataclass(frozen=True)
class _Normal:
    """(diag(diagonal) + Σ excess_j y_j y_jᵀ) x = Σ right_j y_j, all float64."""

    vectors: NDArray[np.float64]  # [n, dim] y
    diagonal: NDArray[np.float64]  # [dim] > 0: the reader and the penalties see to it
    excess: NDArray[np.float64]  # [n]
    right: NDArray[np.float64]  # [n]


def vector(fold_in: FoldIn, embeddings: NDArray[np.float32], history: ItemWeights) -> NDArray[np.float32]:
    """The vector of who has this history, float32 [dim]; zeros for an empty one.

    `embeddings` is float32 [n_items, dim], as the artifact has them.
    """
    if isinstance(fold_in.info, SequenceFoldIn):
        return _encoded(fold_in, fold_in.info, _in_order(fold_in, fold_in.info, embeddings, history=history))
    recent = _recent(fold_in, fold_in.info.age, embeddings, history=history)
    if isinstance(fold_in.info, SumFoldIn):
        return (_sum_weights(fold_in, fold_in.info, recent) @ recent.vectors).astype(np.float32)
    return _solved(_normal(fold_in, fold_in.info, recent)).astype(np.float32)


def contributions(
    fold_in: FoldIn, embeddings: NDArray[np.float32], history: ItemWeights
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The items that `vector` is made of, [n], and what each adds: float32 [n, dim], whose sum is the vector.

    An encoder adds nothing up. There it is what the vector loses where the history lacks the item, and what these
    leave of the vector is shared by all items alike.
    """
    if isinstance(fold_in.info, SequenceFoldIn):
        in_order = _in_order(fold_in, fold_in.info, embeddings, history=history)
        return history.rows[: len(in_order)], _differences(fold_in, fold_in.info, in_order)[::-1]
    recent = _recent(fold_in, fold_in.info.age, embeddings, history=history)
    if isinstance(fold_in.info, SumFoldIn):
        parts = _sum_weights(fold_in, fold_in.info, recent)[:, np.newaxis] * recent.vectors
    else:
        parts = _parts(_normal(fold_in, fold_in.info, recent))
    return recent.rows, parts.astype(np.float32)


def most_items(dim: int) -> int:
    """How many items of a history count, the most recent ones: n·dim·min(n, dim) stays within bounds."""
    small = int((_MOST_WORK / dim) ** 0.5)
    return min(_MOST_ITEMS, small if small < dim else _MOST_WORK // dim**2)


def _recent(fold_in: FoldIn, age: AgeInfo, embeddings: NDArray[np.float32], *, history: ItemWeights) -> _Recent:
    most = most_items(embeddings.shape[1])
    rows, times = history.rows[:most], history.times[:most]
    return _Recent(
        rows=rows,
        weights=history.weights[:most],
        ages=age_factors(times, np.zeros(len(times), np.int64), age),
        vectors=embeddings[rows].astype(np.float64) * fold_in.item_scale[rows, np.newaxis],
    )


def _in_order(
    fold_in: FoldIn, info: SequenceFoldIn, embeddings: NDArray[np.float32], *, history: ItemWeights
) -> NDArray[np.float32]:
    """The vectors of the last items as the model reads them, the oldest first: float32 [n, dim]."""
    rows = history.rows[: info.most_items][::-1]
    return np.asarray(embeddings[rows] * fold_in.item_scale[rows, np.newaxis])


def _encoded(fold_in: FoldIn, info: SequenceFoldIn, in_order: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(in_order) == 0:
        return np.zeros(in_order.shape[1], np.float32)
    return sequence.encoded(in_order, fold_in.encoder_weights, info)


def _differences(fold_in: FoldIn, info: SequenceFoldIn, in_order: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = _encoded(fold_in, info, in_order)
    without = [_encoded(fold_in, info, np.delete(in_order, place, axis=0)) for place in range(len(in_order))]
    parts = whole - np.array(without, np.float32).reshape(in_order.shape)
    return np.asarray(parts + (whole - parts.sum(axis=0)) / np.float32(max(len(in_order), 1)))


def _sum_weights(fold_in: FoldIn, info: SumFoldIn, recent: _Recent) -> NDArray[np.float64]:
    of_user = max(len(recent.rows), 1) ** -info.user_exponent
    weights: NDArray[np.float64] = recent.weights**info.weight_exponent * fold_in.item_weights[recent.rows] * of_user
    return weights * recent.ages


def _normal(fold_in: FoldIn, info: ALSFoldIn | IALSFoldIn, recent: _Recent) -> _Normal:
    spectrum = fold_in.spectrum.astype(np.float64)
    if isinstance(info, ALSFoldIn):
        of_weights = _bm25(info, recent.weights) * fold_in.item_weights[recent.rows] * info.alpha
        confidence = of_weights * recent.ages
        excess = confidence - 1
    else:
        of_user = max(len(recent.rows), 1) ** -info.user_length_exponent
        confidence = info.scale * recent.weights * of_user * recent.ages
        excess = confidence
        observed = confidence.sum() + info.unobserved_weight * len(fold_in.item_scale)
        spectrum += info.regularization * observed**info.frequency_exponent
    return _Normal(vectors=recent.vectors, diagonal=spectrum, excess=excess, right=confidence)


def _bm25(info: ALSFoldIn, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Okapi BM25 without the inverse document frequency; the user is the document."""
    frequency = weights * info.weight_scale
    norm = info.k1 * (1 - info.b + info.b * frequency.sum() / info.avg_length)
    return np.asarray(frequency * (info.k1 + 1) / (frequency + norm))


def _solved(normal: _Normal) -> NDArray[np.float64]:
    """x, by a system of n or of dim unknowns, whichever are fewer.

    With S = Y diag⁻¹ and W = diag(excess): x = Sᵀ (I + W S Yᵀ)⁻¹ right (Woodbury identity, pushed through). This form
    wants no inverse of W, so an excess of 0 or below is as good as any.
    """
    if len(normal.vectors) < len(normal.diagonal):
        scaled = normal.vectors / normal.diagonal
        return np.asarray(np.linalg.solve(_small_system(normal, scaled), normal.right) @ scaled)
    return np.asarray(np.linalg.solve(_large_system(normal), normal.right @ normal.vectors))


def _parts(normal: _Normal) -> NDArray[np.float64]:
    """right_j A⁻¹ y_j for each item: float64 [n, dim]."""
    if len(normal.vectors) < len(normal.diagonal):
        scaled = normal.vectors / normal.diagonal
        solved = np.linalg.solve(_small_system(normal, scaled).T, scaled)
    else:
        solved = np.linalg.solve(_large_system(normal), normal.vectors.T).T
    return np.asarray(normal.right[:, np.newaxis] * solved)


def _small_system(normal: _Normal, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """I + W S Yᵀ, [n, n]."""
    system = normal.excess[:, np.newaxis] * (scaled @ normal.vectors.T)
    system.flat[:: len(system) + 1] += 1
    return system


def _large_system(normal: _Normal) -> NDArray[np.float64]:
    """diag + Yᵀ W Y, [dim, dim]."""
    system = (normal.vectors.T * normal.excess) @ normal.vectors
    system.flat[:: len(system) + 1] += normal.diagonal
    return np.asarray(system)
