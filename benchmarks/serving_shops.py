"""The shops under load: a plain one, in which nothing happens, and one that lives. Same model volume, same users.

The living shop, by its seed always the same but for the time at which it was made:

- 3 % of the items are off sale, 1 % are new: the model does not know them;
- a tenth of the users have 1 to 50 live events, most of them few; one in twenty of these users is new to the model;
  of the events 5 % are with new items, 1 % with items that nobody knows; what trends follows from them;
- an experiment runs with two arms; two rules hold for every list, a boost of a category and a pin;
- one request in ten has a filter: a category, or a price.

It is made once, and kept beside the volume in `.bench/`; each system under load works with a copy of the store.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import serving_volume
from benchmarks.load import Requests
from recsys.feature_store.interface import Event, FeatureStore, Subject
from recsys.feature_store.opening import open_store
from recsys.shop.events import DEFAULT_WEIGHTS
from recsys.shop.item import ItemChange, JsonScalar

OFF_SALE: Final = 0.03  # of the items
NEW: Final = 0.01  # of the items
ACTIVE: Final = 0.1  # of the users
NEW_USERS: Final = 0.05  # of the active ones
MOST_EVENTS: Final = 50
EXPERIMENT: Final = "more-popular"
PINNED: Final = serving_volume.item_id(0)
_ON_NEW_ITEMS, _ON_NO_ITEMS = 0.05, 0.01  # of the events
_FILTERED: Final = 0.1  # of the requests
_DAYS: Final = 3.0  # in which the events happened
_AT_ONCE: Final = 20_000  # events or items in one write
_TYPES: Final = ("view", "cart", "purchase")
_MADE_AS: Final = 2  # higher when the shop is made in another way: those in `.bench/` are not used then

_RULES: Final = f"""rules:
  - {{name: sale, category: {serving_volume.category(7)}, boost: 1.5}}
  - {{name: voucher, item_id: {PINNED}, pin_position: 3}}
"""
_EXPERIMENTS: Final = f"""experiments:
  - name: {EXPERIMENT}
    arms:
      - {{name: control, share: 0.5}}
      - {{name: popular, share: 0.5, blend: {{personal: 1.0, popularity: 0.3}}}}
