"""Every way of writing a timestamp that `auto` reads means one instant; what could mean several is not guessed."""

from datetime import UTC, datetime

import polars as pl
import pytest

from trainer.shop_data import timestamps

INSTANT = datetime(2024, 5, 1, 10, 0, tzinfo=UTC)


def parse(text: str, format: str = "auto", timezone: str = "UTC") -> datetime | None:
    parsed = timestamps.parse(pl.Series([text, None]), format=format, timezone=timezone)
    assert parsed.dtype == timestamps.UTC_MICROSECONDS
    assert parsed[1] is None
    instant = parsed[0]
    assert instant is None or isinstance(instant, datetime)
    return instant


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01 10:00:00",
        "2024-05-01T10:00:00",
        "2024-05-01T10:00",
        "2024-05-01 10:00",
        "2024-05-01T10:00:00Z",
        "2024-05-01T10:00Z",
        "2024-05-01T10:00:00.000Z",
        "2024-05-01T12:00:00+02:00",
        "2024-05-01T12:00:00+0200",
        "2024-05-01 12:00:00+02:00",
        "2024-05-01 10:00:00 UTC",
        "2024-05-01 10:00:00 ",
        " 2024-05-01T10:00:00Z",
        "2024-05-01 10:00:00+00",
        "2024-05-01 12:00:00.000+02",
        "2024-05-01T12:00:00.000+0200",
        "2024-05-01 12:00:00 +0200",
        "2024-05-01 10:00Z",
        "2024/05/01 10:00:00",
        "2024/05/01 10:00",
        "20240501T100000Z",
        "20240501T100000",
        "1714557600",
        "1714557600.0",
        "1714557600000",
        "1714557600000000",
        "1714557600000000000",
    ],
)
def test_auto_reads_iso_8601_and_unix_time(text: str) -> None:
    assert parse(text) == INSTANT


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-10:00",
        "1e300",
        "2019",
        "20240501",
        "45413",
        "0",
        "01/05/2024",
        "2024-02-30",
        "soon",
        "nan",
        "-1",
    ],
)
def test_auto_guesses_nothing(text: str) -> None:
    assert parse(text) is None


def test_microseconds_survive() -> None:
    assert parse("2024-05-01T10:00:00.123456Z") == INSTANT.replace(microsecond=123456)


def test_the_time_zone_is_that_of_timestamps_that_name_none() -> None:
    assert parse("2024-05-01 11:00:00", timezone="Europe/London") == INSTANT
    assert parse("2024-05-01 10:00:00Z", timezone="Europe/London") == INSTANT


def test_an_hour_that_clocks_skip_cannot_be_read_and_one_they_repeat_is_the_earlier() -> None:
    assert parse("2024-03-31 01:30:00", timezone="Europe/London") is None
    assert parse("2024-10-27 01:30:00", timezone="Europe/London") == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_formats_that_the_mapping_names_are_followed() -> None:
    assert parse("01/05/2024 10:00", format="%d/%m/%Y %H:%M") == INSTANT
    assert parse("0", format="unix_seconds") == datetime(1970, 1, 1, tzinfo=UTC)
    assert parse("1714557600000", format="unix_milliseconds") == INSTANT


def test_one_column_may_mix_them() -> None:
    mixed = pl.Series(["2024-05-01", "bad", "1714557600", "2024-05-01T10:00:00Z"])
    parsed = timestamps.parse(mixed, format="auto", timezone="UTC")
    assert parsed.to_list() == [datetime(2024, 5, 1, tzinfo=UTC), None, INSTANT, INSTANT]
