"""What is exported while the sink moves it out of the stream into the lake is there, and once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import recsys.lake
from event_sink.lake_writer import LakeWriter
from event_sink.sink import Sink
from recsys.feature_store.interface import Event, Subject
from recsys.feature_store.opening import open_store
from recsys.lake import lake_dir
from recsys_cli import events, exposure_log

NOW_MS = 1_790_000_000_000


async def append(url: str) -> None:
    store = open_store(url)
    await store.append([Event("e", Subject("user", "anna"), "i", "view", NOW_MS, 1.0)], now_ms=NOW_MS)
    await store.close()


async def move(url: str, lake: Path) -> None:
    """One turn of the sink."""
    store, writer = open_store(url), LakeWriter(lake)
    try:
        await Sink(store, writer, batch=10).turn()
    finally:
        writer.close()
        await store.close()


@pytest.mark.parametrize("moved_after", ["the stream", "the lake"])
def test_what_the_sink_moves_while_events_are_exported_is_exported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved_after: str
) -> None:
    url = f"sqlite://{tmp_path}/features.db"
    asyncio.run(append(url))
    read_stream, read_table = exposure_log.entries_of, recsys.lake.read_table

    async def read_stream_and_move(of: str) -> Any:
        found = await read_stream(of)
        await move(url, lake_dir(tmp_path))
        return found

    def read_table_and_move(*arguments: Any) -> Any:
        found = read_table(*arguments)
        with ThreadPoolExecutor(1) as pool:  # this one has a loop
            pool.submit(asyncio.run, move(url, lake_dir(tmp_path))).result()
        return found

    if moved_after == "the stream":
        monkeypatch.setattr(exposure_log, "entries_of", read_stream_and_move)
    else:
        monkeypatch.setattr(recsys.lake, "read_table", read_table_and_move)
    assert [one["event_id"] for one in asyncio.run(events._all_events(tmp_path, url))] == ["e"]
