"""Rows that were not taken: written to a quarantine file with file, row and reason, and counted for the report.

The quarantine file has the shop's own columns after ours, as text, so that its rows can be mended and read again.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

import polars as pl

from recsys.errors import DataError
from trainer.shop_data.hints import hint
from trainer.shop_data.not_rows import IGNORED
from trainer.shop_data.odd_ids import WHOLE_IDS, OddIds

EXAMPLES_PER_REASON = 3
_EXAMPLE_CHARACTERS = 160
_VALUE_CHARACTERS = 60

FILE, ROW, REASON, RAW = "quarantine_file", "quarantine_row", "quarantine_reason", "quarantine_raw"


@dataclass(frozen=True)
class Rejection:
    """Rows rejected for one reason."""

    reason: str
    rows: int
    examples: tuple[str, ...]  # at most three: file, row and what stood there, first the field that is to blame
    hint: str | None = None  # what would mend them, where that can be told


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows of the events, or of the catalogue: read = kept + those rejected + those ignored."""

    read: int
    kept: int
    rejected: tuple[Rejection, ...]  # most frequent first
    ignored: dict[str, int] = field(default_factory=dict)  # reason → rows that are right, and no events to learn from

    @property
    def rows_rejected(self) -> int:
        """So many."""
        return self.read - self.kept - sum(self.ignored.values())

    @property
    def share_rejected(self) -> float:
        """0 to 1, of the rows that were not ignored; 0 where there was none."""
        return self.rows_rejected / max(self.kept + self.rows_rejected, 1)

    def lines(self, name: str) -> list[str]:
        """As text."""
        ignored = f", {sum(self.ignored.values()):,} ignored" if self.ignored else ""
        text = [f"{name}: {self.read:,} rows read, {self.kept:,} kept, {self.rows_rejected:,} rejected{ignored}"]
        text += [f"  {count:>12,}  ignored: {reason}" for reason, count in self.ignored.items()]
        for rejection in self.rejected:
            text.append(f"  {rejection.rows:>12,}  {rejection.reason}")
            text += [f"                  {example}" for example in rejection.examples]
            if rejection.hint is not None:
                text.append(f"                  hint: {rejection.hint}")
        return text


@dataclass(frozen=True)
class LoadReport:
    """What was read, what was kept, and what was rejected and why."""

    events: RowCounts
    catalogue: RowCounts | None  # of the separate file; none: there was no such file
    quarantine_path: Path | None  # none: nothing was rejected
    events_by_type: dict[str, int]
    users: int
    items: int  # of the catalogue, whether or not they have events
    first: datetime | None
    last: datetime | None
    exact_duplicates: int  # kept all the same: buying the same thing twice is real
    like_floats: tuple[str, ...] = ()  # the columns of ids that all end in .0
    odd_ids: tuple[OddIds, ...] = ()
    sessions: int = 0  # of the users, those that are anonymous sessions

    def too_many_rejected(self, most: float) -> list[str]:
        """A sentence for each kind of file of which a larger share of the rows than this was rejected."""
        return [
            f"{name}: {counts.share_rejected:.0%} of the rows were rejected, of at most {most:.0%} (--max-rejected)"
            for name, counts in (("events", self.events), ("catalogue", self.catalogue))
            if counts is not None and counts.share_rejected > most
        ]

    def render(self) -> str:
        """The report as lines of text for a terminal."""
        text = self.events.lines("events")
        if self.catalogue is not None:
            text += self.catalogue.lines("catalogue")
        anonymous = f" ({self.sessions:,} of them anonymous sessions)" if self.sessions else ""
        text.append(
            f"users: {self.users:,}{anonymous}; items: {self.items:,}; exact duplicates kept: {self.exact_duplicates:,}"
        )
        text += [
            f"{name}: all end in .0, as pandas writes whole numbers beside missing ones; the API knows them only so. "
            f"hint: {WHOLE_IDS}"
            for name in self.like_floats
        ]
        text += [line for one in self.odd_ids for line in one.lines()]
        by_type = sorted(self.events_by_type.items(), key=lambda pair: (-pair[1], pair[0]))
        text.append("event types: " + (", ".join(f"{name} {count:,}" for name, count in by_type) or "none"))
        if self.first is not None and self.last is not None:
            text.append(f"time: {self.first:%Y-%m-%d %H:%M:%S} to {self.last:%Y-%m-%d %H:%M:%S} UTC")
        if self.quarantine_path is not None:
            text.append(f"rejected rows: {self.quarantine_path}")
        return "\n".join(text)


