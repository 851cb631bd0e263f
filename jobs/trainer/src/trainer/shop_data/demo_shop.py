"""A believable shop out of a seed: no file, no download, the same events on every machine.

Every shopper has a taste over departments and styles that drifts with time; departments have their season; a few items
sell much more than the rest; items are launched and discontinued. Shoppers come in sessions: they look at several items
of one department, put some in the cart and buy some of those. docs/demo-data.md says how hard it is to predict.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.errors import DataError
from trainer.shop_data.demo_catalogue import ADJECTIVES, CATEGORIES, SERIES

END: Final = datetime(2026, 6, 30, tzinfo=UTC)
_TASTE_DIM: Final = 12
_DAY_US: Final = 86_400_000_000
_DRAWS_AT_ONCE: Final = 8_192  # views whose items are drawn in one block, to bound memory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Items:
    category: Ints  # [n_items]
    style: Ints  # [n_items]
    appeal: Floats  # [n_items] logarithm of how often an item sells to somebody without a taste
    vector: Floats  # [n_items, _TASTE_DIM]
    price: Floats  # [n_items]
    launch_day: Ints  # [n_items]
    last_day: Ints  # [n_items]; days for those still on sale


@dataclass(frozen=True)
class _Sessions:
    user: Ints  # [n_sessions]
    day: Ints
    start_us: Ints  # microseconds since day 0
    category: Ints


def generate(
    *, seed: int = 0, users: int = 5_000, items: int = 2_000, days: int = 365, end: datetime = END
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events as `LoadedEvents.frame` and a catalogue as `LoadedEvents.catalogue`, of the `days` before `end`.

    About 80 events a user.
    """
    rng = np.random.default_rng(seed)
    shelf = _items(rng, items, days)
    taste = rng.standard_normal((users, _TASTE_DIM))
    drift = rng.standard_normal((users, _TASTE_DIM))
    sessions = _sessions(rng, taste, days=days, end=end)
    views = np.minimum(1 + rng.geometric(0.22, size=len(sessions.user)), 15)
    of_session = np.repeat(np.arange(len(sessions.user)), views)
    user, day = sessions.user[of_session], sessions.day[of_session]
    taste_then = taste[user] + drift[user] * (day / days)[:, None]
    item, affinity = _draw_items(rng, shelf, taste_then, sessions.category[of_session], day)
    step = np.arange(len(of_session)) - np.repeat(np.cumsum(views) - views, views)
    at_us = sessions.start_us[of_session] + step * 45_000_000 + rng.integers(0, 30_000_000, size=len(step))
    frame = _funnel(rng, user, item, at_us, affinity, price=shelf.price, begin=end.timestamp() * 1e6 - days * _DAY_US)
    return frame, _catalogue(shelf, days=days)


