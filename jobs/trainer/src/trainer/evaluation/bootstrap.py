"""One figure a user in, its mean with a 95 % interval out; two models in, their difference with interval and p-value.

Users are the unit that is drawn: the percentile bootstrap of Efron & Tibshirani (1993). It says how much a figure would
move with other users of the same shop and period; not with another period, and not with another training seed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError

_CELLS_PER_CHUNK = 4 << 20
_TAILS = ((1 - 0.95) / 2, 1 - (1 - 0.95) / 2)  # between these shares of the draws lies the interval


@dataclass(frozen=True)
class Interval:
    """A mean over users and its percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def told(self) -> str:
        """The mean and its interval, for people."""
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class PairedDifference(Interval):
    """Mean of a − b over the same users, its interval, and the two-sided bootstrap p-value of "no difference"."""

    p_value: float


def intervals(
    per_user: Mapping[str, NDArray[np.float64]], *, resamples: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """The mean of each metric over the same users, with its 95 % interval.

    Args:
        per_user: float64 [n_users] for each metric; all of the same length. All metrics share the resamples.
        resamples: number of bootstrap draws.
        seed: of the draws.

    Raises:
        InvalidArgumentError: no users.
    """
    if not per_user:
        return {}
    found, _ = _resampled(np.column_stack(list(per_user.values())), resamples=resamples, seed=seed)
    return dict(zip(per_user, found, strict=True))


def paired(a: NDArray[np.float64], b: NDArray[np.float64], *, resamples: int = 2000, seed: int = 0) -> PairedDifference:
    """Compare two models on the same users: the mean of a − b, float64 [n_users] each.

    The p-value is twice the smaller share of draws on one side of zero, draws at zero on both, with one draw added to
    each side so that it is never 0.

    Raises:
        InvalidArgumentError: the two differ in length, or are empty.
    """
    if a.shape != b.shape:
        raise InvalidArgumentError(f"a paired comparison needs the same users: found {a.shape} and {b.shape} figures")
    [found], means = _resampled((a - b)[:, None], resamples=resamples, seed=seed)
    smaller_side = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
    p_value = min(1.0, 2 * (smaller_side + 1) / (resamples + 1))
    return PairedDifference(found.value, found.low, found.high, p_value=float(p_value))


def of_sums(
    sums: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """A figure that is made of sums over users, such as a ratio, with its 95 % interval.

    Args:
        sums: float64 [n_users, any], what each user adds to the sums.
        statistic: of sums [n, any], one figure each: [n].
        resamples: number of bootstrap draws.
        seed: of the draws.

    Raises:
        InvalidArgumentError: no users.
    """
    if len(sums) == 0:
        raise InvalidArgumentError("the bootstrap needs at least one user, found none")
    drawn = [statistic(counts @ sums) for counts in _draw_counts(len(sums), resamples=resamples, seed=seed)]
    low, high = np.quantile(np.concatenate(drawn), _TAILS).tolist()
    return Interval(float(statistic(sums.sum(axis=0, keepdims=True))[0]), low, high)


def _resampled(values: NDArray[np.float64], *, resamples: int, seed: int) -> tuple[list[Interval], NDArray[np.float64]]:
    """The interval of each column of [n_users, n_metrics], and the means over users drawn with replacement.

    The means are float64 [resamples, n_metrics].
    """
    n_users = len(values)
    if n_users == 0:
        raise InvalidArgumentError("the bootstrap needs at least one user, found none")
    means = np.concatenate([c @ values for c in _draw_counts(n_users, resamples=resamples, seed=seed)]) / n_users
    low, high = np.quantile(means, _TAILS, axis=0)
    columns = zip(values.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True)
    return [Interval(*column) for column in columns], means


def _draw_counts(n_users: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each user is drawn, in chunks of float64 [≤ resamples, n_users]; every row sums to n_users."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS_PER_CHUNK // n_users)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(n_users, size=(rows, n_users))
        drawn += n_users * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n_users).reshape(rows, n_users).astype(np.float64)
