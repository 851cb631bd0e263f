"""Small parts of a day in, one part out: a reader opens few files, and a row is written again a few times at most."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import polars as pl

from event_sink.lake_writer import LakeWriter
from recsys.lake import TABLES, Table, day_of, read_part

SMALL_ROWS: Final = 100_000
"""A part of so many rows stays as it is."""

MOST_SMALL_PARTS: Final = 16
"""A day may have so many small ones; when it is over, one."""


def merge(writer: LakeWriter, *, days_before: str | None = None) -> int:
    """Merge and commit, day by day, where there are too many small parts; returns how many parts that saved.

    Args:
        writer: of the lake.
        days_before: days before this one (YYYY-MM-DD) are over.
    """
    saved = 0
    for table in TABLES:
        for day, parts in _small_parts(writer, table):
            is_over = days_before is not None and day < days_before
            if len(parts) > (1 if is_over else MOST_SMALL_PARTS):
                _merge_parts(writer, table, parts)
                saved += len(parts) - 1
    return saved


def _small_parts(writer: LakeWriter, table: Table) -> Iterator[tuple[str, list[str]]]:
    days = defaultdict(list)
    for path in writer.committed.of(table):
        if writer.committed.parts[path] < SMALL_ROWS:
            days[day_of(path)].append(path)
    yield from days.items()


def _merge_parts(writer: LakeWriter, table: Table, parts: list[str]) -> None:
    rows = writer.committed.parts
    frame = pl.concat(read_part(writer.path, path, rows=rows[path]) for path in parts).sort("sequence")
    writer.commit(added=writer.write_part(table, day_of(parts[0]), frame), removed=parts)