class Tally:
    """Counts the rows of one kind of file while they are read."""

    def __init__(self) -> None:
        self._read = 0
        self._rows: Counter[str] = Counter()
        self._examples: defaultdict[str, list[str]] = defaultdict(list)
        self._blamed: defaultdict[str, list[str]] = defaultdict(list)
        self._ignored: Counter[str] = Counter()

    def add(self, *, read: int, rejected: pl.DataFrame, columns: Mapping[str, str] | None = None) -> None:
        """Count rows read, and those of them that were rejected (columns as `Quarantine.write` takes them).

        Args:
            columns: our names → the shop's; a reason names the field that is to blame as we do.
        """
        self._read += read
        for (reason,), group in rejected.group_by([REASON], maintain_order=True):
            name = str(reason)
            if name in IGNORED:
                self._ignored[name] += group.height
                continue
            self._rows[name] += group.height
            column = _blamed(name, columns or {})
            for row in group.head(EXAMPLES_PER_REASON - len(self._examples[name])).rows(named=True):
                self._examples[name].append(_example(row, first=column))
                if row.get(column) is not None:
                    self._blamed[name].append(str(row[column]))

    def ignore(self, reason: str, rows: int) -> None:
        """Of the rows that were read and not rejected, so many are no events to learn from."""
        if rows:
            self._ignored[reason] += rows

    def counts(self) -> RowCounts:
        """The counts so far."""
        rejected = tuple(
            Rejection(name, rows, tuple(self._examples[name]), hint(name, self._blamed[name]))
            for name, rows in sorted(self._rows.items(), key=lambda pair: (-pair[1], pair[0]))
        )
        kept = self._read - self._rows.total() - self._ignored.total()
        return RowCounts(self._read, kept, rejected, dict(self._ignored))


class Quarantine:
    """Writes rejected rows to a CSV file, as they come; a file left by an earlier run is replaced."""

    def __init__(self, path: Path, *, columns: list[str]) -> None:
        """`columns`: all columns that the shop's files have."""
        self.path = path
        self.rows = 0
        self._schema = pl.Schema(
            {FILE: pl.String, ROW: pl.Int64, REASON: pl.String}
            | {column: pl.String for column in columns if column not in (FILE, ROW, REASON, RAW)}
            | {RAW: pl.String}
        )

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb")
        except OSError as error:
            raise DataError(f"{self.path}: cannot write the quarantine file: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self.rows:
            self.path.unlink()

    def write(self, rejected: pl.DataFrame) -> None:
        """Append rows that have FILE, ROW, REASON and any of the shop's columns, but for those that are ignored."""
        rejected = rejected.filter(~pl.col(REASON).is_in(IGNORED))
        if rejected.is_empty():
            return
        as_text = [
            pl.col(name).cast(kind) if name in rejected.columns else pl.lit(None, dtype=kind).alias(name)
            for name, kind in self._schema.items()
        ]
        try:
            rejected.select(as_text).write_csv(self._file, include_header=not self.rows)
        except OSError as error:
            raise DataError(f"{self.path}: cannot write the quarantine file: {error}") from error
        self.rows += rejected.height


def _blamed(reason: str, columns: Mapping[str, str]) -> str:
    words = reason.replace("_", " ")
    return next((shops for ours, shops in columns.items() if ours.replace("_", " ") in words), "")


def _example(row: Mapping[str, object], *, first: str) -> str:
    file, number, raw = row[FILE], row[ROW], row.get(RAW)
    names = sorted(row.keys() - {FILE, ROW, REASON, RAW}, key=lambda name: (name != first, list(row).index(name)))
    fields = (f"{name}={_cut(str(row[name]), _VALUE_CHARACTERS)}" for name in names if row[name] is not None)
    content = _around_what_is_wrong(str(raw)) if raw is not None else " ".join(fields)
    return f"{file} row {number}: {_cut(content, _EXAMPLE_CHARACTERS)}"


def _around_what_is_wrong(raw: str) -> str:
    """From a little before the first byte that could not be decoded."""
    start = raw.find("\N{REPLACEMENT CHARACTER}") - _VALUE_CHARACTERS
    return raw if start <= 0 else f"…{raw[start:]}"


def _cut(text: str, characters: int) -> str:
    line = text.replace("\n", "\\n")
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
