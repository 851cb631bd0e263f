"""The shop behind `FakeGateway`: items, events, sessions and lists, as JSON, in memory.

It keeps what the API promises of them, but it has no model: lists are by popularity, then by id.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

VERSION: Final = "fake"
_FIELDS: Final = {"title": None, "category": None, "price": None, "image_url": None, "available": True}
_WEIGHTS: Final = {"view": 1.0, "cart": 3.0, "purchase": 5.0, "remove": 0.0}
_REMOVE: Final = "remove"

Json = dict[str, Any]


class FakeProblemError(Exception):
    """An error to be answered."""

    def __init__(self, status: int, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


@dataclass(frozen=True)
class Exposure:
    """A list that was given to somebody, and was not a preview."""

    list_id: str
    user_id: str | None
    session_id: str | None
    item_ids: tuple[str, ...]


@dataclass
class FakeShop:
    """All of its state; the order of the events is that of their arrival."""

    items: dict[str, Json] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=lambda: dict(_WEIGHTS))
    user_of_session: dict[str, str] = field(default_factory=dict)
    erasures: dict[str, Json] = field(default_factory=dict)

    # items

    def change_items(self, changes: Iterable[Json]) -> Json:
        """In order, all or none."""
        items = dict(self.items)
        done = []
        for change in changes:
            item_id = change["item_id"]
            given = {name: value for name, value in change.items() if name in _FIELDS}
            attributes = change.get("attributes", {})
            if change["op"] == "delete":
                items.pop(item_id, None)
            elif change["op"] == "put":
                items[item_id] = {"item_id": item_id, **_FIELDS, **given, "attributes": dict(attributes)}
            elif item_id in items:
                merged = items[item_id]["attributes"] | attributes
                kept = {name: value for name, value in merged.items() if value is not None}
                items[item_id] = items[item_id] | given | {"attributes": kept}
            else:
                raise FakeProblemError(404, f"nothing was changed: no item {item_id!r} to patch; a put creates it")
            done.append({"item_id": item_id, "deleted": change["op"] == "delete", "updated_at": _now()})
        self.items = items
        return {"changed": len(done), "items": done}

    def item(self, item_id: str) -> Json:
        """Raises: FakeProblemError 404."""
        if item_id not in self.items:
            raise FakeProblemError(404, f"no item {item_id!r} in the model")
        return self.items[item_id]

    # events

    def take_events(self, rows: list[Json]) -> Json:
        """Store the good rows. Raises: FakeProblemError 422, there is none."""
        reasons = [self._fault_of(row) for row in rows]
        rejected = [
            {"index": index, "event_id": row.get("event_id"), "reason": reason}
            for index, (row, reason) in enumerate(zip(rows, reasons, strict=True))
            if reason
        ]
        good = [row for row, reason in zip(rows, reasons, strict=True) if not reason]
        if not good:
            raise FakeProblemError(422, f"no event was stored: {reasons[0]}", rejected=rejected)
        duplicates = sum(not self._keep(row) for row in good)
        return {
            "accepted": len(good),
            "duplicates": duplicates,
            "rejected": rejected,
            "unknown_items": len({row["item_id"] for row in good} - self.items.keys()),
            "clock_skewed": 0,
            "event_ids": [row["event_id"] for row in good],
        }

    def merge(self, session_id: str, user_id: str) -> int:
        """How many events became the user's."""
        self.user_of_session[session_id] = user_id
        moved = [each for each in self.events if each["user_id"] is None and each["session_id"] == session_id]
        for each in moved:
            each["user_id"] = user_id
        return len(moved)

    def erase(self, user_id: str) -> Json:
        """Forget a user, and report it."""
        kept = [each for each in self.events if each["user_id"] != user_id]
        self.erasures[user_id] = {
            "user_hash": hashlib.sha256(user_id.encode()).hexdigest(),
            "erased_at": _now(),
            "store_entries": len(self.events) - len(kept),
            "lake_rows": None,
            "lake_erased_at": None,
            "model_is_newer": False,
            "artifact_version": VERSION,
        }
        self.events = kept
        self.user_of_session = {name: user for name, user in self.user_of_session.items() if user != user_id}
        return self.erasures[user_id]

    def _fault_of(self, row: Json) -> str:
        if row.get("user_id") is None and row.get("session_id") is None:
            return "give user_id, session_id or both"
        if row["type"] not in self.weights:
            return f"type: expected one of {', '.join(self.weights)}; found {row['type']!r}"
        if not row["item_id"]:
            return "item_id: String should have at least 1 character, found ''"
        quantity = row.get("quantity", 1)
        return "" if quantity >= 1 else f"quantity: Input should be greater than or equal to 1, found {quantity}"

    def _keep(self, row: Json) -> bool:
        """False: an event with this id is known already."""
        if any(each["event_id"] == row["event_id"] for each in self.events):
            return False
        user_id, session_id = row.get("user_id"), row.get("session_id")
        if user_id is not None and session_id is not None:
            self.merge(session_id, user_id)
        user_id = user_id or self.user_of_session.get(session_id or "")
        missing = dict.fromkeys(("value", "list_id", "position")) | {"quantity": 1}
        self.events.append(missing | row | {"user_id": user_id, "session_id": session_id, "at": _now()})
        return True

    # lists

    def seen_by(self, user_id: str | None, session_id: str | None) -> list[Json]:
        """Their events, most recent first, without removals and purchases of which these take back every piece."""
        user_id = user_id or self.user_of_session.get(session_id or "")
        name, value = ("session_id", session_id) if user_id is None else ("user_id", user_id)
        removals: Counter[str] = Counter()
        seen = []
        for each in reversed([each for each in self.events if value is not None and each[name] == value]):
            item_id, pieces = each["item_id"], each["quantity"]
            if each["type"] == _REMOVE:
                removals[item_id] += pieces
                continue
            taken_back = min(removals[item_id], pieces) if each["type"] == "purchase" else 0
            removals[item_id] -= taken_back
            if taken_back < pieces:
                seen.append(each)
        return seen

    def ranked(self, *, without: set[str], conditions: Mapping[str, Any], source: str) -> list[Json]:
        """Items on sale that pass a filter, the most popular first."""
        popularity: Counter[str] = Counter()
        for event in self.events:
            popularity[event["item_id"]] += int(self.weights[event["type"]] * 1000)
        eligible = [
            item
            for item_id, item in self.items.items()
            if item["available"] and item_id not in without and passes(item, conditions)
        ]
        return [
            item
            | {
                "score": popularity[item["item_id"]] / 1000,
                "sources": [source],
                "propensity": 1.0,
                "explanation": None,
            }
            for item in sorted(eligible, key=lambda item: (-popularity[item["item_id"]], item["item_id"]))
        ]

    def expose(self, item_ids: Iterable[str], *, user_id: str | None, session_id: str | None, preview: bool) -> str:
        """The id of a list that is given to somebody; it is logged, but for a preview."""
        list_id = uuid.uuid4().hex
        if not preview:
            self.exposures.append(Exposure(list_id, user_id, session_id, tuple(item_ids)))
        return list_id


def passes(item: Json, conditions: Mapping[str, Any]) -> bool:
    """Whether an item meets every condition of a filter."""
    categories, price = conditions.get("categories"), item["price"]
    least, most = conditions.get("min_price"), conditions.get("max_price")
    return (
        (not categories or item["category"] in categories)
        and item["category"] not in conditions.get("exclude_categories", ())
        and item["item_id"] not in conditions.get("exclude_item_ids", ())
        and (least is None or (price is not None and price >= least))
        and (most is None or (price is not None and price <= most))
        and conditions.get("attributes", {}).items() <= item["attributes"].items()
    )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()
