"""Shops that are hard to begin with, made from a seed: small, old, with few users, or with the same favourites."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainer.shop_data import event_files
from trainer.shop_data.shop import Shop

START = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = datetime(2026, 11, 28, tzinfo=UTC)


def small_shop(*, n_users: int = 800, n_items: int = 300, n_events: int = 13_630, seed: int = 0) -> Shop:
    """Six tastes; of its own taste a user takes four events of five, the first items of a taste most often."""
    rng = np.random.default_rng(seed)
    user = rng.integers(n_users, size=n_events)
    taste = np.where(rng.random(n_events) < 0.8, user % 6, rng.integers(6, size=n_events))
    item = taste + 6 * (n_items // 6 * rng.random(n_events) ** 2).astype(np.int64)
    return _shop(user, item, START + timedelta(days=120) * np.sort(rng.random(n_events)))


def aged_shop(*, seed: int = 0) -> Shop:
    """The small shop fifteen years ago, and seven events of today by seven of its users."""
    old = small_shop(seed=seed)
    long_ago = old.events.with_columns(pl.col("timestamp").dt.offset_by("-15y"))
    live = old.events.head(7).with_columns(
        timestamp=pl.Series([TODAY + timedelta(minutes=n) for n in range(7)]).dt.cast_time_unit("us"),
        item_id=pl.Series([f"i{n:04}" for n in range(100, 107)]),
    )
    return Shop(pl.concat([long_ago, live]), old.catalogue, old.weights)


def shop_without_times(*, seed: int = 0) -> Shop:
    """The small shop, but nobody noted when: all of it has one date."""
    noted = small_shop(seed=seed)
    return Shop(noted.events.with_columns(timestamp=noted.events["timestamp"].min()), noted.catalogue, noted.weights)


def grocer(*, n_users: int = 300, n_items: int = 160, seed: int = 0) -> Shop:
    """Dense baskets of what everybody buys: nobody has a taste, the best list is the popular one."""
    rng = np.random.default_rng(seed)
    favour = 1 / np.arange(1, n_items + 1) ** 0.8
    baskets = [rng.choice(n_items, size=40, replace=False, p=favour / favour.sum()) for _ in range(n_users)]
    user = np.repeat(np.arange(n_users), 40)
    days = rng.permutation(len(user)) / len(user)
    return _shop(user, np.concatenate(baskets), START + timedelta(days=120) * days)


def pairs_of_items(*, n_users: int = 1_500, n_items: int = 160, n_events: int = 18_000, seed: int = 0) -> Shop:
    """Popular items, and after two of five purchases the one item that goes with it: pairs, and nobody has a taste."""
    rng = np.random.default_rng(seed)
    favour = 1 / np.arange(1, n_items + 1) ** 0.9
    user = np.sort(rng.integers(n_users, size=n_events))
    item = rng.choice(n_items, size=n_events, p=favour / favour.sum())
    goes_with = rng.permutation(n_items)
    follows = (np.diff(user, prepend=-1) == 0) & (rng.random(n_events) < 0.4)
    for at in np.flatnonzero(follows):  # in order: what follows may be followed
        item[at] = goes_with[item[at - 1]]
    position = np.arange(n_events) - np.searchsorted(user, user)
    of_user = rng.random(n_users)[user] * 60  # days before the user's first purchase
    days = of_user + 60 * position / np.bincount(user)[user]
    order = np.argsort(days, kind="stable")
    return _shop(user[order], item[order], START + timedelta(days=1) * days[order])


def what_comes_next(*, n_users: int = 700, n_items: int = 120, n_events: int = 7_000, seed: int = 0) -> Shop:
    """After four of five purchases the one item that comes after it: order says nearly all, and nobody has a taste."""
    rng = np.random.default_rng(seed)
    user = np.sort(rng.integers(n_users, size=n_events))
    item = rng.integers(n_items, size=n_events)
    round_trip = rng.permutation(n_items)
    after = np.empty(n_items, np.int64)
    after[round_trip] = np.roll(round_trip, -1)
    follows = (np.diff(user, prepend=-1) == 0) & (rng.random(n_events) < 0.8)
    for at in np.flatnonzero(follows):
        item[at] = after[item[at - 1]]
    position = np.arange(n_events) - np.searchsorted(user, user)
    days = rng.random(n_users)[user] * 30 + 90 * position / np.bincount(user, minlength=n_users)[user]
    order = np.argsort(days, kind="stable")
    return _shop(user[order], item[order], START + timedelta(days=1) * days[order])


def ten_users(*, seed: int = 0) -> Shop:
    """Ten users with ten events each."""
    return small_shop(n_users=10, n_items=60, n_events=100, seed=seed)


def empty_shop() -> Shop:
    """No event and no item."""
    shop = ten_users()
    return Shop(shop.events.head(0), shop.catalogue.head(0), shop.weights)


def _shop(user: NDArray[np.int64], item: NDArray[np.int64], moments: NDArray[np.object_]) -> Shop:
    frame = pl.DataFrame(
        {
            "user_id": [f"u{number:04}" for number in user],
            "item_id": [f"i{number:04}" for number in item],
            "event_type": "purchase",
            "timestamp": moments.tolist(),
            "quantity": 1.0,
            "value": None,
        }
    ).cast(event_files.SCHEMA)
    ids = frame["item_id"].unique().sort()
    catalogue = pl.DataFrame({"item_id": ids, "title": ids, "available": True}).with_columns(
        pl.lit(None, pl.String).alias("category"),
        pl.lit(None, pl.Float64).alias("price"),
        pl.lit(None, pl.String).alias("image_url"),
    )
    return Shop(frame.sort("timestamp"), catalogue, {"view": 1.0, "purchase": 5.0})
