"""Entries of the stream in, rows of the lake out: a column is what the entry calls so."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final

import polars as pl

from recsys.feature_store import codec
from recsys.feature_store.interface import Erasure, Event, Exposure, Merge, StreamEntry
from recsys.lake import ITEMS, SCHEMAS, Table
from recsys.shop.item import ItemRecord

ID_COLUMN: Final[dict[Table, str]] = {"events": "event_id", "exposures": "request_id", "merges": "session_id"}
"""By what an entry is told from another one at the same place of another stream; an erasure, by its user_hash."""

_LAST_MS: Final = 253_402_300_799_999  # of the year 9999: no shop's clock may stop the sink
_TABLE_OF: Final[dict[type, Table]] = {Event: "events", Exposure: "exposures", Merge: "merges"}


def id_of(entry: Event | Exposure | Merge | Erasure) -> str:
    """What it says in its ID_COLUMN."""
    return entry.user_hash if isinstance(entry, Erasure) else str(getattr(entry, ID_COLUMN[_TABLE_OF[type(entry)]]))


def frames(entries: Sequence[StreamEntry]) -> dict[Table, pl.DataFrame]:
    """Events, exposures and merges in columns of their schemas, in order; erasures are no rows."""
    rows: dict[Table, list[list[Any]]] = {table: [] for table in SCHEMAS}
    for one in entries:
        if not isinstance(one.entry, Erasure):
            table = _TABLE_OF[type(one.entry)]
            rows[table].append(_row(one, SCHEMAS[table].names()))
    return {table: pl.DataFrame(found, schema=SCHEMAS[table], orient="row") for table, found in rows.items()}


def items(records: Iterable[ItemRecord]) -> pl.DataFrame:
    """Columns of ITEMS."""
    return pl.DataFrame([asdict(one) | {"fields": codec.json_text(one.fields)} for one in records], schema=ITEMS)


def by_day(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each day, as YYYY-MM-DD in UTC, on which something happened."""
    day = pl.from_epoch(pl.col("unix_ms").clip(0, _LAST_MS), time_unit="ms").dt.date()
    for (name,), rows in frame.group_by(day.alias("day"), maintain_order=True):
        assert isinstance(name, date)
        yield name.isoformat(), rows


def _row(one: StreamEntry, columns: Iterable[str]) -> list[Any]:
    """A merge has user and session itself, anything else one of them, or nobody, as its subject."""
    facts: dict[str, Any] = {"sequence": one.sequence}
    if isinstance(one.entry, Event | Exposure):
        facts |= {"user_id": None, "session_id": None}
        if one.entry.subject:
            facts[f"{one.entry.subject.kind}_id"] = one.entry.subject.id
    return [facts[name] if name in facts else getattr(one.entry, name) for name in columns]