"""


@dataclass(frozen=True)
class Shop:
    """What a system serves, and what it is asked."""

    name: str
    volume: Path
    requests: Requests
    store: Path | None = None  # of the feature store; none: an empty one
    settings: Mapping[str, str] = field(default_factory=dict)  # of the processes

    def settings_in(self, folder: Path) -> dict[str, str]:
        """The settings of a system whose store is a copy of its own, in this folder."""
        path = folder / "features.db"
        if self.store is not None:
            shutil.copyfile(self.store, path)
        services = ("CANDIDATE_GEN", "RERANKER", "GATEWAY")
        return {**self.settings, **{f"{service}_FEATURE_STORE_URL": f"sqlite://{path}" for service in services}}


def plain(*, n_items: int, n_users: int, folder: Path = serving_volume.BENCH) -> Shop:
    """Nothing but the model: nobody did anything since, and nothing changed."""
    volume = serving_volume.volume_of(n_items=n_items, n_users=n_users, folder=folder)
    return Shop("plain", volume, Requests(users=n_users))


def living(*, n_items: int, n_users: int, folder: Path = serving_volume.BENCH) -> Shop:
    """The shop that lives; made where it is not there yet."""
    volume = serving_volume.volume_of(n_items=n_items, n_users=n_users, folder=folder)
    kept = volume.with_name(f"{volume.name}-living{_MADE_AS}")
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            asyncio.run(_fill(Path(made) / "features.db", n_items=n_items, n_users=n_users))
            (Path(made) / "rules.yaml").write_text(_RULES)
            (Path(made) / "experiments.yaml").write_text(_EXPERIMENTS)
            shutil.copytree(made, kept)
    requests = Requests(
        users=n_users + _count_of_new_users(n_users), filtered=_FILTERED, categories=serving_volume.CATEGORIES
    )
    settings = {
        "GATEWAY_RULES_FILE": str(kept / "rules.yaml"),
        "GATEWAY_EXPERIMENTS_FILE": str(kept / "experiments.yaml"),
    }
    return Shop("living", volume, requests, kept / "features.db", settings)


def new_item_id(number: int) -> str:
    """An item that the shop has put there since the training."""
    return f"n{number:08d}"


async def _fill(path: Path, *, n_items: int, n_users: int) -> None:
    rng, now_ms = np.random.default_rng(1), int(time.time() * 1000)
    store = open_store(f"sqlite://{path}")
    changes, events = _changes(rng, n_items=n_items), _events(rng, n_items=n_items, n_users=n_users, now_ms=now_ms)
    try:
        for start in range(0, len(changes), _AT_ONCE):
            await store.change_items(changes[start : start + _AT_ONCE], now_ms=now_ms)
        await _append(store, events, now_ms=now_ms)
    finally:
        await store.close()


def _changes(rng: np.random.Generator, *, n_items: int) -> list[ItemChange]:
    """As the API would tell the store: items off sale, then new ones."""
    off_sale = rng.choice(np.arange(1, n_items), round(n_items * OFF_SALE), replace=False)  # not the pinned one
    categories, prices = rng.integers(serving_volume.CATEGORIES, size=n_items), rng.lognormal(2, 1, n_items)
    new: list[dict[str, JsonScalar]] = [
        {
            "title": f"New item number {number}, with a title of usual length",
            "category": serving_volume.category(categories[number]),
            "price": float(prices[number]),
        }
        for number in range(_count_of_new_items(n_items))
    ]
    return [
        *(ItemChange(serving_volume.item_id(row), "patch", {"available": False}) for row in off_sale.tolist()),
        *(ItemChange(new_item_id(number), "put", fields) for number, fields in enumerate(new)),
    ]


def _events(rng: np.random.Generator, *, n_items: int, n_users: int, now_ms: int) -> Iterator[Event]:
    """Of one user after the other. How many each has is spread evenly over the magnitudes from 1 to 50."""
    n_active, n_new = round(n_users * ACTIVE), _count_of_new_users(n_users)
    known = np.sort(rng.choice(n_users, n_active - n_new, replace=False))
    counts = (MOST_EVENTS + 1) ** rng.random(n_active)
    users = np.repeat(np.concatenate([known, np.arange(n_users, n_users + n_new)]), counts.astype(np.int64))
    rows = (n_items * rng.random(len(users)) ** 3).astype(np.int64)  # some items are looked at more than others
    news = rng.integers(_count_of_new_items(n_items), size=len(users))
    kinds, ages_ms = rng.random(len(users)), (rng.random(len(users)) * _DAYS * 86_400_000).astype(np.int64)
    types = rng.choice(len(_TYPES), len(users), p=(0.9, 0.07, 0.03))
    columns = (column.tolist() for column in (users, rows, news, kinds, types, ages_ms))
    for number, (user, row, new, kind, event_type, age_ms) in enumerate(zip(*columns, strict=True)):
        if kind < _ON_NO_ITEMS:
            item_id = f"nobody-knows-{row}"
        elif kind < _ON_NO_ITEMS + _ON_NEW_ITEMS:
            item_id = new_item_id(new)
        else:
            item_id = serving_volume.item_id(row)
        yield Event(
            event_id=f"event-{number}",
            subject=Subject("user", serving_volume.user_id(user)),
            item_id=item_id,
            event_type=_TYPES[event_type],
            unix_ms=now_ms - age_ms,
            weight=DEFAULT_WEIGHTS[_TYPES[event_type]],
        )


async def _append(store: FeatureStore, events: Iterator[Event], *, now_ms: int) -> None:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == _AT_ONCE:
            await store.append(batch, now_ms=now_ms)
            batch = []
    await store.append(batch, now_ms=now_ms)


def _count_of_new_items(n_items: int) -> int:
    return round(n_items * NEW)


def _count_of_new_users(n_users: int) -> int:
    return round(n_users * ACTIVE * NEW_USERS)
