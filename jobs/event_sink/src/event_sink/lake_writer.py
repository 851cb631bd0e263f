"""The only writer of the lake: parts are written beside, and count when COMMITTED names them.

Whenever the process is killed, the lake is what COMMITTED said last; what else lies there is removed by the next one.
"""

import fcntl
import os
from collections.abc import Collection, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

import polars as pl

from recsys import durable_file
from recsys.errors import DataError
from recsys.lake import COMMITTED, LOCK, TABLES, Committed, Table, day_of, read_committed, read_part

SMALL_ROWS: Final = 100_000
"""A part of so many rows stays as it is."""

MOST_SMALL_PARTS: Final = 16
"""A day may have so many small ones; when it is over, one."""


class LakeWriter:
    """Holds the lake until `close`; the kernel gives it back when the process is killed."""

    def __init__(self, lake: Path) -> None:
        """Take the lake, and remove what an earlier process left uncommitted.

        Raises:
            BlockingIOError: another process has it.
            DataError: COMMITTED cannot be read, or is missing where there are parts.
        """
        lake.mkdir(parents=True, exist_ok=True)
        self.path = lake
        self._lock = (lake / LOCK).open("a")  # does not touch it
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.committed = self._recovered()
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Give the lake back."""
        self._lock.close()

    def write_part(self, table: Table, day: str, frame: pl.DataFrame) -> dict[str, int]:
        """Put rows of a day on the disk; they do not count yet. Returns path → rows, for `commit`; none of no rows."""
        if frame.is_empty():
            return {}
        first, last = frame.select(first=pl.min("sequence"), last=pl.max("sequence")).row(0)
        part = f"{table}/date={day}/part-{first}-{last}.{self.committed.number + 1}.parquet"
        path = self.path / part
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            durable_file.flush_dir(path.parent.parent)
        _write(path, frame)
        return {part: frame.height}

    def write_table(self, name: str, frame: pl.DataFrame) -> None:
        """Replace items or erasures: these count at once."""
        _write(self.path / name, frame)

    def commit(
        self,
        *,
        added: Mapping[str, int] = {},
        removed: Collection[str] = (),
        sequence: int = 0,
        items_sequence: int = 0,
    ) -> None:
        """Make written parts (path → rows) count and others not, both or neither; then remove the others' files.

        The sequences are how far the lake has come by this; they never fall.
        """
        old = self.committed
        self._replace_committed(
            Committed(
                number=old.number + 1,
                sequence=max(sequence, old.sequence),
                items_sequence=max(items_sequence, old.items_sequence),
                parts={path: rows for path, rows in old.parts.items() if path not in removed} | dict(added),
            )
        )
        for path in removed:
            (self.path / path).unlink()

    def merge_small(self, *, days_before: str | None = None) -> int:
        """Merge and commit, day by day, where there are too many small parts; returns how many parts that saved.

        So a reader opens few files, and a row is written again a few times at most. Days before `days_before`
        (YYYY-MM-DD) are over.
        """
        saved = 0
        rows = self.committed.parts
        small = [(table, path) for table in TABLES for path in self.committed.of(table) if rows[path] < SMALL_ROWS]
        for (table, day), of_day in groupby(small, key=lambda one: (one[0], day_of(one[1]))):
            parts = [path for _, path in of_day]
            is_over = days_before is not None and day < days_before
            if len(parts) > (1 if is_over else MOST_SMALL_PARTS):
                frame = pl.concat(read_part(self.path, path, rows=rows[path]) for path in parts).sort("sequence")
                self.commit(added=self.write_part(table, day, frame), removed=parts)
                saved += len(parts) - 1
        return saved

    def remove_days(self, table: Table, *, before: str) -> int:
        """Remove and commit the days of a table before one, as YYYY-MM-DD; returns how many rows that were."""
        old = [path for path in self.committed.of(table) if day_of(path) < before]
        rows = sum(self.committed.parts[path] for path in old)
        if old:
            self.commit(removed=old)
        return rows

    def touch(self) -> None:
        """Say that all is well; see `last_touched`."""
        os.utime(self.path / LOCK)

    def _replace_committed(self, committed: Committed) -> None:
        content = committed.model_dump_json(indent=1).encode()
        durable_file.replace(self.path / COMMITTED, content)
        self.committed = committed

    def _recovered(self) -> Committed:
        committed = read_committed(self.path)
        files = [path for table in TABLES for path in (self.path / table).rglob("*") if path.is_file()]
        if committed is None:
            if any(path.suffix == ".parquet" for path in files):
                raise DataError(f"{self.path}: expected {COMMITTED} beside the parts, found none; put it back")
            self._replace_committed(Committed())
            return self.committed
        for path in [*files, *self.path.glob(f"*{durable_file.TEMPORARY}")]:
            if str(path.relative_to(self.path)) not in committed.parts:
                path.unlink()
        return committed


def last_touched(lake: Path) -> float:
    """When a writer last said that all is well, in Unix seconds. Raises: OSError, where there was none."""
    return (lake / LOCK).stat().st_mtime


def _write(path: Path, frame: pl.DataFrame) -> None:
    """Put a table in the file's place. Raises: OSError, such as that of a full disk."""
    with durable_file.replacing(path) as file:
        try:
            frame.write_parquet(file)
        except pl.exceptions.PolarsError as error:  # polars tells of a full disk in its own words
            raise OSError(f"{path}: cannot be written: {error}") from error
