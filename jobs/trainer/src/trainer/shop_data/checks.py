"""The pieces that checking rows is made of: finding columns, reading fields, the first reason to reject a row.

Used for events and for the catalogue alike, so that both are read and rejected in the same way.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from recsys.artifact.catalogue import ATTRIBUTE
from recsys.errors import DataError
from recsys.ids import MAX_ID_LENGTH
from trainer.shop_data import odd_ids
from trainer.shop_data.hints import FAR_BEFORE, UNREADABLE_TIMESTAMP
from trainer.shop_data.mapping import ColumnMapping, EventColumns, ItemColumns
from trainer.shop_data.quarantine import FILE, RAW, REASON, ROW, Quarantine, Tally
from trainer.shop_data.rows import RowBatch, Source
from trainer.shop_data.shaping import joined_name
from trainer.shop_data.timestamps import UTC_MICROSECONDS

LARGEST: Final = 1e12
"""Of amounts and quantities, as of the API's: sums of them stay finite."""


@dataclass(frozen=True)
class Checked:
    """A batch in our columns, with the reason to reject each row, or null."""

    source: Source
    columns: dict[str, str]  # our names → the file's
    batch: RowBatch
    ours: pl.DataFrame  # as high as batch.frame; has REASON

    def good(self) -> pl.DataFrame:
        """The rows to keep, in our columns."""
        return self.ours.filter(pl.col(REASON).is_null()).drop(REASON)

    def rejected(self) -> "Rejected":
        """The rows to reject, in the shop's columns."""
        file = pl.lit(str(self.source.path)).alias(FILE)
        reason = self.ours[REASON]
        origin = self.batch.frame.drop(FILE, ROW, REASON, RAW, strict=False)
        refused = origin.with_columns(file, pl.Series(ROW, self.batch.rows), reason).filter(reason.is_not_null())
        malformed = self.batch.malformed.rename({"row": ROW, "reason": REASON, "raw": RAW}).with_columns(file)
        return Rejected(self.ours.height, refused, malformed, self.columns)

    def set_aside(self, tally: Tally, quarantine: Quarantine) -> None:
        """Count the rows, and write those to reject to the quarantine file."""
        self.rejected().set_aside(tally, quarantine)


@dataclass(frozen=True)
class Rejected:
    """What was not taken of a batch. Both frames have FILE, ROW and REASON."""

    read: int  # rows that could be parted into columns
    refused: pl.DataFrame  # those of them that are not taken, in the shop's columns
    malformed: pl.DataFrame  # what could not be parted; has RAW
    columns: dict[str, str]  # our names → the file's

    def set_aside(self, tally: Tally, quarantine: Quarantine) -> None:
        """Count the rows, and write those to reject to the quarantine file."""
        for rejected in (self.refused, self.malformed):
            quarantine.write(rejected)
        tally.add(read=self.read, rejected=self.refused, columns=self.columns)
        tally.add(read=self.malformed.height, rejected=self.malformed)


def columns_in(source: Source, table: EventColumns | ItemColumns, *, required: tuple[str, ...]) -> dict[str, str]:
    """Our names → the file's names, of the columns that it has; `attr:NAME` are those of attributes.

    A column that is required, or that the mapping names, must be there; any other may be missing. An attribute is one
    that the mapping names or that has our name already. A vector alone may be a whole list of Parquet.

    Raises:
        DataError: it is not there.
    """
    named_ones = {name: getattr(table, name) for name in type(table).model_fields if name != "attributes"}
    wanted = {name: column for name, column in named_ones.items() if column is not None}
    present = {}
    for ours, named in wanted.items():
        columns: tuple[str, ...] = named if isinstance(named, tuple) else (named,)
        lacking = [one for one in columns if not (source.shows(one) or (ours not in required and source.has(one)))]
        if ours == "vector" and named in source.nested:
            lacking = []
        if not lacking:
            present[ours] = joined_name(columns)
        elif ours in required or ours in table.model_fields_set:
            raise missing_column(source, lacking[0], meaning=ours)
    if isinstance(table, EventColumns):
        return present
    present |= {column: column for column in source.columns if column.startswith(ATTRIBUTE)}
    for attribute in table.attributes:
        if not source.has(attribute.column):
            raise missing_column(source, attribute.column, meaning="an attribute")
        present[f"{ATTRIBUTE}{attribute.name}"] = attribute.column
    return present


