"""A shop's file in; what stands in some of its rows out, by column and by the paths of fields inside columns.

As `rows` reads them, but without a mapping: how text is written and parted is found out here.
"""

import csv
import gzip
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from recsys.errors import DataError
from trainer.shop_data import rows
from trainer.shop_data.mapping import ColumnMapping

_HEAD_BYTES: Final = 1 << 18
_HEAD_ROWS: Final = 200
_SAMPLED_ROWS: Final = 2_000  # from all over the first block: a file that is sorted by time begins with one month
_SEPARATORS: Final = ",;\t|\x01"
_PARTED_TWICE: Final = "::"  # of MovieLens: two separators, with an empty field between them
_DEEPEST: Final = 3
# what no column is called: a line that has it is a row
_NO_NAME: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?|\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T].*)?")


@dataclass(frozen=True)
class Sample:
    """Some rows of a file."""

    separator: str | None  # of CSV; none where the file says it itself
    encoding: str
    has_header: bool
    columns: dict[str, list[str]]  # [sampled rows] of each column or path, in the file's order; empty: nothing is there
    lists: dict[str, list[str]]  # column of a list in each row → the paths of fields of its elements, or itself


def of(path: Path, mapping: ColumnMapping) -> Sample | None:
    """Of one file; none where it cannot be read or has nothing."""
    encoding, separator, header = mapping.encoding, mapping.separator, mapping.header
    has_header = True
    try:
        if rows.is_csv(path):
            head = _head(path)
            encoding = _encoding(head)
            text = head.decode(encoding, "replace").lstrip("\ufeff")
            separator = _separator(text) or separator
            first = next((row for row in _parted(text, separator) if row), [])
            has_header = bool(header) or not any(_NO_NAME.fullmatch(field.strip()) for field in first)
            header = header if has_header else ("",) * len(first)
        [source] = rows.sources(path, separator=separator, encoding=encoding, header=header)
        batch = next(rows.batches(source, also=list(source.nested)), None)
    except (DataError, OSError, EOFError, ValueError):
        return None
    if batch is None or batch.frame.is_empty():
        return None
    frame = batch.frame.gather_every(max(batch.frame.height // _SAMPLED_ROWS, 1)).head(_SAMPLED_ROWS)
    flat, lists = _flat(frame)
    return Sample(separator if source.header_lines < 2 else None, encoding, has_header, flat, lists)


def _head(path: Path) -> bytes:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.count(0) > len(head) / 4:
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    for encoding in ("utf-8", "cp1252"):
        try:
            head.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding == "utf-8" and error.start >= len(head) - 3:
                return encoding  # the last character was cut
        else:
            return encoding
    return "latin-1"


def _separator(text: str) -> str | None:
    """What parts most lines into as many fields, more than one, as the first; none: nothing does."""
    lines = text.splitlines()[:_HEAD_ROWS]
    if lines and all(_PARTED_TWICE in line for line in lines if line.strip()):
        return _PARTED_TWICE[0]
    best: tuple[int, int, str] | None = None
    for separator in _SEPARATORS:
        widths = [len(row) for _, row in zip(range(_HEAD_ROWS), _parted(text, separator), strict=False) if row]
        if widths and widths[0] > 1:
            agreeing = Counter(widths)[widths[0]]
            best = max(best or (0, 0, ""), (agreeing, widths[0], separator))
    return None if best is None else best[2]


def _parted(text: str, separator: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text), delimiter=separator)
    except csv.Error:
        return


def _flat(frame: pl.DataFrame) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Columns that hold JSON as columns of the fields inside it; and which of them are lists."""
    columns: dict[str, list[str]] = {}
    lists: dict[str, list[str]] = {}
    for name in frame.columns:
        texts = [(text or "").strip() for text in frame[name].cast(pl.String, strict=False)]
        if any(text.startswith(("{", "[")) for text in texts):
            _open_up(name, [_json(text) for text in texts], columns, lists)
        else:
            columns[name] = texts
    return columns, lists


def _open_up(
    path: str, values: Sequence[object], columns: dict[str, list[str]], lists: dict[str, list[str]], depth: int = 0
) -> None:
    """Adds what stands in the values at the end of a path: fields of objects, and of the elements of lists."""
    if depth > _DEEPEST:
        return
    if any(isinstance(value, list) for value in values):
        values = [element for value in values for element in (value if isinstance(value, list) else [value])]
        if "[" in path or any(path.startswith(f"{one}.") for one in lists):
            return  # an element's own list
        before = set(columns)
        lists[path] = []
        _open_up(path, values, columns, lists, depth + 1)
        lists[path] = [name for name in columns if name not in before]
    elif any(isinstance(value, dict) for value in values):
        fields: defaultdict[str, list[object]] = defaultdict(list)
        objects = [value for value in values if isinstance(value, dict)]
        for name in dict.fromkeys(key for one in objects for key in one):
            fields[name] = [one.get(name) for one in objects]
        for name, inside in fields.items():
            _open_up(f"{path}.{name}", inside, columns, lists, depth + 1)
    else:
        columns[path] = [
            "" if value is None else value if isinstance(value, str) else json.dumps(value) for value in values
        ]


def _json(text: str) -> object:
    if not text.startswith(("{", "[")):
        return text or None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
