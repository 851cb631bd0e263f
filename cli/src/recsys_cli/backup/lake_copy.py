"""The lake as COMMITTED has it, up to a place in the stream."""

import shutil
from pathlib import Path

import polars as pl

from recsys import durable_file
from recsys.lake import (
    COMMITTED,
    ERASURES_FILE,
    ITEMS_FILE,
    TABLES,
    Committed,
    Table,
    as_committed,
    day_of,
    read_committed,
    read_erasures,
    read_items,
    read_part,
)
from recsys_cli.backup.manifest import Position


def take(lake: Path, folder: Path, *, up_to: Position | None) -> Committed | None:
    """Copy the lake, and return what the copy holds; none: there is no lake.

    Args:
        up_to: what the store's copy still has in its stream stays out; none: everything counts.

    Raises: DataError (of the lake), OSError.
    """
    if read_committed(lake) is None:
        return None

    def copied(committed: Committed) -> Committed:
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt before
        folder.mkdir(parents=True)
        return _copy(lake, folder, committed, up_to=up_to)

    return as_committed(lake, copied)


def _copy(lake: Path, folder: Path, committed: Committed, *, up_to: Position | None) -> Committed:
    end = committed.sequence if up_to is None else min(committed.sequence, up_to.trimmed)
    parts: dict[str, int] = {}
    for table in TABLES:
        for path in committed.of(table):
            parts |= _copy_part(lake, folder, path, table=table, rows=committed.parts[path], end=end)
    items = read_items(lake)
    items_end = committed.items_sequence if up_to is None else min(committed.items_sequence, up_to.items)
    known = items.filter(pl.col("sequence") <= items_end)
    known.write_parquet(folder / ITEMS_FILE)
    read_erasures(lake).filter(pl.col("sequence") <= end).write_parquet(folder / ERASURES_FILE)
    copy = Committed(
        number=committed.number,
        sequence=end,
        # an item that changed since is missing here: the sink reads all of them from the store again
        items_sequence=items_end if known.height == items.height else 0,
        parts=parts,
    )
    durable_file.replace(folder / COMMITTED, copy.model_dump_json(indent=1).encode())
    return copy


def _copy_part(lake: Path, folder: Path, path: str, *, table: Table, rows: int, end: int) -> dict[str, int]:
    """Copy a part, without what comes after `end`; path → rows of the copy."""
    place, name = path.rsplit("/", 1)
    (folder / place).mkdir(parents=True, exist_ok=True)
    last = int(name.removeprefix("part-").split(".")[0].split("-")[1])
    if last <= end:
        shutil.copyfile(lake / path, folder / path)
        return {path: rows}
    kept = read_part(lake, path, rows=rows).filter(pl.col("sequence") <= end)
    if kept.is_empty():
        return {}
    first, until = kept.select(first=pl.min("sequence"), last=pl.max("sequence")).row(0)
    cut = f"{table}/date={day_of(path)}/part-{first}-{until}.{name.split('.')[1]}.parquet"
    kept.write_parquet(folder / cut)
    return {cut: kept.height}