def missing_column(source: Source, column: str, *, meaning: str) -> DataError:
    """The error for a column that a file should have."""
    found = ", ".join(repr(name) for name in (*source.columns, *source.nested)) or "none"
    other = next((one for one in ";\t|" if len(source.columns) == 1 and one in source.columns[0]), None)
    parts = f"in the mapping, separator = {json.dumps(other)} would part it"
    advice = parts if other else "`validate` proposes a mapping"
    return DataError(f"{source.path}: expected a column {column!r} ({meaning}), found {found}; {advice}")


def text(column: str | None) -> pl.Expr:
    """A column as text, unchanged; null where it is empty or where there is no such column."""
    if column is None:
        return pl.lit(None, dtype=pl.String)
    field = pl.col(column).cast(pl.String)
    return pl.when(field != "").then(field)


@dataclass(frozen=True)
class Times:
    """Between which an event may lie."""

    latest: datetime
    earliest: datetime | None = None

    @classmethod
    def until(cls, now: datetime | None) -> "Times":
        """Up to a day after `now`, or the clock's time: clocks differ, and a local time may be read as UTC."""
        return cls((now or datetime.now(UTC)) + timedelta(days=1))

    def reasons(self) -> list[tuple[pl.Expr, str]]:
        """To reject a row with this `timestamp`, as `first_reason` takes them."""
        timestamp = pl.col("timestamp")
        return [
            (timestamp.is_null(), UNREADABLE_TIMESTAMP),
            (timestamp > self.latest, "timestamp in the future"),
            (timestamp < pl.lit(self.earliest, UTC_MICROSECONDS), FAR_BEFORE),
        ]


@dataclass(frozen=True)
class Numbers:
    """How a file writes its numbers."""

    decimal: str = "."
    thousands: str = ""

    def read(self, field: pl.Expr) -> pl.Expr:
        """Text as a float64 within ±LARGEST; null where it is not one."""
        written = field.str.strip_chars()
        if (self.decimal, self.thousands) != (".", ""):
            written = pl.when(written.str.contains(self._pattern())).then(written)
            if self.thousands:
                written = written.str.replace_all(self.thousands, "", literal=True)
            written = written.str.replace(self.decimal, ".", literal=True)
        value = written.cast(pl.Float64, strict=False)
        return pl.when(value.abs() <= LARGEST).then(value)

    def _pattern(self) -> str:
        """A thousands separator that stands anywhere but between groups of three is no number: 1.25 is not 125."""
        groups = rf"|\d{{1,3}}({re.escape(self.thousands)}\d{{3}})+" if self.thousands else ""
        return rf"^[+-]?(\d+{groups})?({re.escape(self.decimal)}\d*)?([eE][+-]?\d+)?$"


def identifier(column: str | None, numbers: Numbers, *, whole: bool, missing: Sequence[str] = ()) -> pl.Expr:
    """A column of ids as text; whole numbers without their decimals where that is asked for; null for the missing."""
    found = text(column)
    if whole:
        found = found.str.replace(odd_ids.decimals_pattern(numbers.decimal), "${1}")
    return pl.when(~found.is_in(missing)).then(found) if missing else found


def numbers_of(source: Source, mapping: ColumnMapping) -> Numbers:
    """JSON and Parquet have numbers of their own; what the mapping says is of text alone."""
    return Numbers(mapping.decimal, mapping.thousands) if source.format == "csv" else Numbers()


def first_reason(*reasons: tuple[pl.Expr, str], also: pl.Expr | None = None) -> pl.Expr:
    """Of each row, what `also` says, or the first reason whose condition holds, else null; named REASON."""
    said = [] if also is None else [also]
    return pl.coalesce(*said, *(pl.when(condition).then(pl.lit(reason)) for condition, reason in reasons)).alias(REASON)


def too_long(identifier: str) -> tuple[pl.Expr, str]:
    """The reason to reject a row with an id that no request could name."""
    reason = f"{identifier} longer than {MAX_ID_LENGTH} characters"
    return pl.col(identifier).str.len_chars() > MAX_ID_LENGTH, reason
