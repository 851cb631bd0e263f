"""Who comes to the demo shop, when, and with what in mind."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from trainer.demo_catalogue import CATEGORIES, SERIES, STYLES

DAY_S = 86_400
PERIOD_DAYS = 30  # tastes and fashions change from one period to the next
TASTE = 2.5  # weight of a customer's taste, on the scale of log odds
_VISITS_A_YEAR = 20.0  # of an average customer


@dataclass(frozen=True)
class Customers:
    """What moves people; tastes are log odds."""

    joins: NDArray[np.int64]  # [n_users] first day
    leaves: NDArray[np.int64]  # [n_users] day after the last
    activity: NDArray[np.float64]  # [n_users] mean 1
    styles: NDArray[np.float64]  # [n_periods, n_users, n_styles]
    shelves: NDArray[np.float64]  # [n_periods, n_users, n_categories]
    loyalty: NDArray[np.float64]  # [n_users, n_series]
    price_level: NDArray[np.float64]  # [n_users]
    eagerness: NDArray[np.float64]  # [n_users] 0 to 2: factor on the chance that a view ends in the cart


@dataclass(frozen=True)
class Visits:
    """One visit of one customer, by customer; its theme is a shelf (a category) and a style."""

    user: NDArray[np.int64]  # every array is [n_visits]
    start_s: NDArray[np.int64]  # seconds from the first day's midnight
    shelf: NDArray[np.int64]
    style: NDArray[np.int64]


def draw_customers(rng: np.random.Generator, *, users: int, days: int) -> Customers:
    periods = days // PERIOD_DAYS + 1
    activity = rng.lognormal(sigma=0.9, size=users)
    joins = np.where(rng.random(users) < 0.5, 0, rng.integers(0, max(days - 10, 1), size=users))
    stays = np.where(rng.random(users) < 0.7, days, rng.integers(10, days + 10, size=users))
    return Customers(
        joins=joins,
        leaves=np.minimum(joins + stays, days),
        activity=activity / activity.mean(),
        styles=drifting(rng, (periods, users, len(STYLES))),
        shelves=drifting(rng, (periods, users, len(CATEGORIES))),
        loyalty=rng.standard_normal((users, len(SERIES))),
        price_level=rng.standard_normal(users),
        eagerness=2.0 * rng.beta(3.0, 3.0, size=users),
    )


def drifting(rng: np.random.Generator, shape: tuple[int, ...], keeps: float = 0.97) -> NDArray[np.float64]:
    """Standard normal at every period (the first axis), correlated by `keeps` with the period before."""
    values = rng.standard_normal(shape)
    for period in range(1, shape[0]):
        values[period] = keeps * values[period - 1] + np.sqrt(1 - keeps**2) * values[period]
    return values


def draw_visits(rng: np.random.Generator, customers: Customers, calendar: list[datetime]) -> Visits:
    """When who comes, and what for, over the days of the calendar. Weekends and the weeks before Christmas are busier."""
    months = np.array([date.month for date in calendar])
    weekend = np.array([date.weekday() >= 5 for date in calendar])
    busy = np.where(weekend, 1.3, 1.0) * np.where(months >= 11, 1.4, 1.0)
    until = np.concatenate(([0.0], np.cumsum(busy / busy.mean())))  # busy days before each day
    span = until[customers.leaves] - until[customers.joins]
    visits = np.maximum(rng.poisson(_VISITS_A_YEAR / 365 * span * customers.activity), 1)
    user = np.repeat(np.arange(len(visits)), visits)
    when = until[customers.joins][user] + rng.random(len(user)) * span[user]
    day = np.searchsorted(until, when, side="right") - 1
    start_s = day * DAY_S + rng.integers(7 * 3600, 23 * 3600, size=len(user))
    period = day // PERIOD_DAYS
    return Visits(
        user=user,
        start_s=start_s,
        shelf=draw(rng, TASTE * customers.shelves[period, user] + _season()[months[day]]),
        style=draw(rng, TASTE * customers.styles[period, user]),
    )


def _season() -> NDArray[np.float64]:
    """Log odds that a month adds to each shelf: float64 [13, n_categories], months from 1; a bell around the peak."""
    months = np.arange(13)
    season = np.zeros((len(months), len(CATEGORIES)))
    for column, category in enumerate(CATEGORIES):
        if category.peak_month is not None:
            apart = np.abs(months - category.peak_month)
            season[:, column] = 1.6 * np.exp(-(np.minimum(apart, 12 - apart) ** 2) / 2.0) - 0.5
    return season


def draw(rng: np.random.Generator, odds: NDArray[np.float64]) -> NDArray[np.int64]:
    """One column of each row, with probability in proportion to exp(odds): int64 [n_rows]."""
    peak = odds.max(axis=1, keepdims=True)
    cumulative = np.cumsum(np.exp(odds - np.where(np.isfinite(peak), peak, 0.0)), axis=1)
    sought = rng.random(len(odds)) * cumulative[:, -1]
    passed: NDArray[np.int64] = (cumulative <= sought[:, None]).sum(axis=1)
    return np.minimum(passed, odds.shape[1] - 1)
