"""A column of timestamps as a shop writes them in, UTC datetimes out; null where one cannot be read."""

import polars as pl

UTC_MICROSECONDS = pl.Datetime("us", "UTC")

_ISO_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%+",  # with a zone; also reads "2019-10-01 00:00:00 UTC"
    "%Y-%m-%dT%H:%M%#z",
)
_SAMPLE_ROWS = 100

# Unix numbers in auto mode: seconds from 1973 to 5138, milliseconds in the same span. Smaller numbers are years,
# dates without dashes or spreadsheet dates, which must not silently become 1970.
_SMALLEST_SECONDS, _SMALLEST_MILLISECONDS, _LARGEST_MILLISECONDS = 1e8, 1e11, 1e14


def parse(column: pl.Series, *, format: str, timezone: str) -> pl.Series:
    """Read timestamps.

    Args:
        column: text, numbers, dates or datetimes.
        format: auto, unix_seconds, unix_milliseconds or a strptime format. Ignored for dates and datetimes.
        timezone: IANA zone of the timestamps that name none. Where clocks were set back, the earlier instant is meant.

    Returns:
        datetime[us, UTC], null where the timestamp is missing or cannot be read.
    """
    if isinstance(column.dtype, pl.Datetime):
        return _to_utc(column.dt.cast_time_unit("us"), timezone)
    if column.dtype == pl.Date:
        return _to_utc(column.cast(pl.Datetime("us")), timezone)
    text = column.cast(pl.String)
    if format == "unix_seconds":
        return _from_unix(text, pl.lit(1e6))
    if format == "unix_milliseconds":
        return _from_unix(text, pl.lit(1e3))
    if format != "auto":
        return _to_utc(_strptime(text, format), timezone)
    seconds = pl.col("number").is_between(_SMALLEST_SECONDS, _SMALLEST_MILLISECONDS, closed="left")
    milliseconds = pl.col("number").is_between(_SMALLEST_MILLISECONDS, _LARGEST_MILLISECONDS, closed="left")
    parsed = _from_unix(text, pl.when(seconds).then(1e6).when(milliseconds).then(1e3))
    for iso in _likeliest_first(text.head(_SAMPLE_ROWS)):
        unread = (parsed.is_null() & text.is_not_null()).arg_true()
        if unread.is_empty():
            break
        parsed = parsed.scatter(unread, _to_utc(_strptime(text.gather(unread), iso), timezone))
    return parsed


def _likeliest_first(sample: pl.Series) -> list[str]:
    """No two of the formats read the same text, so that their order matters for speed only."""
    return sorted(_ISO_FORMATS, key=lambda iso: _strptime(sample, iso).null_count())


def _strptime(text: pl.Series, format: str) -> pl.Series:
    return text.str.to_datetime(format, strict=False, time_unit="us")


def _from_unix(text: pl.Series, microseconds_per_unit: pl.Expr) -> pl.Series:
    number = text.cast(pl.Float64, strict=False).alias("number").to_frame()
    microseconds = (pl.col("number") * microseconds_per_unit).round().cast(pl.Int64, strict=False)
    return number.select(microseconds.cast(UTC_MICROSECONDS)).to_series()


def _to_utc(datetimes: pl.Series, timezone: str) -> pl.Series:
    if isinstance(datetimes.dtype, pl.Datetime) and datetimes.dtype.time_zone is None:
        datetimes = datetimes.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return datetimes.dt.convert_time_zone("UTC")
