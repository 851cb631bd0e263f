"""A believable shop out of a seed: events and catalogue, for a first run that needs no file and no download.

People differ in activity, in the styles, shelves, series and prices they like, and their tastes drift. A visit has a
theme; what is looked at in it depends on taste, on the item's long-tailed appeal and fashion, on the season and on
what is on sale that day. Some of what is looked at goes into the cart, some of that is bought, some of that comes back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainer import demo_catalogue, demo_visits, events
from trainer.demo_catalogue import CATEGORIES, Assortment
from trainer.demo_visits import DAY_S, PERIOD_DAYS, TASTE, Customers, Visits, draw, drifting
from trainer.mapping import REMOVE

END = datetime(2026, 7, 1, tzinfo=UTC)  # the last event is before it
_MEAN_VIEWS = 6.0  # of a visit
_OFF_THEME = 0.25  # views on a companion shelf of the visit's own
_CART, _BUY, _RETURN = 0.2, 0.5, 0.03  # chances of a view, of a cart, of a purchase

# How much each thing counts in the choice of an item, on the scale of log odds.
_LOYALTY, _PRICE, _VISIT_STYLE = 1.3, 0.5, 1.0


@dataclass(frozen=True)
class _Views:
    visit: NDArray[np.int64]  # every array is [n_views]; sorted
    item: NDArray[np.int64]
    at_s: NDArray[np.int64]


def generate(
    *, seed: int = 0, users: int = 5_000, items: int = 2_000, days: int = 365, end: datetime = END
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events in the columns of `events.SCHEMA` by time, and the catalogue in those of `catalogue.SCHEMA` by item id.

    The same arguments give the same tables on every machine. `end` is the midnight after the last day.
    """
    assortment = demo_catalogue.assortment(seed=seed, items=items, days=days)
    rng = np.random.default_rng([seed, 2])
    first_day = end - timedelta(days=days)
    calendar = [first_day + timedelta(days=day) for day in range(days)]
    customers = demo_visits.draw_customers(rng, users=users, days=days)
    visits = demo_visits.draw_visits(rng, customers, calendar)
    views = _views(rng, assortment, customers, visits, days=days)
    # A return after the last day has not happened yet.
    table = _funnel(rng, assortment, customers, visits, views).filter(pl.col("at_s") < days * DAY_S)
    frame = table.select(
        user_id=pl.format("user-{}", pl.col("user").add(1).cast(pl.String).str.zfill(5)),
        item_id=pl.Series(assortment.item_ids).gather(table["item"]),
        event_type=pl.col("event_type").cast(pl.Categorical),
        timestamp=pl.lit(first_day).cast(pl.Datetime("us", "UTC")) + pl.duration(seconds="at_s"),
        quantity="quantity",
        value="value",
    )
    return frame.sort("timestamp", maintain_order=True).cast(events.SCHEMA), assortment.frame(days=days)


