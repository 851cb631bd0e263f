"""A sample of a file in, the lines of a mapping that would read it out, as far as the file tells.

Columns are told by what they are called and by what stands in them; where several could be meant, they are left to
whoever knows. Those of a file without a header are told by their order.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from trainer.shop_data import hints, nesting, rows, samples
from trainer.shop_data.checks import Numbers
from trainer.shop_data.mapping import IGNORE, ColumnMapping
from trainer.shop_data.odd_ids import NOBODY, decimals_pattern
from trainer.shop_data.samples import Sample
from trainer.shop_data.vocabulary import called, is_interest, type_of

_MOST: Final = 0.9  # of the values of a column that must look like what it is taken for
_COMMA: Final = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}(\.\d{3})+,\d+")
_COMMA_FOR_SURE: Final = re.compile(r".*,(\d{1,2}|\d{4,})")
_NUMBER: Final = re.compile(r"[+-]?[\d.]+(,\d+)?")
_PLAIN_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_FRACTION: Final = re.compile(r"[+-]?\d*\.\d+")
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_MOST_TYPES: Final = 30
_BEST: Final = (5, 10)  # of ratings
_FEW_RATINGS: Final = 2
_MOST_RATINGS: Final = 11
_LIKED: Final = 0.7  # of the way from the worst rating to the best
_WEIGHT_OF_INTEREST: Final = 2
_SHARE_OF_NOBODY: Final = 0.05  # of the events: more than any one customer of a shop with `_FEW_USERS` has
_FEW_USERS: Final = 20

_TABLES: Final = (
    "",
    "columns",
    "item_columns",
    "timestamp",
    "event_type",
    "[event_type.rules]",
    "event_type.names",
    "weights",
)

_EXPORTS: Final = {
    "shopify_orders": {"Lineitem quantity", "Financial Status"},
    "ga4_bigquery": {"event_timestamp", "event_params.key"},
    "google_retail": {"eventType", "visitorId"},
    "amazon_personalize": {"USER_ID", "ITEM_ID", "TIMESTAMP"},
}


def told(path: Path, mapping: ColumnMapping) -> list[str]:
    """What to tell of the first file that a path means, the lines below a sentence; nothing where it tells nothing."""
    first = rows.files(path)[0]
    sample = samples.of(first, mapping)
    found = [] if sample is None else lines(sample, mapping)
    if sample is None or not found:
        return []
    known = [f"examples/mappings/{name}" for name, its in _EXPORTS.items() if its <= set(sample.columns)]
    return [
        f"{first} itself suggests this for its mapping:",
        *(f"  {one}".rstrip() for one in found),
        *(f"its columns are those of {one}: that mapping may read it as it is" for one in known),
    ]


def lines(sample: Sample, mapping: ColumnMapping) -> list[str]:
    """Lines of TOML that the file suggests and the mapping does not have."""
    said = _Said(sample, mapping)
    said.ids()
    said.times()
    said.types()
    said.pieces()
    said.facts_of_items()
    said.settings(sample)
    return said.lines()


class _Said:
    """What a file tells, by the table of the mapping that it belongs to."""

    def __init__(self, sample: Sample, mapping: ColumnMapping) -> None:
        self._mapping = mapping
        self._tables: dict[str, list[str]] = {name: [] for name in _TABLES}
        self._is_first = not (mapping.columns.model_fields_set or mapping.item_columns.model_fields_set)
        if sample.has_header:
            self._each, self._columns = _of_one_list(sample, mapping)
        else:
            header, self._each = _header(sample), None
            self._columns = dict(zip(header, sample.columns.values(), strict=True))
            named = ["" if name in sample.columns else name for name in header]
            self._say("", "header", named, note="told by order and values: look at it")
        fields = mapping.columns
        self._chosen = {ours: getattr(fields, ours) for ours in ("user_id", "item_id", "session_id", "quantity")}

    def ids(self) -> None:
        """The columns that every row needs, but for the time; a session's where the row names no user."""
        sessions = called("session_id", self._columns)
        has_session = self._is_there(self._chosen["session_id"])
        if not has_session and len(sessions) == 1 and self._is_first and self._lacks_users():
            has_session = True
            self._choose("session_id", sessions)
        if not (has_session and not called("user_id", self._columns)):
            self._choose("user_id", called("user_id", self._columns))
        self._choose("item_id", called("item_id", self._columns))

    def _is_there(self, name: str) -> bool:
        """Whether the file has the column, or that which the path leads into."""
        return name in self._columns or nesting.first_of(name) in map(nesting.first_of, self._columns)

    def _lacks_users(self) -> bool:
        """Whether some rows name no user."""
        users = called("user_id", self._columns)
        return not users or any(not one or one in NOBODY for name in users[:1] for one in self._columns[name])

    def _choose(self, ours: str, found: Sequence[str]) -> None:
        """Name the column of an id, or those that it may be."""
        if self._is_there(self._chosen[ours]):
            return
        if len(found) == 1:
            self._chosen[ours] = found[0]
            self._say("columns", ours, found[0])
        else:
            self._ask("columns", ours, found or list(self._columns))

    def times(self) -> None:
        """The columns of dates and times of day, and their format where they need one."""
        mapping, columns = self._mapping, self._columns
        at = mapping.columns.timestamp
        if mapping.timestamp.format != "auto" or (at[0] not in columns and self._is_there(at[0])):
            return
        named = [name for name in at if name in columns]
        timely = called("timestamp", columns)
        formats = {name: _time_format(_filled(columns[name]), is_timely=name in timely) for name in named or columns}
        late = called("another time", columns)
        read = sorted(
            (name for name, format in formats.items() if format is not None),
            key=lambda name: (-round(_share_filled(columns[name]), 1), name in late, name not in timely),
        )
        if not read:
            if not named:
                self._ask("columns", "timestamp", timely, note="no column looks like a time")
            return
        found, format = read[:1], formats[read[0]] or _Format()
        clocks = [name for name in columns if name not in found and _are(_filled(columns[name]), _CLOCK)]
        first = _filled(columns[found[0]])[0]
        if clocks and ":" not in first and not (_PLAIN_NUMBER.fullmatch(first) and not format.likely):
            found = [*found, clocks[0]]
            format = format.at(" %H:%M:%S" if _filled(columns[clocks[0]])[0].count(":") > 1 else " %H:%M")
        if found != named and (len(found) > 1 or not named):
            self._say("columns", "timestamp", found if len(found) > 1 else found[0])
        if format.likely:
            note = f"or {_toml(format.other)}, if the month comes first" if format.other else ""
            self._say("timestamp", "format", format.likely, note=note)

    def types(self) -> None:
        """The column of what happened, and its words in ours; of a column of ratings, which of them are likes."""
        said, ours = self._mapping.event_type, self._mapping.columns.event_type
        if said.model_fields_set or (
            ours not in self._columns and "event_type" in self._mapping.columns.model_fields_set
        ):
            return
        called_so = called("event_type", self._columns)
        for name in [ours] if ours in self._columns else self._columns:
            words = Counter(_filled(self._columns[name]))
            known = sum(rows for word, rows in words.items() if type_of(word) or is_interest(word))
            is_type = name in called_so and not _are(list(words), _FRACTION) if name != ours else not _ratings(words)
            if 0 < len(words) <= _MOST_TYPES and (known > words.total() / 2 or is_type):
                self._say_types(name, words)
                return
        rated = [ours] if ours in self._columns else called("rating", self._columns)
        if len(rated) == 1 and (liked := _ratings(Counter(_filled(self._columns[rated[0]])))):
            self._name("event_type", rated[0])
            self._say("event_type", "others", IGNORE, note="ratings: the best are likes, the others say nothing")
            for rating in liked:
                self._say("event_type.names", rating, "purchase")

    def _say_types(self, column: str, words: Counter[str]) -> None:
        self._name("event_type", column)
        for word, _ in words.most_common():
            ours = type_of(word)
            if word in self._mapping.event_types or word == ours == IGNORE:
                continue
            if is_interest(word):
                self._say("weights", word, _WEIGHT_OF_INTEREST)
            elif ours is not None:
                self._say("event_type.names", word, ours)
            else:
                self._tables["event_type.names"].append(
                    f'# {_key(word)} = "…"  # view, cart, purchase, remove or ignore'
                )

    def pieces(self) -> None:
        """The column of quantities, and what those below 0 are."""
        found = called("quantity", self._columns)
        quantity = self._chosen["quantity"]
        if self._is_first and quantity not in self._columns and len(found) == 1 and self._is_numbers(found[0]):
            quantity = found[0]
            self._say("columns", "quantity", quantity)
        if any(one.startswith("-") for one in self._columns.get(quantity, [])) and not self._mapping.event_type.rules:
            self._say("[event_type.rules]", "column", quantity, note="what came back")
            self._say("[event_type.rules]", "starts_with", "-")
            self._say("[event_type.rules]", "type", "remove")

    def facts_of_items(self) -> None:
        """Columns that describe the item."""
        for ours in ("title", "category", "price"):
            found = [name for name in called(ours, self._columns) if name not in self._chosen.values()]
            if ours in self._columns or len(found) != 1 or not self._is_first or not any(self._columns[found[0]]):
                continue
            if ours != "price" or self._is_numbers(found[0]):
                self._say("item_columns", ours, found[0])

    def settings(self, sample: Sample) -> None:
        """How text, numbers and ids are written."""
        mapping = self._mapping
        if sample.separator not in (None, mapping.separator):
            self._say("", "separator", sample.separator)
        if sample.encoding not in ("utf-8", "utf-16") and mapping.encoding == "utf-8":
            self._say("", "encoding", sample.encoding)  # UTF-16 says so itself; what a shop says is right
        for key, value in _marks(self._columns).items():
            if value != getattr(mapping, key):
                self._say("", key, value)
        ids = [_filled(self._columns[name]) for name in self._ids_there()]
        if not mapping.whole_ids and any(_are(values, re.compile(decimals_pattern("."))) for values in ids):
            self._say("", "whole_ids", True)
        nobody = sorted({one for values in ids for one in values if one in NOBODY} | self._too_busy())
        if nobody and not mapping.missing_ids:
            self._say("", "missing_ids", nobody, note="if they stand for none")
        if self._each is not None and self._each != mapping.each:
            self._say("", "each", self._each)

    def _ids_there(self) -> list[str]:
        return [name for ours, name in self._chosen.items() if ours != "quantity" and name in self._columns]

    def _too_busy(self) -> set[str]:
        """A 0 or -1 that has more of the events than a customer would."""
        users = Counter(_filled(self._columns.get(self._chosen["user_id"], [])))
        return {
            one for one in ("0", "-1") if len(users) >= _FEW_USERS and users[one] > _SHARE_OF_NOBODY * users.total()
        }

    def _is_numbers(self, name: str) -> bool:
        marks = {"decimal": self._mapping.decimal, "thousands": self._mapping.thousands} | _marks(self._columns)
        values = pl.DataFrame({"it": _filled(self._columns[name])}, schema={"it": pl.String})
        return values.height > 0 and values.select(Numbers(**marks).read(pl.col("it"))).null_count().item() == 0

    def _name(self, ours: str, column: str) -> None:
        if getattr(self._mapping.columns, ours) != column:
            self._say("columns", ours, column)

    def _say(self, table: str, key: str, value: object, *, note: str = "") -> None:
        self._tables[table].append(f"{_key(key)} = {_toml(value)}{f'  # {note}' if note else ''}")

    def _ask(self, table: str, key: str, columns: Sequence[str], *, note: str = "") -> None:
        which = f"which of {', '.join(map(_toml, columns))}?" if columns else ""
        self._tables[table].append(f'# {key} = "…"  # {"; ".join(filter(None, (note, which)))}')

    def lines(self) -> list[str]:
        """The tables that have something, each below its name."""
        return [
            line
            for table, said in self._tables.items()
            if said
            for line in ([] if not table else ["", f"[{table}]"]) + said
        ]


