"""The use-case of a history: what the model was trained on and what happened since, each item once, latest first."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.settings import Settings
from gateway.shop.live import Live
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import StoredEvent, Subject
from recsys.shop.events import PURCHASE, REMOVE
from recsys.v1.item_pb2 import Item
from recsys.v1.user_service_pb2 import GetHistoryResponse, HistoryItem


@dataclass(frozen=True)
class Had:
    """An item that somebody had, by its last event."""

    item_id: str
    event_type: str
    at: datetime


@dataclass(frozen=True)
class Past:
    """What a user had."""

    artifact_version: str
    user_known: bool
    total: int  # distinct items, of which `latest` are the most recent
    latest: list[Had]
    described: Mapping[str, Item]  # those of them that the catalogue has
    is_degraded: bool  # without live events


async def of_user(user_id: str, *, count: int, live: Live, clients: Clients, settings: Settings) -> Past:
    """The latest `count` items. Somebody unknown has none."""
    deadline = Deadline.after(settings.timeout_s)
    recent: list[StoredEvent] = []
    had: frozenset[str] = frozenset()
    is_degraded = False
    try:
        profile = await live.profile(Subject("user", user_id), timeout_s=settings.store_timeout_s)
        recent, had = _kept(profile.recent), frozenset().union(*profile.seen.values())
    except StoreUnavailableError:
        is_degraded = True
    trained = await clients.candidate_gen.get_history(
        user_id, count=count, live_item_ids=sorted(had), timeout_s=deadline.remaining_s()
    )
    if live.erased_sequence(user_id) > trained.stream_sequence:  # the service learns of it a moment later
        trained = GetHistoryResponse(artifact_version=trained.artifact_version)
    latest = _merged(recent, trained.items)[:count]
    described = await clients.reranker.get_items([each.item_id for each in latest], timeout_s=deadline.remaining_s())
    return Past(
        artifact_version=trained.artifact_version,
        user_known=trained.user_known or bool(had),
        total=trained.total + len(had) - trained.known_live_items,
        latest=latest,
        described={item.item_id: item for item in described.items},
        is_degraded=is_degraded,
    )


def _kept(recent: Iterable[StoredEvent]) -> list[StoredEvent]:
    """Without removals, and without the purchases that each takes back: the latest of the item before it."""
    kept: list[StoredEvent] = []
    removals: Counter[str] = Counter()
    for stored in recent:  # most recent first
        event = stored.event
        if event.event_type == REMOVE:
            removals[event.item_id] += 1
        elif event.event_type == PURCHASE and removals[event.item_id]:
            removals[event.item_id] -= 1
        else:
            kept.append(stored)
    return kept


def _merged(recent: Iterable[StoredEvent], trained: Iterable[HistoryItem]) -> list[Had]:
    """Each item once, with its last event, latest first."""
    events = [
        Had(each.event.item_id, each.event.event_type, datetime.fromtimestamp(each.event.unix_ms / 1000, UTC))
        for each in recent
    ]
    events += [Had(each.item_id, each.event_type, each.last_event_at.ToDatetime(UTC)) for each in trained]
    last: dict[str, Had] = {}
    for had in sorted(events, key=lambda each: each.at, reverse=True):
        last.setdefault(had.item_id, had)
    return list(last.values())
