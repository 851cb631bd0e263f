"""An erased user is in no file of the lake; whatever the user does later is."""

import asyncio

import polars as pl
import pytest
from lake_in_folder import Lake, StreamInMemory

from event_sink import erasing
from recsys.errors import DataError
from recsys.lake import read_erasures


def left_on_disk(lake: Lake) -> set[str | None]:
    """Who is in any file, committed or not."""
    frames = [pl.read_parquet(lake.path / path).select("user_id", "session_id") for path in lake.files()]
    everybody = pl.concat(frames)
    return {*everybody["user_id"], *everybody["session_id"]}


def fill(store: StreamInMemory) -> None:
    for n in range(4):
        store.event(f"gone{n}", user="gone", day=n % 2)
        store.event(f"stays{n}", user="stays", day=n % 2)
    store.event("alone", user="gone", day=5)
    store.event("before", session="merged")
    store.event("other", session="other")
    store.exposure("r1", user="gone")
    store.exposure("r2", user="stays")


def test_no_file_holds_the_user_and_the_store_is_told_how_many_rows_went(lake: Lake, store: StreamInMemory) -> None:
    fill(store)
    asyncio.run(lake.drain())
    erased = store.erase("gone")
    asyncio.run(lake.drain())
    assert left_on_disk(lake) == {"stays", "merged", "other", None}
    assert store.all_erasures[erased].lake_rows == 4 + 1 + 1
    assert lake.ids() == ["stays0", "stays1", "stays2", "stays3", "before", "other"]
    assert not any("2026-01-06" in path for path in lake.files())  # nothing was left of that day
    assert read_erasures(lake.path).select("user_hash", "lake_rows").rows() == [(erased, 6)]


def test_sessions_merged_into_the_user_go_too(lake: Lake, store: StreamInMemory) -> None:
    fill(store)
    asyncio.run(lake.drain())
    erased = store.erase("gone", sessions=("merged",))
    asyncio.run(lake.drain())
    assert left_on_disk(lake) == {"stays", "other", None}
    assert store.all_erasures[erased].lake_rows == 4 + 1 + 1 + 1


def test_merges_of_the_user_go_too(lake: Lake, store: StreamInMemory) -> None:
    store.merge("merged", user="gone")
    store.merge("other", user="stays", day=1)
    asyncio.run(lake.drain())
    erased = store.erase("gone", sessions=("merged",))
    asyncio.run(lake.drain())
    assert lake.rows("merges").select("session_id", "user_id").rows() == [("other", "stays")]
    assert left_on_disk(lake) == {"other", "stays"}
    assert store.all_erasures[erased].lake_rows == 1


def test_what_the_user_does_afterwards_stays(lake: Lake, store: StreamInMemory) -> None:
    store.event("old", user="u")
    asyncio.run(lake.drain())
    store.erase("u")
    store.event("new", user="u")
    asyncio.run(lake.drain())
    assert lake.ids() == ["new"]
    store.erase("u")
    asyncio.run(lake.drain())
    assert lake.ids() == []


def test_an_event_that_was_read_before_the_erasure_and_not_yet_written_does_not_come_in(
    lake: Lake, store: StreamInMemory
) -> None:
    store.event("old", user="u")
    kept = list(store.entries)
    store.erase("u")
    store.entries = [*kept, *store.entries]  # the stream as a reader saw it in between
    asyncio.run(lake.drain())
    assert lake.ids() == []


def test_a_user_of_whom_the_lake_has_nothing_is_reported_with_no_rows(lake: Lake, store: StreamInMemory) -> None:
    erased = store.erase("nobody")
    asyncio.run(lake.drain())
    assert store.all_erasures[erased].lake_rows == 0


def test_a_row_that_was_left_is_an_error_and_not_reported(
    lake: Lake, store: StreamInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.event("old", user="u")
    asyncio.run(lake.drain())
    erased = store.erase("u")
    monkeypatch.setattr(erasing, "rewrite", lambda _writer, _erasures: erasing.Rewritten(rows={erased: 0}))
    with pytest.raises(DataError, match="expected no row of an erased user, found 1"):
        asyncio.run(lake.drain())
    assert store.all_erasures[erased].lake_rows is None
