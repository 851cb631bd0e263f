"""One figure a user in, its mean with a 95 % interval out; two models in, their difference with interval and p-value.

Users are the unit that is drawn: the percentile bootstrap of Efron & Tibshirani (1993). It says how much a figure would
move with other users of the same shop and period; not with another period, and not with another training seed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError

_CELLS_PER_CHUNK = 4 << 20


@dataclass(frozen=True)
class Interval:
    """A mean over users and its percentile bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Mean of a − b over the same users, its interval, and the two-sided bootstrap p-value of "no difference"."""

    value: float
    low: float
    high: float
    p_value: float


def intervals(
    per_user: Mapping[str, NDArray[np.float64]], *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """The mean of each metric over the same users, with its interval.

    Args:
        per_user: float64 [n_users] for each metric; all of the same length. All metrics share the resamples.
        resamples: number of bootstrap draws.
        confidence: share of the draws between `low` and `high`.
        seed: of the draws.

    Raises:
        InvalidArgumentError: no users.
    """
    if not per_user:
        return {}
    values = np.column_stack(list(per_user.values()))
    means = _resampled_means(values, resamples=resamples, seed=seed)
    low, high = _percentiles(means, confidence)
    centre = values.mean(axis=0)
    return {
        name: Interval(value=float(centre[i]), low=float(low[i]), high=float(high[i]))
        for i, name in enumerate(per_user)
    }


def paired(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Compare two models on the same users: the mean of a − b, float64 [n_users] each.

    The p-value is twice the smaller share of draws on one side of zero, draws at zero on both, with one draw added to
    each side so that it is never 0.

    Raises:
        InvalidArgumentError: the two differ in length, or are empty.
    """
    if a.shape != b.shape:
        raise InvalidArgumentError(f"a paired comparison needs the same users: found {a.shape} and {b.shape} figures")
    difference = (a - b)[:, None]
    means = _resampled_means(difference, resamples=resamples, seed=seed)
    low, high = _percentiles(means, confidence)
    smaller_side = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
    return PairedDifference(
        value=float(difference.mean()),
        low=float(low[0]),
        high=float(high[0]),
        p_value=float(min(1.0, 2 * (smaller_side + 1) / (resamples + 1))),
    )


def _resampled_means(values: NDArray[np.float64], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Means over users drawn with replacement: float64 [resamples, n_metrics] from [n_users, n_metrics]."""
    n_users = len(values)
    if n_users == 0:
        raise InvalidArgumentError("the bootstrap needs at least one user, found none")
    weights = _draw_counts(n_users, resamples=resamples, seed=seed)
    return np.concatenate([chunk @ values for chunk in weights]) / n_users


def _draw_counts(n_users: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each user is drawn, in chunks of float64 [≤ resamples, n_users]; every row sums to n_users."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS_PER_CHUNK // n_users)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(n_users, size=(rows, n_users))
        drawn += n_users * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n_users).reshape(rows, n_users).astype(np.float64)


def _percentiles(means: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    tail = (1 - confidence) / 2
    return np.quantile(means, [tail, 1 - tail], axis=0)
