"""Entries of the stream in, rows of the lake out."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

import polars as pl

from recsys.feature_store.interface import Event, Exposure, Merge, StreamEntry, Subject
from recsys.lake import EVENTS, EXPOSURES, MERGES, Table

_LAST_MS: Final = 253_402_300_799_999  # of the year 9999: no shop's clock may stop the sink


def frames(entries: Iterable[StreamEntry]) -> dict[Table, pl.DataFrame]:
    """Events, exposures and merges in columns of their schemas, in order; erasures are no rows."""
    events, exposures, merges = [], [], []
    for entry in entries:
        match entry.entry:
            case Event():
                events.append(_event(entry.sequence, entry.entry))
            case Exposure():
                exposures.append(_exposure(entry.sequence, entry.entry))
            case Merge(session_id, user_id, unix_ms):
                merges.append((entry.sequence, user_id, session_id, unix_ms))
    return {
        "events": pl.DataFrame(events, schema=EVENTS, orient="row"),
        "exposures": pl.DataFrame(exposures, schema=EXPOSURES, orient="row"),
        "merges": pl.DataFrame(merges, schema=MERGES, orient="row"),
    }


def by_day(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each day, as YYYY-MM-DD in UTC, on which something happened."""
    day = pl.from_epoch(pl.col("unix_ms").clip(0, _LAST_MS), time_unit="ms").dt.date()
    for (name,), rows in frame.group_by(day.alias("day"), maintain_order=True):
        assert isinstance(name, date)
        yield name.isoformat(), rows


def _event(sequence: int, event: Event) -> tuple[object, ...]:
    return (
        sequence,
        *_who(event.subject),
        event.event_id,
        event.item_id,
        event.event_type,
        event.unix_ms,
        None if event.value is None else float(event.value),
        event.request_id,
        event.position,
        event.list_id,
    )


def _exposure(sequence: int, exposure: Exposure) -> tuple[object, ...]:
    return (
        sequence,
        *_who(exposure.subject),
        exposure.request_id,
        exposure.unix_ms,
        list(exposure.item_ids),
        [float(one) for one in exposure.propensities],
        exposure.artifact_version,
        exposure.experiment,
        exposure.arm,
        float(exposure.latency_ms),
        exposure.list_id,
    )


def _who(subject: Subject | None) -> tuple[str | None, str | None]:
    """user_id and session_id, of which one is given at most."""
    if subject is None:
        return None, None
    return (subject.id, None) if subject.kind == "user" else (None, subject.id)
