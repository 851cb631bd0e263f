"""Entries of the stream in, rows of the lake out: a column is what the entry calls so."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from recsys.feature_store import codec
from recsys.feature_store.interface import Erasure, Event, Exposure, Merge, StreamEntry
from recsys.lake import ITEMS, SCHEMAS, Table
from recsys.shop.item import ItemRecord

_LAST_MS: Final = 253_402_300_799_999  # of the year 9999: no shop's clock may stop the sink
_KINDS: Final[dict[Table, type]] = {"events": Event, "exposures": Exposure, "merges": Merge}
_ID: Final[dict[type, str]] = {
    Event: "event_id",
    Exposure: "request_id",
    Merge: "session_id",
    Erasure: "user_hash",
}

ID_COLUMN: Final = {table: _ID[kind] for table, kind in _KINDS.items()}
"""Where in a table the `id_of` an entry stands."""


def id_of(entry: Event | Exposure | Merge | Erasure) -> str:
    """By what an entry is told from another one at the same place of another stream."""
    return str(getattr(entry, _ID[type(entry)]))


def frames(entries: Sequence[StreamEntry]) -> dict[Table, pl.DataFrame]:
    """Events, exposures and merges in columns of their schemas, in order; erasures are no rows."""
    return {
        table: _frame([one for one in entries if isinstance(one.entry, kind)], SCHEMAS[table])
        for table, kind in _KINDS.items()
    }


def items(records: Iterable[ItemRecord]) -> pl.DataFrame:
    """Columns of ITEMS."""
    columns = _columns(ITEMS.names(), list(records))
    columns["fields"] = [codec.fields_to_text(fields) for fields in columns["fields"]]
    return pl.DataFrame(columns, schema=ITEMS)


def by_day(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each day, as YYYY-MM-DD in UTC, on which something happened."""
    day = pl.from_epoch(pl.col("unix_ms").clip(0, _LAST_MS), time_unit="ms").dt.date()
    for (name,), rows in frame.group_by(day.alias("day"), maintain_order=True):
        assert isinstance(name, date)
        yield name.isoformat(), rows


def _frame(entries: list[StreamEntry], schema: pl.Schema) -> pl.DataFrame:
    who = [_who(one.entry) for one in entries]
    columns = {
        "sequence": [one.sequence for one in entries],
        "user_id": [user_id for user_id, _ in who],
        "session_id": [session_id for _, session_id in who],
    }
    others = [name for name in schema if name not in columns]
    return pl.DataFrame(columns | _columns(others, [one.entry for one in entries]), schema=schema)


def _columns(names: Iterable[str], of: Sequence[object]) -> dict[str, list[Any]]:
    return {name: [getattr(one, name) for one in of] for name in names}


def _who(entry: Event | Exposure | Merge | Erasure) -> tuple[str | None, str | None]:
    """user_id and session_id: of a merge both, else one at most."""
    if isinstance(entry, Merge):
        return entry.user_id, entry.session_id
    subject = None if isinstance(entry, Erasure) else entry.subject
    if subject is None:
        return None, None
    return (subject.id, None) if subject.kind == "user" else (None, subject.id)
