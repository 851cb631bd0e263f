"""The first lines of a CSV file in, the lines of a mapping that would read them out, as far as the file tells.

Told are separator, encoding, decimal comma, thousands, the columns and format of times, and the columns of customers
and items where one alone is called so; else they are left to whoever knows.
"""

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from trainer.shop_data import hints, rows
from trainer.shop_data.mapping import ColumnMapping

_HEAD_BYTES: Final = 1 << 18
_SAMPLED_ROWS: Final = 200
_SEPARATORS: Final = ",;\t|"
_MOST: Final = 0.9  # of the values of a column that must look like what it is taken for
_COMMA: Final = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}(\.\d{3})+,\d+")
_COMMA_FOR_SURE: Final = re.compile(r".*,(\d{1,2}|\d{4,})")
_NUMBER: Final = re.compile(r"[+-]?[\d.]+(,\d+)?")
_YEAR_FIRST: Final = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T].*)?")
_NUMBERED: Final = r"[ _-]?(id|no|nr|number|nummer|code)"
_CALLED: Final = {
    "user_id": re.compile(rf"(user|customer|client|visitor|member|buyer|shopper|kunden?){_NUMBERED}", re.IGNORECASE),
    "item_id": re.compile(rf"(item|product|stock|article|artikel|produkt){_NUMBERED}|sku|asin", re.IGNORECASE),
}
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def told(path: Path, mapping: ColumnMapping) -> list[str]:
    """What to tell of the first CSV file that a path means, the lines below a sentence; nothing where it has none."""
    first = next((file for file in rows.files(path) if rows.is_csv(file)), None)
    found = [] if first is None else lines(first, mapping)
    return [f"{first} itself suggests this for its mapping:", *(f"  {one}".rstrip() for one in found)] if found else []


def lines(path: Path, mapping: ColumnMapping) -> list[str]:
    """Lines of TOML that the file suggests and the mapping does not have; none where it cannot be read."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, EOFError):
        return []
    encoding = _encoding(head)
    text = head.decode(encoding, "replace").lstrip("\ufeff")
    separator = _separator(text)
    if separator is None:
        return []
    table = [row for row in _rows(text, separator) if row]
    header, sampled = table[0], [row for row in table[1 : _SAMPLED_ROWS + 1] if len(row) == len(table[0])]
    columns = {name: [row[n].strip() for row in sampled if row[n].strip()] for n, name in enumerate(header)}
    settings = {"separator": separator, "encoding": encoding, **_marks(columns)}
    found = [
        f"{key} = {_toml(value)}"
        for key, value in settings.items()
        if value != getattr(mapping, key) and not (key == "encoding" and _is_read(encoding, by=mapping))
    ]
    time_columns, formats = _times(columns, mapping)
    named = [*_to_name(header, mapping), *time_columns]
    return [*found, *(["", "[columns]", *named] if named else []), *(["", "[timestamp]", *formats] if formats else [])]


def _is_read(encoding: str, *, by: ColumnMapping) -> bool:
    return encoding in ("utf-8", "utf-16") or by.encoding != "utf-8"  # UTF-16 says so itself; what a shop says is right


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


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text), delimiter=separator)
    except csv.Error:
        return


def _separator(text: str) -> str | None:
    """What parts most lines into as many fields, more than one, as the first; none: nothing does."""
    best: tuple[int, int, str] | None = None
    for separator in _SEPARATORS:
        widths = [len(row) for _, row in zip(range(_SAMPLED_ROWS), _rows(text, separator), strict=False) if row]
        if widths and widths[0] > 1:
            agreeing = Counter(widths)[widths[0]]
            best = max(best or (0, 0, ""), (agreeing, widths[0], separator))
    return None if best is None else best[2]


def _marks(columns: dict[str, list[str]]) -> dict[str, str]:
    """What parts whole and fraction, and thousands, where that is not a point and nothing."""
    commas = [
        values
        for values in columns.values()
        if _are(values, _NUMBER) and any(_COMMA.fullmatch(one) and _COMMA_FOR_SURE.fullmatch(one) for one in values)
    ]
    if not commas:
        return {}
    parted = any("." in one for values in commas for one in values)
    return {"decimal": ",", **({"thousands": "."} if parted else {})}


def _to_name(header: list[str], mapping: ColumnMapping) -> list[str]:
    """Keys of the columns that every row needs and that are not there: as they are called, or to be filled in."""
    named = {"user_id": mapping.columns.user_id, "item_id": mapping.columns.item_id}
    return [_named(ours, header) for ours, theirs in named.items() if theirs not in header]


def _named(ours: str, header: list[str]) -> str:
    called = [name for name in header if _CALLED[ours].fullmatch(name.strip())]
    if len(called) == 1:
        return f"{ours} = {_toml(called[0])}"
    return f'# {ours} = "…"  # which of {", ".join(map(_toml, called or header))}?'


def _times(columns: dict[str, list[str]], mapping: ColumnMapping) -> tuple[list[str], list[str]]:
    """Lines that name the columns of dates and times of day, and a line with their format where they need one."""
    if mapping.timestamp.format != "auto":
        return [], []
    named = [name for name in mapping.columns.timestamp if name in columns]
    dates = [name for name in (named or columns) if _are(columns[name], hints.A_DATE)]
    formats = hints.date_formats(columns[dates[0]]) if dates else None
    if formats is None:  # those that begin with the year are read as they are
        dates = [] if named else [name for name in columns if _are(columns[name], _YEAR_FIRST)]
    if not dates:
        return [], []
    found, time = dates[:1], ""
    clocks = [name for name, values in columns.items() if _are(values, _CLOCK)]
    if clocks and ":" not in columns[found[0]][0]:
        found = [*found, clocks[0]]
        time = " %H:%M:%S" if columns[clocks[0]][0].count(":") == 2 else " %H:%M"
    names = [f"timestamp = {_toml(found if len(found) > 1 else found[0])}"]
    if formats is None:
        return names, []
    day, month = (one.strip('"') + time for one in (formats.day, formats.month))
    chosen = month if formats.first == ("month",) else day
    other = f"  # or {_toml(month)}, if the month comes first" if not formats.first else ""
    return [] if found == named else names, [f"format = {_toml(chosen)}{other}"]


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _are(values: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return bool(values) and sum(pattern.fullmatch(one) is not None for one in values) >= _MOST * len(values)
