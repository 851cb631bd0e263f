"""The sink as a process, and the store as one, killed again and again while a shop appends events.

What the store acknowledged is in the lake once, and the stream is empty: nothing lost, nothing there twice.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import pytest
from store_backends import new_valkey
from testcontainers.core.container import DockerContainer
from waiting import WITHIN_S

from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Event, FeatureStore, Subject
from recsys.feature_store.opening import open_store
from recsys.lake import lake_dir, read_committed, read_table
from tools.local_stack import Ports

KILLS: Final = 10
EVENTS_AT_ONCE: Final = 5
DAY_MS: Final = 86_400_000
NOW_MS: Final = 1_767_225_600_000
SINK: Final = [sys.executable, "-m", "event_sink"]


class Valkey:
    """A server on a port that stays when it is started again."""

    def __init__(self, container: DockerContainer, port: int) -> None:
        self.url = f"valkey://127.0.0.1:{port}/0"
        self._container = container

    def kill_and_start(self) -> None:
        container = self._container.get_wrapped_container()
        container.kill("SIGKILL")
        container.start()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    port = Ports.free().gateway
    with new_valkey().with_bind_ports("6379/tcp", port) as running:
        yield Valkey(running, port)


class Shop:
    """Appends events until told to end; asks again with the same ids when the store did not answer."""

    def __init__(self, store: FeatureStore) -> None:
        self.acknowledged: list[str] = []
        self.ended = False
        self._store = store

    async def work(self) -> None:
        """Several events at a time, over three days and for several users."""
        while not self.ended:
            first = len(self.acknowledged)
            ids = [f"e{n}" for n in range(first, first + EVENTS_AT_ONCE)]
            batch = [
                Event(name, Subject("user", f"u{n % 7}"), f"i{n}", "view", NOW_MS + (n % 3) * DAY_MS, 1.0)
                for n, name in enumerate(ids)
            ]
            try:
                await self._store.append(batch, now_ms=NOW_MS)
            except StoreUnavailableError:
                await asyncio.sleep(0.01)
                continue
            self.acknowledged += ids


async def killed_while_working(environment: dict[str, str], *, after_moves: int) -> None:
    """A sink that moved so many batches, and was moving the next one or waiting for it."""
    process = await asyncio.create_subprocess_exec(*SINK, env=environment, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    moves = 0
    async for line in process.stderr:
        moves += json.loads(line)["message"] == "moved"
        if moves == after_moves:
            break
    assert moves == after_moves, "the sink ended by itself"
    process.kill()
    await process.communicate()


async def live_through(url: str, volume: Path, *, store_process: Valkey | None) -> list[str]:
    """A shop, and sinks that are killed; then a sink that works to the end. What was acknowledged."""
    rng = Random(0)
    settings = {"FEATURE_STORE_URL": url, "ARTIFACT_DIR": str(volume), "INTERVAL_S": "0.01", "BATCH": "17"}
    environment = os.environ | {f"EVENT_SINK_{name}": value for name, value in settings.items()}
    store = open_store(url)
    shop = Shop(store)
    async with asyncio.TaskGroup() as working:  # a shop that fails ends all
        working.create_task(shop.work())
        for n in range(KILLS):
            if store_process is not None and n % 2:
                dying = asyncio.to_thread(store_process.kill_and_start)
                await asyncio.gather(dying, killed_while_working(environment, after_moves=rng.randint(1, 12)))
            else:
                await killed_while_working(environment, after_moves=rng.randint(1, 12))
        shop.ended = True
    # the shop was quicker than sinks that take so few at once
    environment["EVENT_SINK_BATCH"] = "10000"
    last = await asyncio.create_subprocess_exec(*SINK, "--once", env=environment, stderr=asyncio.subprocess.DEVNULL)
    assert await last.wait() == 0
    assert await store.read_stream(after_sequence=0, limit=1) == []
    await store.close()
    return shop.acknowledged


def expect_exactly_once(volume: Path, acknowledged: list[str]) -> None:
    lake = lake_dir(volume)
    committed, events = read_table(lake, "events")
    assert len(acknowledged) > KILLS * EVENTS_AT_ONCE
    assert Counter(events["event_id"]) == Counter(acknowledged)
    assert committed == read_committed(lake)
    on_disk = {str(path.relative_to(lake)) for path in lake.rglob("part-*")}
    assert on_disk == set(committed.parts)


def test_a_sink_that_is_killed_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    acknowledged = asyncio.run(live_through(f"sqlite://{tmp_path}/features.db", tmp_path, store_process=None))
    expect_exactly_once(tmp_path, acknowledged)


def test_a_store_that_is_killed_too_loses_nothing_and_doubles_nothing(tmp_path: Path, valkey: Valkey) -> None:
    acknowledged = asyncio.run(live_through(valkey.url, tmp_path, store_process=valkey))
    expect_exactly_once(tmp_path, acknowledged)


def test_a_sink_ends_on_sigterm_and_waits_for_a_store_that_is_away(tmp_path: Path) -> None:
    settings = {"FEATURE_STORE_URL": f"valkey://127.0.0.1:{Ports.free().gateway}/0", "ARTIFACT_DIR": str(tmp_path)}
    environment = os.environ | {f"EVENT_SINK_{name}": value for name, value in settings.items()}
    with subprocess.Popen(SINK, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in map(json.loads, process.stderr) if line["message"] == "waiting")
        process.terminate()
        assert process.wait(WITHIN_S) == 0
    assert line["level"] == "WARNING"
    assert subprocess.run([*SINK, "--once"], env=environment, capture_output=True, check=False).returncode == 2
    assert subprocess.run([*SINK, "--check"], env=environment, check=False).returncode == 0
