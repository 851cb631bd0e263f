"""A shop's files in, batches of rows with their row numbers out; what is no row is set aside with its text.

CSV and JSON are read as text throughout, so that an id like 007 stays what it is; Parquet keeps its own types.
"""

import csv
import glob
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.errors import DataError
from trainer.shop_data import json_array, json_lines, nesting, not_rows, parquet, records
from trainer.shop_data.records import Records

Format = Literal["csv", "jsonl", "array", "parquet"]  # array: of JSON objects

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".data": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}

WRONG_QUOTES = "unreadable quoting"
NOT_JSON = "not a JSON object"

_NONE_MALFORMED = pl.DataFrame(schema={"row": pl.Int64, "reason": pl.String, "raw": pl.String})
_FIRST_BYTES = 1 << 20
_SAMPLED_LINES = 1_000
SAYS_SEPARATOR = re.compile(r'"?sep=([^"\r\n\x80-\U0010ffff])"?,*\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One file."""

    path: Path
    format: Format
    separator: str
    encoding: str
    columns: list[str]  # of JSON: the keys of the first thousand objects; more may follow
    nested: tuple[str, ...] = ()  # of Parquet: columns that are read where a path leads into them
    first_row: int = 0  # of those to read, from 0; of text, always the first
    most_rows: int | None = None  # to read; none: all that follow
    header_lines: int = 1  # of CSV: that stand before the first row, blank ones not counted

    def has(self, name: str) -> bool:
        """Whether rows may have this column, or this field inside one."""
        return self.shows(name) or self.format in ("jsonl", "array")

    def shows(self, name: str) -> bool:
        """Whether it is seen to have the column, or that in which the field of this path stands."""
        return nesting.column_of(name, (*self.columns, *self.nested)) is not None and name not in self.nested


@dataclass(frozen=True)
class RowBatch:
    """Some rows of one file."""

    frame: pl.DataFrame  # the shop's columns: str, of Parquet any type
    rows: NDArray[np.int64]  # [frame.height] from 1; line of a text file, header included
    malformed: pl.DataFrame  # row i64, reason str, raw str: what could not be parted into columns


def sources(path: Path, *, separator: str, encoding: str, header: tuple[str, ...] = ()) -> list[Source]:
    """The files that a path means: a file, all below a directory, or those that a pattern matches; sorted by name.

    Text files without a single line, which have no rows and no columns, are skipped.

    Args:
        header: names of the columns of CSV whose first line is a row; none: the first line has them.

    Raises:
        DataError: there is none, or one cannot be opened.
    """
    opened = [_open(p, separator, encoding, header) for p in files(path)]
    return [source for source in opened if source is not None]


def files(path: Path) -> list[Path]:
    """The files that a path means, sorted by name. Raises: DataError (there is none)."""
    if path.is_dir():
        paths = sorted(p for p in path.rglob("*") if p.is_file() and _format(p) and not p.name.startswith((".", "_")))
    else:
        paths = [path] if path.is_file() else sorted(Path(p) for p in glob.glob(str(path), recursive=True))
    if not paths:
        raise DataError(f"{path}: expected a CSV, JSON or Parquet file, a directory or a pattern, found none")
    return paths


def is_csv(path: Path) -> bool:
    """Whether the file is read as CSV."""
    return _format(path) == "csv"


def parts(source: Source, *, rows: int) -> list[Source]:
    """A Parquet file in parts of so many rows at the most, each to be read alone; text, whose rows only reading finds,
    as it is.

    Raises:
        DataError: the file cannot be read.
    """
    if source.format != "parquet":
        return [source]
    starts = range(0, max(parquet.height(source.path), 1), rows)
    return [replace(source, first_row=start, most_rows=rows) for start in starts]


def batches(source: Source, *, also: list[str]) -> Iterator[RowBatch]:
    """Rows of a file, in order. `also` names columns that JSON may have beyond those of the first objects, and paths.

    Raises:
        DataError: the file cannot be read.
    """
    if source.format == "csv":
        return _csv_batches(source)
    known = (*source.columns, *source.nested)
    asked = [nesting.column_of(name, known) or nesting.first_of(name) for name in also]
    if source.format == "parquet":
        return _parquet_batches(source, [*source.columns, *(name for name in source.nested if name in asked)])
    return _json_batches(source, list(dict.fromkeys([*source.columns, *asked])))


def _format(path: Path) -> Format | None:
    return _FORMATS.get((path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower())


def _open(path: Path, separator: str, encoding: str, header: tuple[str, ...]) -> Source | None:
    kind = _format(path)
    if kind is None:
        raise DataError(
            f"{path}: expected a name that ends in {', '.join(_FORMATS)} (the text ones also in .gz); "
            "unpack other archives, and save workbooks as CSV"
        )
    if kind == "parquet":
        plain, nested = parquet.columns(path)
        return Source(path, kind, separator, encoding, plain, tuple(nested))
    if kind == "jsonl" and json_array.begins(path, encoding=encoding):
        kind = "array"
    source = Source(path, kind, separator, encoding, [])
    first = next(_records(source, block_bytes=_FIRST_BYTES), None)
    lines = first.where(~first.blank()).where(slice(_SAMPLED_LINES)) if first else None
    if not lines:
        return None
    if kind != "csv":
        return replace(source, columns=json_lines.keys(path, lines.texts()))
    said = SAYS_SEPARATOR.fullmatch(lines.where(slice(1)).texts()[0])
    if said is not None:  # a line of Excel's, which knows the separator better than any mapping
        source = replace(source, separator=said[1])
        lines = next(_records(source, block_bytes=_FIRST_BYTES))
        lines = lines.where(~lines.blank()).where(slice(1, _SAMPLED_LINES))
    before = 0 if said is None else 1
    if header:
        if len(lines) and lines.fields[0] != len(header):
            raise DataError(
                f"{path} row {lines.rows[0]}: expected {len(header)} fields, as the header in the mapping names, "
                f"found {lines.fields[0]}"
            )
        return replace(source, columns=_named(header, where="header in the mapping"), header_lines=before)
    if not len(lines):
        return None
    return replace(source, columns=_header(path, lines, source.separator), header_lines=before + 1)


def _records(source: Source, *, block_bytes: int = records.BLOCK_BYTES) -> Iterator[Records]:
    if source.format == "array":
        return json_array.read(source.path, encoding=source.encoding, block_bytes=block_bytes)
    parted_by = source.separator if source.format == "csv" else None
    return records.read(source.path, separator=parted_by, encoding=source.encoding, block_bytes=block_bytes)


def _header(path: Path, lines: Records, separator: str) -> list[str]:
    """The names of the columns; one without a name, as spreadsheets leave behind, is called by its place."""
    first = lines.where(slice(1))
    if not first.valid_utf8().all():
        raise DataError(f'{path} row 1: expected text in the encoding of the mapping, such as encoding = "cp1252"')
    try:
        names = next(csv.reader(first.texts(), delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{path} row 1: expected names of columns: {error}") from error
    return _named(names, where=f"{path} row {first.rows[0]}")


def _named(names: Sequence[str], *, where: str) -> list[str]:
    columns = [name or f"column {place}" for place, name in enumerate(names, 1)]
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise DataError(f"{where}: expected every column once, found {repeated} again")
    return columns


def _csv_batches(source: Source) -> Iterator[RowBatch]:
    width = len(source.columns)
    schema = {f"c{n}": pl.String() for n in range(width)}
    # A header of our own in front of each block: polars would take a byte order mark off an id that starts with one.
    header = source.separator.join(schema).encode() + b"\n"

    def parse(body: bytes) -> pl.DataFrame:
        return pl.read_csv(header + body, schema=schema, separator=source.separator)

    for n, block in enumerate(_records(source)):
        rows = block.where(~block.blank())
        if n == 0:
            rows = rows.where(slice(source.header_lines, None))
        fits, valid = rows.fields == width, rows.valid_utf8()
        frame, readable = _parse_where_possible(rows, fits & valid, parse)
        frame.columns = source.columns
        reason = np.select([~fits, ~valid], [not_rows.WRONG_FIELDS, _invalid(source)], WRONG_QUOTES)
        yield RowBatch(
            frame, rows.rows[readable], not_rows.named(_malformed(rows, ~readable, reason), separator=source.separator)
        )


def _json_batches(source: Source, keys: list[str]) -> Iterator[RowBatch]:
    schema = {key: pl.String() for key in keys}

    def parse(body: bytes) -> pl.DataFrame:
        return pl.read_ndjson(body, schema=schema)

    for block in _records(source):
        rows = block.where(~block.blank())
        valid, whole = rows.valid_utf8(), json_lines.whole_characters(rows)
        begins = np.isin(rows.data[rows.starts], np.frombuffer(b"{ \t", dtype=np.uint8))
        frame, readable = _parse_where_possible(rows, valid & whole & begins, parse)
        reason = np.select([~valid, ~whole], [_invalid(source), json_lines.HALF_CHARACTER], NOT_JSON)
        yield RowBatch(frame, rows.rows[readable], _malformed(rows, ~readable, reason))


def _invalid(source: Source) -> str:
    return f"invalid {source.encoding.upper()}"


def _parquet_batches(source: Source, names: list[str]) -> Iterator[RowBatch]:
    start = source.first_row
    for frame in parquet.frames(source.path, names, first=start, most=source.most_rows):
        yield RowBatch(frame, np.arange(start, start + frame.height) + 1, _NONE_MALFORMED)
        start += frame.height


def _parse_where_possible(
    rows: Records, chosen: NDArray[np.bool_], parse: Callable[[bytes], pl.DataFrame]
) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """Parse the chosen records at once; where that fails, by halves, until each record that cannot be parsed is found.

    Returns:
        The parsed rows, and bool [len(rows)]: which records they are.
    """
    readable = chosen.copy()
    frames = []
    pending = [np.flatnonzero(chosen)]
    while pending:
        part = pending.pop()
        try:
            frame = parse(rows.where(part).joined())
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # a panic is no Exception
            frame = None
        if frame is not None and frame.height == len(part):
            frames.append(frame)
        elif len(part) == 1:
            readable[part] = False
        else:
            first, second = np.array_split(part, 2)
            pending += [second, first]
    return pl.concat(frames) if frames else parse(b""), readable


def _malformed(rows: Records, chosen: NDArray[np.bool_], reason: NDArray[np.str_]) -> pl.DataFrame:
    these = rows.where(chosen)
    return pl.DataFrame(
        {"row": these.rows, "reason": reason[chosen].tolist(), "raw": these.texts()}, schema=_NONE_MALFORMED.schema
    )