@dataclass(frozen=True)
class _Format:
    """How times are written; empty: as they are read without being told."""

    likely: str = ""
    other: str = ""  # what it may be as well

    def at(self, clock: str) -> "_Format":
        """With a time of day behind it."""
        return _Format(*(one and one + clock for one in (self.likely, self.other)))


def _time_format(values: list[str], *, is_timely: bool) -> _Format | None:
    """None: they are no times. Numbers are where a column is called like one."""
    if not values or (_are(values, _PLAIN_NUMBER) and not is_timely):
        return None
    if hints.are_read(values, "auto"):
        return _Format()
    dates = hints.date_formats(values) if _are(values, hints.A_DATE) else None
    if dates is None:
        format = hints.format_of(values)
        return None if format is None else _Format(format)
    day, month = dates.day.strip('"'), dates.month.strip('"')
    if not dates.first:
        return _Format(day, month)
    return _Format(month if dates.first == ("month",) else day)


def _of_one_list(sample: Sample, mapping: ColumnMapping) -> tuple[str | None, dict[str, list[str]]]:
    """The list of which each element is an event, where items stand in none but it; the columns there are then."""
    inside = {path for paths in sample.lists.values() for path in paths}
    plain = [name for name in sample.columns if name not in inside]
    likely = [name for name, paths in sample.lists.items() if called("item_id", paths)]
    each = mapping.each if mapping.each in sample.lists else None
    if each is None and likely and not called("item_id", plain):
        each = likely[0]
    shown = {*plain, *sample.lists.get(each or "", [])}
    return each, {name: values for name, values in sample.columns.items() if name in shown}


