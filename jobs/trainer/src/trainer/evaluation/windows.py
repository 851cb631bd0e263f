"""Events in, held-out windows of time at their end out, each long enough to judge by where the events allow it.

Times are taken from the bulk of the events: one of 1970 does not make ten days of data fifty years, and a handful of
today does not make a window out of the fifteen years since the shop's files end. Where most events have one and the
same time, nothing is known of their order: a random part of each user's pairs is held out instead.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from recsys.errors import InvalidArgumentError
from trainer.evaluation import split
from trainer.evaluation.split import Split
from trainer.settings import Settings
from trainer.shop_data import interactions

_log = logging.getLogger(__name__)

# NDCG@20 of one user spreads by about 0.3: the mean over 30 is known to ±0.11, which tells a good model from popular
# items and hardly more. Fewer users tell nothing.
ENOUGH_USERS: Final = 30

# A recipe is chosen by so many: two that differ by .02 in NDCG@20 are told apart by a few hundred.
USERS_TO_CHOOSE_BY: Final = 300
_MOST_TO_CHOOSE_BY: Final = 4  # windows: what is older is another season
_LEAST_TO_LEARN_FROM: Final = 0.25  # pairs in train, of those of the newest window

_BULK: Final = 0.995  # of the events; what comes more than a horizon after them does not say where the data end
CENTRE: Final = (0.05, 0.95)  # of the events: what time they span is told by the time between these


def held_out(frame: pl.DataFrame, *, weights: Mapping[str, float], settings: Settings, most: int = 2) -> list[Split]:
    """`most` windows, newest last: the last for judging, those before it for choosing. Fewer where the events end.

    Windows are `horizon_days` long, or a quarter of the time that the events span where that is shorter; and longer
    where fewer than `ENOUGH_USERS` would be judged. None where nobody can be judged. Without times, random parts of
    each user's pairs: one of everything to judge by, and those before it of what that one leaves.
    """
    if frame.is_empty():
        return []
    if not has_times(frame):
        return _without_times(frame, weights=weights, settings=settings, most=most)
    days = horizon_days(partial(_quantile, frame["timestamp"]), settings)
    for windows in range(most, 0, -1):
        try:
            held = rolling(frame, weights=weights, windows=windows, horizon_days=days, enough_users=ENOUGH_USERS)
        except InvalidArgumentError as error:
            _log.warning("too few events to hold out", extra={"windows": windows, "reason": str(error)})
            continue
        return [window for window in held if window.judged_users]  # where only new users come, nobody is judged
    return []


def to_choose_and_judge(frame: pl.DataFrame, *, weights: Mapping[str, float], settings: Settings) -> list[Split]:
    """The newest window, to judge by, after those to choose by: one, or more where it has few users; newest last.

    Those to choose by are no longer than the horizon: where few users are, several that leave much to learn from choose
    better than one that does not. One that leaves less than a quarter of what the newest does is left out.
    """
    if not frame.is_empty() and not has_times(frame):
        return _without_times(frame, weights=weights, settings=settings)
    judged = held_out(frame, weights=weights, settings=settings, most=1)
    if not judged:
        return []
    windows, users = judged, 0
    days = horizon_days(partial(_quantile, frame["timestamp"]), settings)
    while users < USERS_TO_CHOOSE_BY and len(windows) <= _MOST_TO_CHOOSE_BY and (end := windows[0].cut):
        try:
            before = _window(frame, end, weights=weights, horizon_days=days, enough_users=0)
        except InvalidArgumentError:
            break
        if not before.judged_users or before.train.weights.nnz < _LEAST_TO_LEARN_FROM * judged[-1].train.weights.nnz:
            break
        windows, users = [before, *windows], users + before.judged_users
    return windows


def to_choose_by(
    frame: pl.DataFrame, held: Sequence[Split], *, weights: Mapping[str, float], settings: Settings
) -> list[Split]:
    """Those that `to_choose_and_judge` has before the newest; of `held`, where it has the same."""
    before = to_choose_and_judge(frame, weights=weights, settings=settings)[:-1]
    return [next((window for window in held if _are_same(window, one)), one) for one in before]


def _are_same(one: Split, other: Split) -> bool:
    parts = ((one.train.weights, other.train.weights), (one.test, other.test))
    return one.cut == other.cut and all(
        a.shape == b.shape and np.array_equal(a.indptr, b.indptr) and np.array_equal(a.indices, b.indices)
        for a, b in parts
    )


def of_train(window: Split, *, seed: int, number: int = 1) -> list[Split]:
    """Random parts of what a window may know, to choose by: none of its test, and `number` of them."""
    parts = (split.at_random(window.train, seed=seed + one) for one in range(1, number + 1))
    return [part for part in parts if part.judged_users]


def newest_enough(windows: Sequence[Split]) -> Sequence[Split]:
    """The newest windows that together have enough users to choose by, or all of them; newest last."""
    users = 0
    for number, window in enumerate(reversed(windows), start=1):
        users += window.judged_users
        if users >= USERS_TO_CHOOSE_BY:
            return windows[-number:]
    return windows


def rolling(
    frame: pl.DataFrame,
    *,
    weights: Mapping[str, float],
    windows: int = 4,
    horizon_days: float = 30,
    enough_users: int = 0,
) -> list[Split]:
    """Temporal splits over back-to-back windows, the last of which ends with the last event; newest last.

    A window that judges fewer than `enough_users` begins earlier, but never takes more than half of the events that
    end with it: something must be left to learn from. A few events that come long after all others are no time to
    count back from: the window then reaches back from those before them.

    Raises:
        InvalidArgumentError: `windows` under 1, or a window without events in it or before it.
    """
    if windows < 1:
        raise InvalidArgumentError(f"windows: expected 1 or more, found {windows}")
    last = frame["timestamp"].max()
    if not isinstance(last, datetime):
        raise InvalidArgumentError("rolling split: expected events, found none")
    end = last + timedelta(microseconds=1)  # windows are half-open
    splits: list[Split] = []
    for _ in range(windows):
        window = _window(frame, end, weights=weights, horizon_days=horizon_days, enough_users=enough_users)
        splits.append(window)
        end = window.cut or end
    return splits[::-1]


def has_times(frame: pl.DataFrame) -> bool:
    """Whether the bulk of the events spans any time."""
    first, last = (_quantile(frame["timestamp"], share) for share in CENTRE)
    return first < last


def _without_times(
    frame: pl.DataFrame, *, weights: Mapping[str, float], settings: Settings, most: int = 2
) -> list[Split]:
    """`held_out`, where no time tells what came later."""
    judged = split.at_random(interactions.build(frame, weights=weights), seed=settings.seed)
    return [*of_train(judged, seed=settings.seed, number=most - 1), judged] if judged.judged_users else []


def _window(
    frame: pl.DataFrame, end: datetime, *, weights: Mapping[str, float], horizon_days: float, enough_users: int
) -> Split:
    """The window that ends then."""
    before_end = frame.filter(pl.col("timestamp") < end)
    for cut in cuts(partial(_quantile, before_end["timestamp"]), end, timedelta(days=horizon_days)):
        length_days = (end - cut) / timedelta(days=1)
        parts = split.temporal(before_end, weights=weights, cut=cut, horizon_days=length_days)
        if parts.judged_users >= enough_users:
            break
    return parts


def horizon_days(quantile: Callable[[float], datetime], settings: Settings) -> float:
    """How long a window is; `quantile`: the time of the event before which a share of all events lies."""
    first, last = (quantile(share) for share in CENTRE)
    span = (last - first) / (CENTRE[1] - CENTRE[0])
    return min(settings.horizon_days, span / timedelta(days=4))


def cuts(quantile: Callable[[float], datetime], end: datetime, horizon: timedelta) -> Iterator[datetime]:
    """Where a window may begin, the latest first: one horizon before the end, two, four, … and in the middle.

    Args:
        quantile: the time of the event before which a share of the events before the end lies.
    """
    bulk, half = (quantile(share) for share in (_BULK, 0.5))
    last = end if end - bulk <= horizon else bulk + timedelta(microseconds=1)
    length = max(horizon, timedelta(microseconds=1))
    yield last - length
    while last - (length := 2 * length) > half:
        yield last - length
    if half < last - length / 2:
        yield half


def _quantile(times: pl.Series, share: float) -> datetime:
    """The time of the event before which this share of them lies. Raises: InvalidArgumentError (there is none)."""
    found: object = times.quantile(share, interpolation="nearest")
    if not isinstance(found, datetime):
        raise InvalidArgumentError("rolling split: expected events before the window, found none")
    return found
