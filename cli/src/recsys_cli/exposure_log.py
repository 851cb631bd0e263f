"""The log of what was shown: the lake, and behind it the entries of the stream that the sink has not moved yet.

In: a list's id. Out: what was shown to whom, and the events that name the list.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from recsys.feature_store.interface import Event, Exposure, StreamEntry, Subject
from recsys.feature_store.opening import open_store
from recsys.lake import LIST_ID, Committed, as_committed, lake_dir, scan_part

Json = dict[str, Any]

_AT_ONCE: Final = 10_000


async def find(list_id: str, volume: Path, *, store_url: str) -> Json | None:
    """The list, with its items; none: the log does not have it.

    Raises: DataError (of the lake), StoreUnavailableError.
    """
    stream = await entries_of(store_url)
    in_lake = as_committed(lake_dir(volume), lambda committed: _in_lake(list_id, lake_dir(volume), committed))
    moved, exposure, events = in_lake
    for one in stream:
        if one.sequence <= moved:
            continue
        if isinstance(one.entry, Exposure) and one.entry.list_id == list_id:
            exposure = exposure or asdict(one.entry) | _who(one.entry.subject)
        elif isinstance(one.entry, Event) and one.entry.list_id == list_id:
            events.append(asdict(one.entry))
    return None if exposure is None else _told(list_id, exposure, events)


async def entries_of(store_url: str) -> list[StreamEntry]:
    """The whole stream; nothing without a store.

    To be read before the lake: what the sink moves in between is in both then, and never in neither.

    Raises: StoreUnavailableError.
    """
    if not store_url:
        return []
    store = open_store(store_url)
    entries: list[StreamEntry] = []
    try:
        while part := await store.read_stream(after_sequence=entries[-1].sequence if entries else 0, limit=_AT_ONCE):
            entries += part
    finally:
        await store.close()
    return entries


def _in_lake(list_id: str, lake: Path, committed: Committed) -> tuple[int, Json | None, list[Json]]:
    """How far the lake has come, the exposure, and the events that name it."""
    exposure = None
    for path in reversed(committed.of("exposures")):  # most questions are about lately
        if rows := scan_part(lake, path).filter(list_id == LIST_ID).collect().to_dicts():
            exposure = rows[0]
            break
    if exposure is None:
        return committed.sequence, None, []
    since = datetime.fromtimestamp(exposure["unix_ms"] / 1000 - 86_400, UTC).date().isoformat()
    parts = [path for path in committed.of("events") if path.split("date=")[1] >= since]
    events = [row for path in parts for row in scan_part(lake, path).filter(list_id == LIST_ID).collect().to_dicts()]
    return committed.sequence, exposure, events


def _told(list_id: str, exposure: Json, events: Iterable[Json]) -> Json:
    sources = exposure["sources"] or [""] * len(exposure["item_ids"])  # an older release logged none
    of_item: dict[str, list[Json]] = {}
    for event in sorted({one["event_id"]: one for one in events}.values(), key=lambda one: one["unix_ms"]):
        told = {"event_type": event["event_type"], "at": _time(event["unix_ms"]), "value": event["value"]}
        of_item.setdefault(event["item_id"], []).append(told)
    columns = zip(exposure["item_ids"], exposure["propensities"], sources, strict=True)
    return {
        "list_id": list_id,
        "shown_at": _time(exposure["unix_ms"]),
        **{name: exposure[name] for name in ("user_id", "session_id", "artifact_version", "experiment", "arm")},
        "level": exposure["level"] or None,
        "latency_ms": round(exposure["latency_ms"], 1),
        "request_id": exposure["request_id"],
        "items": [
            {
                "item_id": item_id,
                "sources": names.split(",") if names else [],
                "propensity": propensity,
                "events": of_item.get(item_id, []),
            }
            for item_id, propensity, names in columns
        ],
    }


def _who(subject: Subject | None) -> Json:
    return {"user_id": None, "session_id": None} | ({f"{subject.kind}_id": subject.id} if subject else {})


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds")
