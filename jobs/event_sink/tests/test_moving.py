"""What was appended is in the lake once, in its day's part, and no more in the stream."""

import asyncio
import json

import polars as pl
import pytest
from lake_in_folder import Lake, StreamInMemory

from event_sink import lake_writer
from recsys.errors import DataError
from recsys.feature_store.interface import Event, Subject
from recsys.lake import COMMITTED, read_committed, read_items


def test_rows_say_everything_and_lie_in_the_part_of_their_day(lake: Lake, store: StreamInMemory) -> None:
    store.event("a", user="u", day=0)
    store.event("b", session="s", day=1)
    store.event("c", user="u", day=0)
    store.exposure("r", user="u", day=1)
    asyncio.run(lake.drain())
    assert lake.rows().rows(named=True)[1] == {
        "sequence": 2,
        "user_id": None,
        "session_id": "s",
        "event_id": "b",
        "item_id": "i",
        "event_type": "view",
        "unix_ms": 1_767_312_000_000,
        "value": 2.0,
        "request_id": None,
        "position": None,
        "list_id": None,
        "quantity": 1,
    }
    shown = lake.rows("exposures").row(0, named=True)
    assert (shown["list_id"], shown["user_id"], shown["item_ids"], shown["propensities"]) == (
        "r",
        "u",
        ["i", "j"],
        [0.5, 1.0],
    )
    assert lake.files() == [
        "events/date=2026-01-01/part-1-3.1.parquet",
        "events/date=2026-01-02/part-2-2.1.parquet",
        "exposures/date=2026-01-02/part-4-4.1.parquet",
    ]
    assert store.entries == []


def test_more_than_a_batch_is_moved_in_several(lake: Lake, store: StreamInMemory) -> None:
    lake.batch = 3
    for n in range(10):
        store.event(f"e{n}", user="u")
    asyncio.run(lake.drain())
    assert lake.ids() == [f"e{n}" for n in range(10)]
    assert store.entries == []


def test_a_second_process_goes_on_where_the_first_ended(lake: Lake, store: StreamInMemory) -> None:
    store.event("a", user="u")
    asyncio.run(lake.drain())
    store.event("b", user="u")
    asyncio.run(lake.drain())
    assert lake.ids() == ["a", "b"]


def test_an_event_of_no_possible_time_stops_nothing(lake: Lake, store: StreamInMemory) -> None:
    for n, unix_ms in enumerate([-1, 2**62]):
        store._append(Event(f"e{n}", Subject("user", "u"), "i", "view", unix_ms, 1.0))
    asyncio.run(lake.drain())
    assert lake.rows()["unix_ms"].to_list() == [-1, 2**62]


def test_small_parts_of_a_day_become_one(lake: Lake, store: StreamInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_writer, "MOST_SMALL_PARTS", 3)
    for n in range(9):
        store.event(f"e{n}", user="u", day=n % 2)
        asyncio.run(lake.drain())
    committed = read_committed(lake.path)
    assert committed is not None
    assert sorted(lake.files()) == sorted(committed.parts)
    assert len(lake.files()) == 2  # days that are over have one part after a process has started
    assert lake.ids() == [f"e{n}" for n in range(9)]


def test_a_part_with_many_rows_is_left_as_it_is(
    lake: Lake, store: StreamInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_writer, "SMALL_ROWS", 2)
    for n in range(6):
        store.event(f"e{n}", user="u")
        if n % 2:
            asyncio.run(lake.drain())
    assert len(lake.files()) == 3


def test_what_no_commit_names_is_neither_read_nor_kept(lake: Lake, store: StreamInMemory) -> None:
    store.event("a", user="u")
    asyncio.run(lake.drain())
    (part,) = lake.files()
    for name in ("part-2-2.9.parquet", "part-2-2.9.parquet.new"):
        (lake.path / part).with_name(name).write_bytes((lake.path / part).read_bytes())
    assert lake.ids() == ["a"]
    asyncio.run(lake.drain())
    assert lake.files() == [part]


def test_parts_without_a_commit_are_not_thrown_away(lake: Lake, store: StreamInMemory) -> None:
    store.event("a", user="u")
    asyncio.run(lake.drain())
    (lake.path / COMMITTED).unlink()
    with pytest.raises(DataError, match="expected COMMITTED beside the parts"):
        asyncio.run(lake.drain())
    assert len(lake.files()) == 1


def test_a_damaged_part_is_named(lake: Lake, store: StreamInMemory) -> None:
    store.event("a", user="u")
    asyncio.run(lake.drain())
    (part,) = lake.files()
    (lake.path / part).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"part-1-1\.1\.parquet: cannot be read"):
        lake.rows()


def test_another_store_than_the_lakes_is_refused_and_loses_nothing(lake: Lake, store: StreamInMemory) -> None:
    for n in range(3):
        store.event(f"e{n}", user="u")
    asyncio.run(lake.drain())
    other = StreamInMemory()
    other.event("other", user="u")
    lake.store = other
    with pytest.raises(DataError, match=r"entry 1 \(other\), which .* does not hold"):
        asyncio.run(lake.drain())
    assert len(other.entries) == 1


def test_one_lake_has_one_writer(lake: Lake, store: StreamInMemory) -> None:
    asyncio.run(lake.drain())
    second = Lake(lake.path.parent, store, batch=1)
    with pytest.raises(BlockingIOError):
        asyncio.run(second.drain())


def test_items_are_what_the_store_says_of_them_now(lake: Lake, store: StreamInMemory) -> None:
    store.item("b", title="B")
    store.item("a", price=2.5)
    asyncio.run(lake.drain())
    store.item("b", title="New", available=False)
    asyncio.run(lake.drain())
    items = read_items(lake.path)
    assert items["item_id"].to_list() == ["a", "b"]
    assert [json.loads(fields) for fields in items["fields"]] == [{"price": 2.5}, {"title": "New", "available": False}]
    assert items.filter(pl.col("item_id") == "b")["sequence"].item() == 3


def test_a_full_disk_is_an_os_error_which_the_process_waits_for_and_nothing_is_lost(
    lake: Lake, store: StreamInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device")

    store.event("a", user="u")
    with monkeypatch.context() as disk:
        disk.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(OSError, match="cannot be written: No space left"):
            asyncio.run(lake.drain())
    asyncio.run(lake.drain())
    assert lake.ids() == ["a"]
