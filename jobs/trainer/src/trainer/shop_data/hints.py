"""Why rows were rejected and what stood in them in; what to put into the mapping, where that can be told, out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from trainer.shop_data import not_rows, timestamps

UNREADABLE_TIMESTAMP = "unreadable timestamp"
UNKNOWN_TYPE = "unknown event type"
NO_PIECES = "quantity not above 0"
FAR_BEFORE = "timestamp far before the others"

_OUR_DAYS = (1990, 2100)  # years: other numbers are ids
_MOST = 0.9  # of some texts must be read by a format
_DAYS = ("%Y%m%d", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%m %d, %Y")
_CLOCKS = ("", " %H:%M:%S", " %H:%M", ", %I:%M:%S %p", ", %I:%M %p", " %I:%M:%S %p", " %I:%M %p")
_FORMATS = (
    *(day + clock for day in _DAYS for clock in _CLOCKS),
    "%Y-%m-%d %H",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a %b %d %H:%M:%S %z %Y",
    "%d/%b/%Y:%H:%M:%S %z",
)
_DAY_OF_SHEET = re.compile(r"[34]\d{4}([.,]\d+)?")

A_DATE = re.compile(r"\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})([ T]+\d{1,2}:\d{2}(:\d{2})?(\s*[AaPp][Mm])?)?\s*")


def hint(reason: str, values: Sequence[str]) -> str | None:
    """A likely cause, and the setting that mends it; none where nothing can be told.

    Args:
        values: some of what stood in the field that the reason names.
    """
    if reason == UNREADABLE_TIMESTAMP:
        return _of_timestamps(values)
    if reason == UNKNOWN_TYPE:
        return (
            "give the type a weight under [weights], or one of ours under [event_type.names]; "
            '[event_type] others = "ignore" ignores whatever has none'
        )
    if reason == FAR_BEFORE:
        return "[timestamp] farthest says how far is too far; 0 keeps them"
    if reason == not_rows.WRONG_FIELDS:
        return 'is the separator right, as in separator = ";"?'
    if reason.startswith("invalid "):
        return 'is the text in another encoding, as in encoding = "cp1252"?'
    if reason.startswith("unreadable ") and any("," in value for value in values):
        return 'decimal = "," where a comma parts whole and fraction, thousands = "," where it parts thousands'
    if reason == NO_PIECES and any(value.strip().startswith("-") for value in values):
        return 'if these came back: a rule of event_type with starts_with = "-" and type = "remove", on this column'
    return None


@dataclass(frozen=True)
class DateFormats:
    """How dates that do not begin with the year may be written, as strptime formats in quotes."""

    day: str  # if the day comes first
    month: str
    first: tuple[str, ...]  # what does, as far as the dates tell: both contradict each other, none decides


def date_formats(values: Sequence[str]) -> DateFormats | None:
    """Of texts that are dates, perhaps with a time; None: none is."""
    dates = [match for value in values if (match := A_DATE.fullmatch(value))]
    if not dates:
        return None
    separator, year, time = dates[0][2], "%Y" if len(dates[0][4]) == 4 else "%y", _time_format(dates[0])
    day, month = (f'"{separator.join((*order, year))}{time}"' for order in (("%d", "%m"), ("%m", "%d")))
    first = [("day", any(int(match[1]) > 12 for match in dates)), ("month", any(int(match[3]) > 12 for match in dates))]
    return DateFormats(day, month, tuple(name for name, is_sure in first if is_sure))


def are_read(values: Sequence[str], format: str) -> bool:
    """Whether most of these texts are times of our days in this format, `auto` or of strptime."""
    times = timestamps.parse(pl.Series(values, dtype=pl.String), format=format, timezone="UTC")
    return bool(times.dt.year().is_between(*_OUR_DAYS).sum() >= _MOST * len(values))


def format_of(values: Sequence[str]) -> str | None:
    """The strptime format, of those that need to be named, that reads most of these texts; none: not one."""
    return next((format for format in _FORMATS if are_read(values, format)), None)


def _of_timestamps(values: Sequence[str]) -> str | None:
    formats = date_formats(values)
    if values and formats is None:
        format = format_of(values)
        if format is None and all(_DAY_OF_SHEET.fullmatch(value.strip()) for value in values):
            return "days as a spreadsheet counts them: give the column a format of dates, and save it again"
        return f'[timestamp] format says how they are written, as in "{format or "%Y%m%d"}"'
    if formats is None:
        return None
    match formats.first:
        case ("day", "month"):
            return f"some begin with the day, others with the month: format = {formats.day} reads the first"
        case (first,):
            format = formats.day if first == "day" else formats.month
            return f"they begin with the {first}: under [timestamp] put format = {format}"
        case _:
            return f"under [timestamp] put format = {formats.day} if the day comes first, {formats.month} if the month"


def _time_format(date: re.Match[str]) -> str:
    if date[5] is None:
        return ""
    begins = re.match(r"[ T]+", date[5])
    hour, half = ("%I", " %p") if date[7] else ("%H", "")
    return f"{begins[0] if begins else ' '}{hour}:%M{':%S' if date[6] else ''}{half}"