def _header(sample: Sample) -> list[str]:
    """Our names of the columns of a file without a header, by what stands in them and their order; else their own."""
    ours: dict[str, str] = {}
    ids: list[str] = []
    for name, values in sample.columns.items():
        filled = _filled(values)
        words = Counter(filled)
        of_known_types = sum(rows for word, rows in words.items() if type_of(word))
        if "timestamp" not in ours and _time_format(filled, is_timely=True) is not None:
            ours["timestamp"] = name
        elif of_known_types > words.total() / 2 or (ids and _is_scale(words)):
            ours.setdefault("event_type", name)
        elif len(words) > 1 and not _are(list(words), _FRACTION):
            ids.append(name)
    ours |= dict(zip(("user_id", "item_id"), ids, strict=False))
    theirs = {name: one for one, name in ours.items()}
    return [theirs.get(name, name) for name in sample.columns]


def _is_scale(words: Counter[str]) -> bool:
    """Whether numbers are ratings without being called so."""
    return len(words) > _FEW_RATINGS and bool(_ratings(words)) and max(map(float, words)) in _BEST


def _ratings(words: Counter[str]) -> list[str]:
    """Those that say that somebody liked it; none where these are no ratings."""
    if not 1 < len(words) <= _MOST_RATINGS or not _are(list(words), _PLAIN_NUMBER, most=1):
        return []
    low, high = min(map(float, words)), max(map(float, words))
    if low < 0 or high > max(_BEST):
        return []
    return sorted(one for one in words if float(one) >= low + _LIKED * (high - low))


def _marks(columns: dict[str, list[str]]) -> dict[str, str]:
    """What parts whole and fraction, and thousands, where that is not a point and nothing."""
    commas = [
        values
        for values in map(_filled, columns.values())
        if _are(values, _NUMBER) and any(_COMMA.fullmatch(one) and _COMMA_FOR_SURE.fullmatch(one) for one in values)
    ]
    if not commas:
        return {}
    parted = any("." in one for values in commas for one in values)
    return {"decimal": ",", **({"thousands": "."} if parted else {})}


def _filled(values: Sequence[str]) -> list[str]:
    return [value for value in values if value]


def _share_filled(values: Sequence[str]) -> float:
    return len(_filled(values)) / max(len(values), 1)


def _are(values: Sequence[str], pattern: re.Pattern[str], *, most: float = _MOST) -> bool:
    return bool(values) and sum(pattern.fullmatch(one) is not None for one in values) >= most * len(values)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
