"""A column of timestamps as a shop writes them in, UTC datetimes out; null where one cannot be read."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from recsys.errors import InvalidArgumentError

UTC_MICROSECONDS = pl.Datetime("us", "UTC")

# Year, month, day in this order mean one instant; day and month first could mean two, and are not here.
_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%+",  # with a zone; also reads "2019-10-01 00:00:00 UTC"
    "%Y-%m-%d %H:%M:%S%.f%#z",  # +00 alone, as PostgreSQL writes
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M%S%.f%#z",
)
_SAMPLE_ROWS = 100
_YEAR: Final = re.compile(r"%[-_0]?[YyGgcDFxvs+]")
_HOURS_ALONE: Final = re.compile(r"%[-_0]?[HkIl]")

# Unix numbers in auto mode: seconds from 1973 to 5138, smaller units in the same span. Smaller numbers are years,
# dates without dashes or spreadsheet dates, which must not silently become 1970.
_SMALLEST_SECONDS = 1e8
_UNITS_PER_SECOND = (1.0, 1e3, 1e6, 1e9)
_SPAN = 1e3

# What a calendar can name, a day within the ends: nothing else may be given a zone, or be shown.
_EPOCH = datetime(1970, 1, 1)
_EARLIEST, _LATEST = datetime(1, 1, 2) - _EPOCH, datetime(9999, 12, 30) - _EPOCH
_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}

MIDDLE: Final = (0.01, 0.99)  # of all times; what is at either end does not say how long the rest is
_LEAST_SPAN = timedelta(days=30)


def parse(column: pl.Series, *, format: str, timezone: str) -> pl.Series:
    """Read timestamps.

    Args:
        column: text, numbers, dates or datetimes.
        format: auto (`_FORMATS` and Unix numbers), unix_seconds, unix_milliseconds or a strptime format. Ignored for
            dates and datetimes.
        timezone: IANA zone of the timestamps that name none. Where clocks were set back, the earlier instant is meant.

    Returns:
        datetime[us, UTC], null where the timestamp is missing or cannot be read.
    """
    if isinstance(column.dtype, pl.Datetime | pl.Date):
        return _to_utc(representable(column), timezone)
    text = column.cast(pl.String, strict=False).str.strip_chars()
    if format == "unix_seconds":
        return _from_unix(text, pl.lit(1.0))
    if format == "unix_milliseconds":
        return _from_unix(text, pl.lit(1e3))
    if format != "auto":
        return _to_utc(_strptime(text, format), timezone)
    parsed = _from_unix(text, pl.coalesce(_where_likely(unit) for unit in _UNITS_PER_SECOND))
    for form in _likeliest_first(text.head(_SAMPLE_ROWS)):
        unread = (parsed.is_null() & text.is_not_null()).arg_true()
        if unread.is_empty():
            break
        parsed = parsed.scatter(unread, _to_utc(_strptime(text.gather(unread), form), timezone))
    return parsed


def refuse_format(format: str) -> None:
    """Raises: ValueError, for a strptime format that names no instant or that nothing can be read by."""
    if not _YEAR.search(format):
        raise ValueError("expected a year in it, such as %Y")
    try:
        _strptime(pl.Series(["x"]), format)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"expected a strptime format: {error}".partition("\n")[0]) from error


def read_one(text: str, *, name: str) -> datetime:
    """A time as files write one, in UTC where it names no zone. Raises: InvalidArgumentError, saying the `name`."""
    moment = parse(pl.Series([text]), format="auto", timezone="UTC")[0]
    if not isinstance(moment, datetime):
        raise InvalidArgumentError(f"{name}: expected a time such as 2024-01-31T18:00:00+02:00, found {text!r}")
    return moment


def representable(times: pl.Series) -> pl.Series:
    """Dates or datetimes as datetime[us] of the same zone and name, null where they are beyond the years 1 to 9999."""
    kind, number = times.dtype, pl.col(times.name)
    per_day = 86_400 * _PER_SECOND[kind.time_unit] if isinstance(kind, pl.Datetime) else 1
    frame = times.to_physical().cast(pl.Int64).to_frame()
    possible = pl.when(number.is_between(_EARLIEST.days * per_day, _LATEST.days * per_day)).then(number)
    if isinstance(kind, pl.Datetime):
        return frame.select(possible.cast(kind).dt.cast_time_unit("us").alias(times.name)).to_series()
    return frame.select((possible * 86_400_000_000).cast(pl.Datetime("us")).alias(times.name)).to_series()


def earliest_likely(times: pl.Series, *, farthest: float) -> datetime | None:
    """Before this moment lies nothing but what is far from all the rest: a clock that was not set, a date for none.

    Args:
        times: sorted, none null.
        farthest: times the span of the middle 98 %, 30 days at the least; 0: nothing is too far.

    Returns:
        None where nothing is too far.
    """
    if times.is_empty():
        return None
    microseconds = times.to_physical()
    low, high = (int(microseconds[round((times.len() - 1) * share)]) for share in MIDDLE)
    return earliest_of(int(microseconds[0]), low, high, farthest=farthest)


def earliest_of(first: int, low: int, high: int, *, farthest: float) -> datetime | None:
    """`earliest_likely` of times whose first, and whose ends of the `MIDDLE`, are these Unix microseconds."""
    earliest = low - farthest * max(high - low, _LEAST_SPAN.total_seconds() * 1e6)
    if farthest == 0 or earliest <= first:
        return None
    return datetime.fromtimestamp(earliest / 1e6, UTC)


def _where_likely(units_per_second: float) -> pl.Expr:
    smallest = _SMALLEST_SECONDS * units_per_second
    return pl.when(pl.col("number").is_between(smallest, smallest * _SPAN, closed="left")).then(units_per_second)


def _likeliest_first(sample: pl.Series) -> list[str]:
    """No two of the formats read the same text as two instants, so that their order matters for speed only."""
    return sorted(_FORMATS, key=lambda form: _strptime(sample, form).null_count())


def _strptime(text: pl.Series, format: str) -> pl.Series:
    if _HOURS_ALONE.search(format) and "%M" not in format:  # polars reads no hour without its minute
        text, format = text + " 00", f"{format} %M"
    return representable(text.str.to_datetime(format, strict=False, time_unit="us"))


def _from_unix(text: pl.Series, units_per_second: pl.Expr) -> pl.Series:
    number = text.cast(pl.Float64, strict=False).alias("number").to_frame()
    microseconds = (pl.col("number") / units_per_second * 1e6).round().cast(pl.Int64, strict=False)
    return representable(number.select(microseconds.cast(UTC_MICROSECONDS)).to_series())


def _to_utc(datetimes: pl.Series, timezone: str) -> pl.Series:
    if isinstance(datetimes.dtype, pl.Datetime) and datetimes.dtype.time_zone is None:
        datetimes = datetimes.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return datetimes.dt.convert_time_zone("UTC")
