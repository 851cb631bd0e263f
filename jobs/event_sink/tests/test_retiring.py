"""Days that are older than what is kept go, whole, and only those of the tables that are limited."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lake_in_folder import FIRST_DAY_MS, Lake, StreamInMemory

from event_sink import sink
from event_sink.lake_writer import LakeWriter
from event_sink.sink import Sink
from recsys.lake import Table, lake_dir, read_table

TODAY = datetime.fromtimestamp(FIRST_DAY_MS / 1000, UTC) + timedelta(days=10)


class Clock(datetime):
    """It is the tenth day after the first."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return TODAY


def drain(volume: Path, store: StreamInMemory, keep_days: dict[Table, int]) -> None:
    writer = LakeWriter(lake_dir(volume))
    try:
        asyncio.run(Sink(store, writer, batch=100, keep_days=keep_days).turn())  # type: ignore[arg-type]
    finally:
        writer.close()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "datetime", Clock)


def test_a_day_goes_when_it_is_older_than_what_is_kept(tmp_path: Path, store: StreamInMemory) -> None:
    for day in (0, 2, 3, 10):
        store.event(f"day {day}", user="u", day=day)
        store.exposure(f"list {day}", user="u", day=day)

    drain(tmp_path, store, {"events": 7})

    lake = lake_dir(tmp_path)
    assert read_table(lake, "events")[1]["event_id"].to_list() == ["day 3", "day 10"]
    assert read_table(lake, "exposures")[1].height == 4
    assert not list(lake.glob("events/date=2026-01-01/*.parquet"))

    drain(tmp_path, store, {"events": 7, "exposures": 1})
    assert read_table(lake, "exposures")[1]["list_id"].to_list() == ["list 10"]


def test_without_a_limit_everything_stays(tmp_path: Path, store: StreamInMemory) -> None:
    store.event("old", user="u", day=0)
    drain(tmp_path, store, {})
    assert read_table(lake_dir(tmp_path), "events")[1].height == 1


def test_an_event_that_comes_too_late_to_be_kept_does_not_stop_the_next_process(
    tmp_path: Path, store: StreamInMemory, lake: Lake
) -> None:
    store.event("late", user="u", day=0)
    drain(tmp_path, store, {"events": 1})
    store.event("of today", user="u", day=10)
    drain(tmp_path, store, {"events": 1})
    assert read_table(lake.path, "events")[1]["event_id"].to_list() == ["of today"]
    assert store.entries == []
