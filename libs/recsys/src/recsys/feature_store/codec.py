"""Entries of the stream and records of items as text, the same in both backends."""

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, Literal

from recsys.feature_store.interface import (
    Erasure,
    Event,
    ExperimentState,
    Exposure,
    Merge,
    StoredEvent,
    StreamEntry,
    Subject,
)
from recsys.ids import user_hash
from recsys.shop.item import JsonScalar

# In this order an entry is kept; more may come at the end.
_EVENT: Final = attrgetter(
    *("event_id", "item_id", "event_type", "unix_ms", "weight", "value", "request_id", "position", "list_id")
)
_EXPOSURE: Final = attrgetter(
    *("list_id", "unix_ms", "item_ids", "propensities", "artifact_version", "experiment", "arm", "latency_ms"),
    "request_id",
)
_ERASURE: Final = attrgetter(
    *("user_hash", "erased_ms", "store_entries", "lake_rows", "lake_erased_ms", "session_hashes")
)
_KINDS: Final[dict[str, Literal["user", "session"]]] = {"u": "user", "s": "session"}


def key_of(subject: Subject) -> str:
    """A subject as one string; users and sessions of one id differ."""
    return f"{subject.kind[0]}:{subject.id}"


def hashed_key_of(subject: Subject) -> str:
    """The same, of somebody who was erased: the id is hashed, as in `Erasure`."""
    return f"{subject.kind[0]}:{user_hash(subject.id)}"


def subject_of(key: str) -> Subject:
    """What `key_of` made a key of."""
    return Subject(_KINDS[key[0]], key[2:])


def event_to_text(event: Event) -> str:
    """An event without its subject, which every backend keeps beside it."""
    return _text(_EVENT(event))


def event_from_text(text: str, subject: Subject) -> Event:
    """The event again."""
    event_id, *rest = json.loads(text)  # without a list_id: written by an older version
    return Event(event_id, subject, *rest)


def by_time(events: list[StoredEvent]) -> tuple[StoredEvent, ...]:
    """Most recent first; at the same millisecond, the one that came later first."""
    return tuple(sorted(events, key=lambda each: (each.event.unix_ms, each.sequence), reverse=True))


def by_type(pairs: Iterable[Sequence[str]]) -> dict[str, frozenset[str]]:
    """Event type → ids of items, from pairs of both."""
    found: dict[str, set[str]] = {}
    for event_type, item_id in pairs:
        found.setdefault(event_type, set()).add(item_id)
    return {event_type: frozenset(ids) for event_type, ids in found.items()}


def exposure_to_text(exposure: Exposure) -> str:
    """An exposure without its subject."""
    return _text(_EXPOSURE(exposure))


def exposure_from_text(text: str, subject: Subject | None) -> Exposure:
    """The exposure again."""
    list_id, unix_ms, item_ids, propensities, *rest = json.loads(text)
    # an older version wrote the request_id, once, in the place of the list_id
    of_request = () if len(rest) == 5 else (list_id,)
    return Exposure(list_id, subject, unix_ms, tuple(item_ids), tuple(propensities), *rest, *of_request)


def merge_to_text(merge: Merge) -> str:
    """A merge without its user."""
    return _text([merge.session_id, merge.unix_ms])


def erasure_to_text(erasure: Erasure) -> str:
    """An erasure without its sequence."""
    return _text(_ERASURE(erasure))


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


def state_to_text(state: ExperimentState) -> str:
    """What the API changed of an experiment."""
    return _text([state.stopped_ms, dict(state.shares)])


def state_from_text(text: str) -> ExperimentState:
    """The state again."""
    stopped_ms, shares = json.loads(text)
    return ExperimentState(stopped_ms, shares)


def fields_to_text(fields: Mapping[str, JsonScalar]) -> str:
    """An item's fields."""
    return _text(dict(fields))


def fields_from_text(text: str) -> dict[str, JsonScalar]:
    """The fields again."""
    fields: dict[str, JsonScalar] = json.loads(text)
    return fields


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
