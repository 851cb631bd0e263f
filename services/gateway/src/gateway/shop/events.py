"""The use-case of events: rows as they came in, what became of each out. Acknowledged only when they are durable."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from pydantic import ValidationError

from gateway.clients import Clients
from gateway.requests import EventIn
from gateway.schemas import EventOutcome, RejectedEvent
from gateway.settings import Settings
from gateway.shop.exposure_log import ExposureLog
from gateway.shop.live_shop import now_ms
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Event, FeatureStore, Subject
from recsys.settings_file import explained

_LOOK_UP_S: Final = 0.2  # how long the catalogue may take to say which items it does not know
_STORE_S: Final = 2.0  # how long an event waits for the feature store
_LONGEST_QUOTED: Final = 200


class UnconfirmedEventsError(StoreUnavailableError):
    """The store did not say that it has the events: it may have some or all of them, or may have them yet."""

    def __init__(self, reason: str, *, event_ids: list[str], rejected: list[RejectedEvent]) -> None:
        super().__init__(reason)
        self.event_ids = event_ids  # of all rows that were not rejected, in their order
        self.rejected = rejected


class EventsRejectedError(Exception):
    """None of a request's events could be stored."""

    def __init__(self, rejected: list[RejectedEvent]) -> None:
        super().__init__(f"{len(rejected)} events rejected")
        self.rejected = rejected


@dataclass(frozen=True)
class _Row:
    event: Event
    session_id: str | None  # to merge into the event's user
    is_skewed: bool


async def take(
    rows: Sequence[Any], *, store: FeatureStore, exposures: ExposureLog, clients: Clients, settings: Settings
) -> EventOutcome:
    """Store the good rows.

    Args:
        rows: what JSON said of each event.

    Raises:
        EventsRejectedError: there is no good row.
        UnconfirmedEventsError: nothing was acknowledged.
    """
    arrived_ms = now_ms()
    good: list[_Row] = []
    rejected: list[RejectedEvent] = []
    for index, row in enumerate(rows):
        try:
            if not isinstance(row, dict):
                raise ValueError(f"expected an object, found {str(row)[:_LONGEST_QUOTED]!r}")
            good.append(_checked(EventIn.model_validate(row), arrived_ms=arrived_ms, settings=settings))
        except ValueError as error:
            rejected.append(RejectedEvent(index=index, event_id=_id_of(row), reason=_reason(error)))
    if not good:
        raise EventsRejectedError(rejected)
    event_ids = [row.event.event_id for row in good]
    merges = {(row.session_id, row.event.subject.id): None for row in good if row.session_id is not None}
    try:
        async with asyncio.timeout(_STORE_S):
            for session_id, user_id in merges:
                await _merge(session_id, user_id=user_id, store=store, exposures=exposures)
            appended, unknown_items = await asyncio.gather(
                store.append([row.event for row in good], now_ms=arrived_ms),
                _count_unknown([row.event.item_id for row in good], clients),
            )
    except (TimeoutError, StoreUnavailableError) as error:
        reason = str(error) or f"no answer within {_STORE_S} s"
        raise UnconfirmedEventsError(reason, event_ids=event_ids, rejected=rejected) from error
    return EventOutcome(
        accepted=len(event_ids),
        event_ids=event_ids,
        duplicates=sum(one.is_duplicate for one in appended),
        rejected=rejected,
        clock_skewed=sum(row.is_skewed for row in good),
        unknown_items=unknown_items,
    )


async def merge(session_id: str, *, user_id: str, store: FeatureStore, exposures: ExposureLog) -> int:
    """Make a session its user's, with the arm of its latest exposures; returns how many events were moved.

    Raises: StoreUnavailableError.
    """
    await exposures.flush()
    return await store.merge_session(session_id, user_id=user_id, now_ms=now_ms())


def _checked(row: EventIn, *, arrived_ms: int, settings: Settings) -> _Row:
    weight = settings.event_weights.get(row.type)
    if weight is None:
        known = ", ".join(settings.event_weights)
        raise ValueError(f"type: expected one of {known}; found {row.type!r}")
    unix_ms = arrived_ms if row.timestamp is None else round(row.timestamp.timestamp() * 1000)
    is_skewed = unix_ms > arrived_ms + settings.max_clock_ahead_s * 1000
    subject = Subject("session", row.session_id or "") if row.user_id is None else Subject("user", row.user_id)
    event = Event(
        event_id=row.event_id or uuid.uuid4().hex,
        subject=subject,
        item_id=row.item_id,
        event_type=row.type,
        unix_ms=arrived_ms if is_skewed else unix_ms,
        weight=weight,
        value=row.value,
        request_id=row.request_id,
        position=row.position,
        list_id=row.list_id,
        quantity=row.quantity,
    )
    return _Row(event, session_id=row.session_id if row.user_id is not None else None, is_skewed=is_skewed)


async def _merge(session_id: str, *, user_id: str, store: FeatureStore, exposures: ExposureLog) -> None:
    """Make a session its user's; one that is already costs a look, and no flush to disk."""
    profile = await store.profile(Subject("session", session_id))
    if profile.subject != Subject("user", user_id):
        await merge(session_id, user_id=user_id, store=store, exposures=exposures)


async def _count_unknown(item_ids: list[str], clients: Clients) -> int | None:
    try:
        return len(await clients.reranker.find_unknown_items(sorted(set(item_ids)), timeout_s=_LOOK_UP_S))
    except grpc.aio.AioRpcError:
        return None


def _id_of(row: Any) -> str | None:
    event_id = row.get("event_id") if isinstance(row, dict) else None
    return event_id[:_LONGEST_QUOTED] if isinstance(event_id, str) else None


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    details = [(".".join(map(str, detail["loc"])), detail) for detail in error.errors(include_url=False)]
    return "; ".join(explained(detail, EventIn, key=where, is_secret=False) for where, detail in details)