def write(directory: Path, *, seed: int = 0) -> list[Path]:
    """Write the default shop as events.parquet and catalogue.parquet. Raises: OSError, DataError."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / "events.parquet", directory / "catalogue.parquet"]
    for frame, path in zip(generate(seed=seed), paths, strict=True):
        try:
            frame.write_parquet(path)
        except pl.exceptions.PolarsError as error:  # polars tells of a full disk in its own words
            raise DataError(f"{path}: cannot be written: {error}") from error
    return paths


def _items(rng: np.random.Generator, count: int, days: int) -> _Items:
    category = rng.integers(len(CATEGORIES), size=count)
    style = rng.integers(len(ADJECTIVES), size=count)
    of_category = rng.standard_normal((len(CATEGORIES), _TASTE_DIM))
    of_style = rng.standard_normal((len(ADJECTIVES), _TASTE_DIM))
    vector = 0.7 * of_category[category] + 1.0 * of_style[style] + 0.8 * rng.standard_normal((count, _TASTE_DIM))
    launch_day = np.where(rng.random(count) < 0.3, rng.integers(0, days, size=count), 0)
    discontinued = (rng.random(count) < 0.1) & (launch_day == 0)
    medians = np.array([one.median_price for one in CATEGORIES])[category]
    return _Items(
        category=category,
        style=style,
        appeal=-0.75 * np.log(1 + rng.permutation(count)),  # Zipf
        vector=vector / np.sqrt(_TASTE_DIM),
        price=np.round(medians * rng.lognormal(0, 0.45, size=count) - 0.05, 1) + 0.05,
        launch_day=launch_day,
        last_day=np.where(discontinued, rng.integers(days // 2, days, size=count), days),
    )


def _sessions(rng: np.random.Generator, taste: Floats, *, days: int, end: datetime) -> _Sessions:
    """Visits: how often is long-tailed, when follows the hours of the day, where follows taste and season."""
    counts = np.minimum(1 + rng.lognormal(1.7, 0.9, size=len(taste)).astype(np.int64), 150)
    user = np.repeat(np.arange(len(taste)), counts)
    day = rng.integers(days, size=len(user))
    hour = np.clip(rng.normal(15, 4, size=len(user)), 0, 23.5)
    start_us = day * _DAY_US + (hour * 3_600_000_000).astype(np.int64)
    loyalty = rng.gumbel(size=(len(taste), len(CATEGORIES))) * 1.5  # everybody has departments of their own
    month_of_day = (np.datetime64(end.date()) - days + np.arange(days)).astype("datetime64[M]").astype(int) % 12 + 1
    peaks = np.array([one.peak_month for one in CATEGORIES])
    distance = np.abs(month_of_day[:, None] - peaks)
    season = 1.2 * np.cos(np.pi * np.minimum(distance, 12 - distance) / 6)
    category = (loyalty[user] + season[day] + rng.gumbel(size=(len(user), len(CATEGORIES)))).argmax(axis=1)
    return _Sessions(user=user, day=day, start_us=start_us, category=category)


def _draw_items(
    rng: np.random.Generator, shelf: _Items, taste: Floats, category: Ints, day: Ints
) -> tuple[Ints, Floats]:
    """An item of the category on sale that day for each view, by appeal and taste, and the taste for it."""
    item = np.zeros(len(category), dtype=np.int64)
    affinity = np.zeros(len(category))
    for number in range(len(CATEGORIES)):
        members = np.flatnonzero(shelf.category == number)
        views = np.flatnonzero(category == number)
        for start in range(0, len(views), _DRAWS_AT_ONCE):
            block = views[start : start + _DRAWS_AT_ONCE]
            liked = taste[block] @ shelf.vector[members].T
            age = day[block, None] - shelf.launch_day[members]
            on_sale = (age >= 0) & (day[block, None] < shelf.last_day[members])
            novelty = 1.5 * np.exp(-np.maximum(age, 0) / 20) * (shelf.launch_day[members] > 0)
            utility = shelf.appeal[members] + 2.2 * liked + novelty + rng.gumbel(size=liked.shape)
            chosen = np.where(on_sale, utility, -np.inf).argmax(axis=1)
            item[block] = members[chosen]
            affinity[block] = liked[np.arange(len(block)), chosen]
    return item, affinity


def _funnel(
    rng: np.random.Generator, user: Ints, item: Ints, at_us: Ints, affinity: Floats, *, price: Floats, begin: float
) -> pl.DataFrame:
    """Views, and after some of them a cart, and after some of those a purchase."""
    likes = 1 / (1 + np.exp(-affinity))
    carted = rng.random(len(user)) < 0.45 * likes
    bought = carted & (rng.random(len(user)) < 0.55)
    quantity = rng.geometric(0.8, size=len(user)).astype(np.float64)
    parts = [("view", np.ones(len(user), bool), 0), ("cart", carted, 15_000_000), ("purchase", bought, 600_000_000)]
    frames = [
        pl.DataFrame(
            {
                "user_id": user[chosen],
                "item_id": item[chosen],
                "event_type": pl.Series([name], dtype=pl.String).new_from_index(0, int(chosen.sum())),
                "timestamp": (int(begin) + at_us[chosen] + after_us).astype("datetime64[us]"),
                "quantity": quantity[chosen] if name == "purchase" else np.ones(int(chosen.sum())),
                "value": price[item[chosen]] if name == "purchase" else np.nan,
            }
        )
        for name, chosen, after_us in parts
    ]
    return (
        pl.concat(frames)
        .with_columns(
            pl.format("u{}", pl.col("user_id").cast(pl.String).str.zfill(5)).alias("user_id"),
            _item_id(pl.col("item_id")),
            pl.col("event_type").cast(pl.Categorical),
            pl.col("timestamp").dt.replace_time_zone("UTC"),
            pl.col("value").fill_nan(None),
        )
        .sort("timestamp", "user_id", "item_id", maintain_order=True)
    )


def _catalogue(shelf: _Items, *, days: int) -> pl.DataFrame:
    titles, materials = [], []
    seen: dict[str, int] = {}
    for number, (category, style) in enumerate(zip(shelf.category, shelf.style, strict=True)):
        words = CATEGORIES[category]
        product = words.products[number % len(words.products)]
        material = words.materials[(number // 4) % len(words.materials)]
        title = f"{ADJECTIVES[style]} {material} {product} “{SERIES[(number // 12) % len(SERIES)]}”"
        seen[title] = seen.get(title, 0) + 1
        materials.append(material)
        titles.append(title if seen[title] == 1 else f"{title} No. {seen[title]}")
    numbers = pl.DataFrame({"item_id": np.arange(len(titles))})
    return numbers.select(
        _item_id(pl.col("item_id")),
        pl.Series("title", titles),
        pl.Series("category", [CATEGORIES[category].name for category in shelf.category]),
        pl.Series("price", np.round(shelf.price, 2)),
        pl.lit(None, dtype=pl.String).alias("image_url"),
        pl.Series("available", shelf.last_day >= days),
        pl.Series("attr:material", materials),
        pl.Series("attr:style", [ADJECTIVES[style] for style in shelf.style]),
    )


def _item_id(number: pl.Expr) -> pl.Expr:
    return pl.format("{}", number.cast(pl.String).str.zfill(5)).alias("item_id")
