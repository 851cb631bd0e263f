"""A scorer in, every user's best unseen items out: full ranking, exact, in bounded memory, ties by item row."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsys.errors import DataError
from trainer.models.embeddings import Scorer
from trainer.threads import allowed

# Four workers with one block each, and one scaled: 512 MB of scores. The batch follows from the catalogue alone, never
# from the machine, because a matrix product may round differently in another batch.
_BLOCK_BYTES = 64 << 20
_MAX_WORKERS = 4
_MAX_GROUP_SIZE = 64


def top_unseen(scorer: Scorer, *, seen: sp.csr_matrix, user_rows: NDArray[np.int64], k: int) -> NDArray[np.int32]:
    """The k best items of each user that `seen` (any stored value, [n_users, n_items]) does not hold.

    Returns int32 [len(user_rows), k] item rows, best first, equal scores by ascending row; -1 where a user has fewer
    than k items left (an item scored -inf counts as not recommendable).

    Raises:
        DataError: the scorer gave NaN.
    """
    [ranked] = top_unseen_scaled(scorer, [None], seen=seen, user_rows=user_rows, k=k)
    return ranked


def top_unseen_scaled(
    scorer: Scorer,
    factors: Sequence[NDArray[np.float32] | None],
    *,
    seen: sp.csr_matrix,
    user_rows: NDArray[np.int64],
    k: int,
) -> list[NDArray[np.int32]]:
    """`top_unseen` once for each of several factors of the items' scores; the scores are made once.

    Args:
        factors: each float32 [n_items], above 0; none: the scores as they are.
    """

    def rank(rows: NDArray[np.int64]) -> list[NDArray[np.int32]]:
        scores = np.require(scorer.scores(rows), dtype=np.float32, requirements=["C", "W", "O"])
        known = seen[rows]
        scores[np.repeat(np.arange(len(rows)), np.diff(known.indptr)), known.indices] = -np.inf
        return [top_k(scores if one is None else scores * one, k) for one in factors]

    workers = min(_MAX_WORKERS, allowed())
    with threadpool_limits(limits=1), ThreadPoolExecutor(workers) as pool:
        ranked = list(pool.map(rank, batches(user_rows, n_items=seen.shape[1])))
    if not ranked:
        return [np.empty((0, k), dtype=np.int32) for _ in factors]
    return [np.concatenate(of_one) for of_one in zip(*ranked, strict=True)]


def batches(user_rows: NDArray[np.int64], *, n_items: int) -> Iterator[NDArray[np.int64]]:
    """Slices of `user_rows` whose float32 score block stays under 64 MB."""
    size = max(1, _BLOCK_BYTES // (4 * max(1, n_items)))
    for start in range(0, len(user_rows), size):
        yield user_rows[start : start + size]


def top_k(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Columns of the k largest scores of each row: int32 [b, k], best first, ties by ascending column, -1 for -inf.

    The k-th largest of the maxima of disjoint groups of columns cannot exceed the k-th largest score, so one comparison
    leaves little more than k columns a row to sort: exact, and about ten times cheaper than a partition of every row.
    """
    b, n = scores.shape
    kept = min(k, n)
    candidates = scores >= _lower_bounds(scores, kept)[:, None]
    for row in np.flatnonzero(np.count_nonzero(candidates, axis=1) > 4 * kept):  # many ties, or nothing but -inf
        candidates[row] = _exactly_k(scores[row], kept)
    flat = np.flatnonzero(candidates)
    row_of, column_of = np.divmod(flat, n)
    values = scores.ravel()[flat]
    order = np.lexsort((-values, row_of))  # stable, and the columns of a row already ascend
    starts = np.searchsorted(row_of, np.arange(b))
    best = order[starts[:, None] + np.arange(kept)]
    ranked = np.full((b, k), -1, dtype=np.int32)
    ranked[:, :kept] = np.where(np.isneginf(values[best]), -1, column_of[best])
    return ranked


def _lower_bounds(scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """float32 [b]: at least k scores of each row reach it."""
    b, n = scores.shape
    group_size = int(np.clip(n // (12 * k), 1, _MAX_GROUP_SIZE))
    n_groups = n // group_size
    maxima = scores[:, : n_groups * group_size].reshape(b, group_size, n_groups).max(axis=1)
    if np.isnan(maxima).any():
        raise DataError("the model gives NaN as a score; expected finite numbers or -inf")
    return np.partition(maxima, n_groups - k, axis=1)[:, n_groups - k]


def _exactly_k(row: NDArray[np.float32], k: int) -> NDArray[np.bool_]:
    """bool [n], k of them true: the largest scores, ties by ascending column."""
    threshold = np.partition(row, len(row) - k)[len(row) - k]
    chosen: NDArray[np.bool_] = row > threshold
    chosen[np.flatnonzero(row == threshold)[: k - np.count_nonzero(chosen)]] = True
    return chosen
