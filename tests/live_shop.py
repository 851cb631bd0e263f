"""A shop's live state without a store: what a follower would have read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.feature_store.follower import LiveState
from recsys.feature_store.interface import TrendingItem
from recsys.shop.item import ItemRecord, JsonScalar


@dataclass(frozen=True)
class Did:
    """Something that somebody did, as the wire and the store tell it."""

    item_id: str
    event_type: str = "purchase"
    sequence: int = 1
    unix_s: int = 0


def record(
    item_id: str, *, is_whole: bool = False, is_deleted: bool = False, created_ms: int = 1, **fields: JsonScalar
) -> ItemRecord:
    """What the shop changed of an item; `attributes__colour` stands for the field `attributes.colour`."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return ItemRecord(
        item_id=item_id,
        sequence=1,
        is_whole=is_whole,
        is_deleted=is_deleted,
        fields=named,
        created_ms=created_ms,
        updated_ms=created_ms,
    )


def change(live: LiveState, *records: ItemRecord) -> None:
    """Let the shop change items, as a follower tells it."""
    live.change_items({each.item_id: each for each in records})


def erase(live: LiveState, user_id: str, *, sequence: int = 1_000_000) -> None:
    """Let a user be forgotten, at a place of the stream: behind what any version was trained on."""
    live.erased = {**live.erased, hashlib.sha256(user_id.encode()).hexdigest(): sequence}


def set_trending(live: LiveState, weights: Mapping[str, float]) -> None:
    """What is trending over a day, the heaviest first."""
    listed: Sequence[TrendingItem] = [TrendingItem(item_id, weight) for item_id, weight in weights.items()]
    live.replace_trending(sorted(listed, key=lambda each: (-each.weight, each.item_id)))
