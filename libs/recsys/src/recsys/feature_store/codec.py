"""Entries of the stream and trending counters as both backends keep them."""

import json
from collections.abc import Sequence
from math import log2
from operator import attrgetter
from typing import Final, Literal

from recsys.feature_store.interface import (
    HALF_LIFE_S,
    Erasure,
    Event,
    Exposure,
    Merge,
    RecentEvent,
    StreamEntry,
    Subject,
    TrendingItem,
)
from recsys.ids import user_hash

# In this order an entry is kept, without its subject and its sequence, which stand beside it; more may come at the end.
_FACTS: Final = {
    Event: attrgetter(
        *("event_id", "item_id", "event_type", "unix_ms", "weight", "value", "request_id", "position", "list_id"),
        "quantity",
    ),
    Exposure: attrgetter(
        *("list_id", "unix_ms", "item_ids", "propensities", "artifact_version", "experiment", "arm", "latency_ms"),
        *("request_id", "sources", "level"),
    ),
    Merge: attrgetter("session_id", "unix_ms"),
    Erasure: attrgetter("user_hash", "erased_ms", "store_entries", "lake_rows", "lake_erased_ms", "session_hashes"),
}
json_text: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=dict).encode
"""Compact JSON of a value."""

_QUANTITY: Final = 9  # its place among an event's facts
_KINDS: Final[dict[str, Literal["user", "session"]]] = {"u": "user", "s": "session"}
_TIME_AND_PLACE: Final = attrgetter("unix_ms", "sequence")
_HALF_LIFE_MS: Final = HALF_LIFE_S * 1000
_HALVED_TO_NOTHING: Final = 500  # so many times lighter than the heaviest


def key_of(subject: Subject) -> str:
    """A subject as one string; users and sessions of one id differ."""
    return f"{subject.kind[0]}:{subject.id}"


def hashed_key_of(subject: Subject) -> str:
    """The same, of somebody who was erased: the id is hashed, as in `Erasure`."""
    return f"{subject.kind[0]}:{user_hash(subject.id)}"


def subject_of(key: str) -> Subject:
    """What `key_of` made a key of."""
    return Subject(_KINDS[key[0]], key[2:])


def to_text(entry: Event | Exposure | Merge | Erasure) -> str:
    """What is kept of it beside subject and sequence."""
    return json_text(_FACTS[type(entry)](entry))


def event_from_text(text: str, subject: Subject) -> Event:
    """The event again."""
    event_id, *rest = json.loads(text)  # without a list_id, or a quantity: written by an older version
    return Event(event_id, subject, *rest)


def exposure_from_text(text: str, subject: Subject | None) -> Exposure:
    """The exposure again."""
    list_id, unix_ms, item_ids, propensities, *rest = json.loads(text)
    facts, later = rest[:4], rest[4:]
    # older versions wrote no sources, or the request_id, once, in the place of the list_id
    request_id, sources, level = later if len(later) == 3 else (*(later or [list_id]), (), "")
    facts += [request_id, tuple(sources), level]
    return Exposure(list_id, subject, unix_ms, tuple(item_ids), tuple(propensities), *facts)


def erasure_from_text(text: str, sequence: int) -> Erasure:
    """The erasure again."""
    user_hash, erased_ms, entries, lake_rows, lake_erased_ms, sessions = json.loads(text)
    return Erasure(user_hash, sequence, erased_ms, entries, lake_rows, lake_erased_ms, tuple(sessions))


def entry_from_text(kind: str, text: str, *, sequence: int, subject_key: str) -> StreamEntry:
    """An entry of the stream, whose kind is event, exposure, merge or erasure."""
    if kind == "erasure":
        return StreamEntry(sequence, erasure_from_text(text, sequence))
    subject = subject_of(subject_key) if subject_key else None
    if kind == "exposure":
        return StreamEntry(sequence, exposure_from_text(text, subject))
    assert subject is not None
    if kind == "merge":
        session_id, unix_ms = json.loads(text)
        return StreamEntry(sequence, Merge(session_id, subject.id, unix_ms))
    return StreamEntry(sequence, event_from_text(text, subject))


def recent_from_text(text: str) -> tuple[RecentEvent, ...]:
    """Events of a profile, most recent first, of a JSON array of [sequence, what `to_text` makes of the event].

    At the same millisecond, the one that came later is first.
    """
    events = (RecentEvent(sequence, *facts[:4], *facts[_QUANTITY:]) for sequence, facts in json.loads(text))
    return tuple(sorted(events, key=_TIME_AND_PLACE, reverse=True))


def counter_of(event: Event) -> float:
    """A counter is log2 of a weight as it would be had it decayed from 1970 on: it only rises. That of one event."""
    return log2(event.weight) + event.unix_ms / _HALF_LIFE_MS


def counters_together(one: float, other: float) -> float:
    """The counter of both weights together."""
    return max(one, other) + log2(1 + 2.0 ** -abs(one - other))


def trending_of(counters: Sequence[tuple[str, float]], *, now_ms: int) -> list[TrendingItem]:
    """Items and their counters, the heaviest first, as weights decayed to this moment; less what is as good as none."""
    least = counters[0][1] - _HALVED_TO_NOTHING if counters else 0
    return [
        TrendingItem(item_id, 2.0 ** min(1000.0, max(-1000.0, counter - now_ms / _HALF_LIFE_MS)))
        for item_id, counter in counters
        if counter > least
    ]
