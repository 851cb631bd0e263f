"""The shop that is served: the trainer's demo shop, made small, and two catalogues of it that differ in every price.

A version is trained on each catalogue, so the prices in an answer tell of which version its items are.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from trainer.shop_data import demo_shop

RECIPE: Final = "recipe.json"
EVENTS: Final = "events.parquet"
CATALOGUE: Final = "catalogue.parquet"
DEARER_CATALOGUE: Final = "dearer.parquet"
_DEARER_BY: Final = 10_000.0
_OFF_SALE: Final = 5


@dataclass(frozen=True)
class Shop:
    """What the load asks for, and what an answer may hold."""

    users: list[str]
    items: list[str]  # on sale all the time
    categories: list[str]
    off_sale: frozenset[str]  # among the best sellers, and taken off sale before anything is asked
    category_of: dict[str, str]
    price_of: dict[str, float]

    def has_prices(self, items: list[dict[str, Any]], *, dearer: bool) -> bool:
        """Whether items, as the API shows them, have the prices of one version."""
        extra = _DEARER_BY if dearer else 0.0
        return all(_is(item["price"], self.price_of[item["item_id"]] + extra) for item in items)


def write(folder: Path) -> Shop:
    """Write events, both catalogues and a quick recipe into the folder."""
    events, catalogue = demo_shop.generate(users=500, items=300, days=120)
    events.write_parquet(folder / EVENTS)
    catalogue.write_parquet(folder / CATALOGUE)
    catalogue.with_columns(pl.col("price") + _DEARER_BY).write_parquet(folder / DEARER_CATALOGUE)
    (folder / RECIPE).write_text(json.dumps({"model": "als", "settings": {"dim": 32}}), encoding="utf-8")
    best_first = events["item_id"].value_counts().sort("count", "item_id", descending=True)["item_id"].to_list()
    on_sale = set(catalogue.filter(pl.col("available"))["item_id"])
    sold = [item_id for item_id in best_first if item_id in on_sale]
    return Shop(
        users=sorted(set(events["user_id"])),
        items=sorted(sold[_OFF_SALE:]),
        categories=sorted(set(catalogue["category"])),
        off_sale=frozenset(sold[:_OFF_SALE]),
        category_of=dict(zip(catalogue["item_id"], catalogue["category"], strict=True)),
        price_of=dict(zip(catalogue["item_id"], catalogue["price"], strict=True)),
    )


def _is(found: object, expected: float) -> bool:
    return isinstance(found, int | float) and abs(found - expected) < 0.005


@dataclass(frozen=True)
class Question:
    """One request of the load."""

    kind: str  # known, unknown, filtered, popular, similar, event
    method: str
    path: str
    body: dict[str, object] | None = None
    category: str | None = None  # that every item must have

    @property
    def is_event(self) -> bool:
        """An event is acknowledged; everything else gets a list."""
        return self.kind == "event"


def question(shop: Shop, number: int) -> Question:
    """The load's request of this number, always the same: half known users, and a tenth each of all else."""
    rng = random.Random(number)
    user, item, category = rng.choice(shop.users), rng.choice(shop.items), rng.choice(shop.categories)
    match number % 10:
        case 0:
            return Question("unknown", "GET", f"/v1/users/nobody-{number}/recommendations")
        case 1:
            body = {"user_id": user, "filter": {"categories": [category]}, "exclude_seen": False}
            return Question("filtered", "POST", "/v1/recommendations", body, category=category)
        case 2:
            return Question("popular", "GET", "/v1/items/popular")
        case 3:
            return Question("similar", "GET", f"/v1/items/{item}/similar")
        case 4:
            event: dict[str, object] = {"event_id": f"chaos-{number}", "user_id": user, "item_id": item, "type": "view"}
            return Question("event", "POST", "/v1/events", event)
        case _:
            return Question("known", "GET", f"/v1/users/{user}/recommendations")
