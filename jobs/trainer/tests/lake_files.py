"""A lake as the sink leaves it, written by hand."""

import json
from pathlib import Path

import polars as pl

from recsys.ids import user_hash
from recsys.lake import (
    COMMITTED,
    ERASURES,
    ERASURES_FILE,
    EVENTS,
    ITEMS,
    ITEMS_FILE,
    MERGES,
    SCHEMAS,
    Committed,
    Table,
)

DAY_MS = 86_400_000
MIDDAY_MS = 1_782_907_200_000  # 2026-07-01 12:00 UTC

Row = dict[str, object]


def event(sequence: int, *, day: int = 0, **columns: object) -> Row:
    """A row of the lake; everything but the sequence has a default, and user_id none where a session is given."""
    who = {} if "session_id" in columns else {"user_id": "u000"}
    return {
        "sequence": sequence,
        "event_id": f"e{sequence}",
        "item_id": "i000",
        "event_type": "purchase",
        "unix_ms": MIDDAY_MS + day * DAY_MS,
        **who,
        **columns,
    }


def item(item_id: str, *, is_whole: bool = False, is_deleted: bool = False, **fields: object) -> Row:
    """A record of an item; `attributes__NAME` stands for the field `attributes.NAME`."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return {
        "item_id": item_id,
        "sequence": 1,
        "is_whole": is_whole,
        "is_deleted": is_deleted,
        "fields": json.dumps(named),
        "created_ms": 1,
        "updated_ms": 1,
    }


def write_table(lake: Path, table: Table, rows: list[Row]) -> dict[str, int]:
    """One part of a table, its rows numbered from 1 unless they say otherwise; as COMMITTED names it."""
    numbered = [{"sequence": number, **row} for number, row in enumerate(rows, start=1)]
    path = f"{table}/date=2026-07-01/part-1-{len(rows)}.1.parquet"
    (lake / path).parent.mkdir(parents=True)
    pl.DataFrame(numbered, schema=SCHEMAS[table]).write_parquet(lake / path)
    return {path: len(rows)}


def write_lake(
    lake: Path,
    *parts: list[Row],
    items: list[Row] | None = None,
    erased: tuple[str, ...] = (),
    merges: tuple[tuple[int, str, str], ...] = (),
) -> Committed:
    """Each part is a list of `event`s; up to the last sequence the lake is complete.

    `merges`: sequence, user_id, session_id.
    """
    folder = lake / "events/date=2026-07-01"
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for n, rows in enumerate(parts):
        frame = pl.DataFrame(rows, schema=EVENTS)
        name = f"part-{frame['sequence'].min()}-{frame['sequence'].max()}.{n}.parquet"
        frame.write_parquet(folder / name)
        names[f"events/date=2026-07-01/{name}"] = frame.height
    if merges:
        name = "merges/date=2026-07-01/part-0.parquet"
        (lake / name).parent.mkdir(parents=True)
        rows = [(*merge, MIDDAY_MS) for merge in merges]
        pl.DataFrame(rows, schema=MERGES, orient="row").write_parquet(lake / name)
        names[name] = len(rows)
    sequence = max((int(str(row["sequence"])) for rows in parts for row in rows), default=0)
    pl.DataFrame(items or [], schema=ITEMS).write_parquet(lake / ITEMS_FILE)
    gone = [(user_hash(user_id), sequence, 1, 0) for user_id in erased]
    pl.DataFrame(gone, schema=ERASURES, orient="row").write_parquet(lake / ERASURES_FILE)
    committed = Committed(sequence=sequence, parts=names)
    (lake / COMMITTED).write_text(committed.model_dump_json())
    return committed
