"""The use-cases of a history: what the model was trained on and what happened since, each item once, latest first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import schemas
from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.requests import MAX_COUNT
from gateway.settings import Settings
from gateway.shop.items import as_now, item_json
from gateway.shop.live_shop import LiveShop
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Profile, RecentEvent, Subject
from recsys.shop.events import PURCHASE, REMOVE
from recsys.v1.item_pb2 import Item
from recsys.v1.user_service_pb2 import GetHistoryResponse, HistoryItem


@dataclass(frozen=True)
class _SeenItem:
    """An item by its last event."""

    item_id: str
    event_type: str
    at: datetime


async def of_user(user_id: str, *, count: int, live: LiveShop, clients: Clients, settings: Settings) -> schemas.History:
    """The latest `count` items, as the catalogue describes them. Somebody unknown has none."""
    deadline = Deadline.after(settings.timeout_s)
    profile = await _profile(Subject("user", user_id), live=live, settings=settings)
    recent = _kept(profile.recent) if profile else []
    seen = frozenset[str]().union(*profile.seen.values()) if profile else frozenset[str]()
    trained = await _trained(
        user_id, profile, count=count, live_item_ids=sorted(seen), live=live, clients=clients, deadline=deadline
    )
    latest = _merged(recent, trained.items)[:count]
    found = await clients.reranker.get_items([each.item_id for each in latest], timeout_s=deadline.remaining_s())
    described = {item.item_id: item for item in found.items}
    return schemas.History(
        artifact_version=trained.artifact_version,
        user_known=trained.user_known or bool(seen),
        total=trained.total + len(seen) - trained.known_live_items,
        items=[_described(described.get(each.item_id) or Item(item_id=each.item_id), each) for each in latest],
        degraded=profile is None,
    )


async def viewed(
    subject: Subject, *, event_type: str, count: int, live: LiveShop, clients: Clients, settings: Settings
) -> schemas.RecentlyViewed:
    """The latest `count` items that somebody looked at and that are on sale, as the catalogue describes them.

    What a training knew of a user counts where the last event with the item was one of the type. Somebody unknown has
    none.
    """
    deadline = Deadline.after(settings.timeout_s)
    profile = await _profile(subject, live=live, settings=settings)
    views = [event for event in profile.recent if event.event_type == event_type] if profile else []
    somebody = profile.subject if profile else subject  # a session that was merged is its user's
    trained: list[HistoryItem] = []
    if somebody.kind == "user":
        known = await _trained(
            somebody.id, profile, count=MAX_COUNT, live_item_ids=(), live=live, clients=clients, deadline=deadline
        )
        trained = [each for each in known.items if each.event_type == event_type]
    latest = _merged(views, trained)
    found = await clients.reranker.get_items([each.item_id for each in latest], timeout_s=deadline.remaining_s())
    described = {item.item_id: item for item in found.items}
    items: list[schemas.HistoryItem] = []
    for each in latest:
        item = as_now(each.item_id, described.get(each.item_id), live)
        if item is not None and item.available and len(items) < count:
            items.append(_described(item, each))
    return schemas.RecentlyViewed(artifact_version=found.artifact_version, items=items, degraded=profile is None)


async def _profile(subject: Subject, *, live: LiveShop, settings: Settings) -> Profile | None:
    """None where the feature store does not answer."""
    try:
        return await live.profile(subject, timeout_s=settings.store_timeout_s)
    except StoreUnavailableError:
        return None


async def _trained(
    user_id: str,
    profile: Profile | None,
    *,
    count: int,
    live_item_ids: Sequence[str],
    live: LiveShop,
    clients: Clients,
    deadline: Deadline,
) -> GetHistoryResponse:
    """What a training knew of a user; nothing after an erasure, of which the service learns a moment later."""
    found = await clients.candidate_gen.get_history(
        user_id,
        count=count,
        live_item_ids=live_item_ids,
        packed=profile.history if profile else "",
        timeout_s=deadline.remaining_s(),
    )
    if live.erased_sequence(user_id) > found.stream_sequence:
        return GetHistoryResponse(artifact_version=found.artifact_version)
    return found


def _described(item: Item, seen: _SeenItem) -> schemas.HistoryItem:
    last = {"event_type": seen.event_type, "last_event_at": seen.at}
    return schemas.HistoryItem.model_validate(item_json(item) | last)


def _kept(recent: Iterable[RecentEvent]) -> list[RecentEvent]:
    """Without removals, and without the purchases of which they take back every piece: the latest before them."""
    kept: list[RecentEvent] = []
    removals: Counter[str] = Counter()
    for event in recent:  # most recent first
        if event.event_type == REMOVE:
            removals[event.item_id] += event.quantity
            continue
        taken_back = min(removals[event.item_id], event.quantity) if event.event_type == PURCHASE else 0
        removals[event.item_id] -= taken_back
        if taken_back < event.quantity:
            kept.append(event)
    return kept


def _merged(recent: Iterable[RecentEvent], trained: Iterable[HistoryItem]) -> list[_SeenItem]:
    """Each item once, with its last event, latest first."""
    events = [
        _SeenItem(each.item_id, each.event_type, datetime.fromtimestamp(each.unix_ms / 1000, UTC)) for each in recent
    ]
    events += [_SeenItem(each.item_id, each.event_type, each.last_event_at.ToDatetime(UTC)) for each in trained]
    last: dict[str, _SeenItem] = {}
    for seen in sorted(events, key=lambda each: each.at, reverse=True):
        last.setdefault(seen.item_id, seen)
    return list(last.values())