def write(directory: Path) -> list[Path]:
    """Write the demo shop into `events.parquet` and `catalogue.parquet` of a directory; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / "events.parquet", directory / "catalogue.parquet"]
    for path, table in zip(paths, generate(), strict=True):
        table.write_parquet(path)
    return paths


def _views(
    rng: np.random.Generator, assortment: Assortment, customers: Customers, visits: Visits, *, days: int
) -> _Views:
    """Which items are looked at, each once a visit."""
    counts = np.minimum(rng.geometric(1 / _MEAN_VIEWS, size=len(visits.user)), 20)
    visit = np.repeat(np.arange(len(counts)), counts)
    names = [category.name for category in CATEGORIES]
    companions = np.array([[names.index(name) for name in category.companions] for category in CATEGORIES])
    shelf = np.where(
        rng.random(len(visit)) < _OFF_THEME,
        companions[visits.shelf[visit], rng.integers(companions.shape[1], size=len(visit))],
        visits.shelf[visit],
    )
    fashion = assortment.appeal + 0.5 * drifting(rng, (days // PERIOD_DAYS + 1, len(assortment.appeal)), keeps=0.8)
    item = np.full(len(visit), -1)
    for category in range(len(CATEGORIES)):
        on_shelf = np.flatnonzero(assortment.category == category)
        rows = np.flatnonzero(shelf == category)
        if len(on_shelf):
            odds = _odds(assortment, customers, visits, fashion, visit=visit[rows], items=on_shelf)
            drawn = draw(rng, odds)
            item[rows] = np.where(np.isfinite(odds).any(axis=1), on_shelf[drawn], -1)
    visit, item = visit[item >= 0], item[item >= 0]  # some shelves were empty that day
    _, first = np.unique(visit * len(assortment.appeal) + item, return_index=True)
    first.sort()
    visit, item = visit[first], item[first]
    place = np.arange(len(visit)) - np.searchsorted(visit, visit)
    return _Views(visit, item, visits.start_s[visit] + 75 * place + rng.integers(60, size=len(visit)))


def _odds(
    assortment: Assortment,
    customers: Customers,
    visits: Visits,
    fashion: NDArray[np.float64],
    *,
    visit: NDArray[np.int64],
    items: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Log odds of each item of a shelf for each view: float64 [len(visit), len(items)]; −inf where not on sale."""
    user, day = visits.user[visit], visits.start_s[visit] // DAY_S
    period = day // PERIOD_DAYS
    style = assortment.style[items]
    odds = fashion[period][:, items]
    odds += TASTE * customers.styles[period, user][:, style]
    odds += _LOYALTY * customers.loyalty[user][:, assortment.series[items]]
    odds -= _PRICE * (customers.price_level[user, None] - assortment.price_level[items]) ** 2
    odds += _VISIT_STYLE * (visits.style[visit, None] == style)
    launch = assortment.launch_day[items]
    age = day[:, None] - launch
    odds += np.where(launch > 0, np.exp(-np.maximum(age, 0) / 30.0), 0.0)  # new things draw looks
    odds[(age < 0) | (day[:, None] >= assortment.end_day[items])] = -np.inf
    return odds


def _funnel(
    rng: np.random.Generator, assortment: Assortment, customers: Customers, visits: Visits, views: _Views
) -> pl.DataFrame:
    """Views and what became of them, one row an event: user, item, at_s, event_type, quantity, value."""
    user = visits.user[views.visit]
    carted = np.flatnonzero(rng.random(len(user)) < _CART * customers.eagerness[user])
    bought = carted[rng.random(len(carted)) < _BUY]
    quantity = np.minimum(rng.geometric(0.75, size=len(bought)), 6).astype(np.float64)
    returned = rng.random(len(bought)) < _RETURN
    last_view = np.zeros(len(visits.user), dtype=np.int64)
    np.maximum.at(last_view, views.visit, views.at_s)
    checkout = last_view[views.visit[bought]] + 240
    back = checkout[returned] + rng.integers(3 * DAY_S, 15 * DAY_S, size=int(returned.sum()))

    def rows(event_type: str, which: NDArray[np.int64], at_s: NDArray[np.int64]) -> pl.DataFrame:
        columns = {"user": user[which], "item": views.item[which], "at_s": at_s}
        return pl.DataFrame(columns).with_columns(event_type=pl.lit(event_type))

    value = np.round(quantity * assortment.price[views.item[bought]], 2)
    return pl.concat(
        [
            rows("view", np.arange(len(user)), views.at_s),
            rows("cart", carted, views.at_s[carted] + rng.integers(10, 60, size=len(carted))),
            rows("purchase", bought, checkout).with_columns(quantity=pl.Series(quantity), value=pl.Series(value)),
            rows(REMOVE, bought[returned], back).with_columns(quantity=pl.Series(quantity[returned])),
        ],
        how="diagonal",
    )
