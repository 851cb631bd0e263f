"""Killed before any single step to the disk or the store, the next process makes good: every step is tried."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lake_in_folder import Lake, StreamInMemory

from event_sink import lake_writer
from recsys.lake import read_committed, read_erasures, read_items


class Killed(BaseException):
    """Nothing in the sink may catch this, as nothing can catch SIGKILL."""


class Steps:
    """Counts steps, and kills before the one that is the last."""

    def __init__(self, last: int | None) -> None:
        self.taken = 0
        self.last = last

    def __call__(self) -> None:
        if self.taken == self.last:
            raise Killed
        self.taken += 1

    def before(self, function: Callable[..., object]) -> Callable[..., object]:
        def stepped(*arguments: object, **named: object) -> object:
            self()
            return function(*arguments, **named)

        return stepped


# What a shop does; it does not depend on the sink. Each step is one place of the stream or of the items' changes.
SHOP: list[Callable[[StreamInMemory], object]] = [
    lambda store: store.event("gone0", user="gone"),
    lambda store: store.event("stays0", user="stays", day=1),
    lambda store: store.exposure("r0", user="gone"),
    lambda store: store.item("i", title="I"),
    lambda store: store.event("stays1", user="stays"),
    lambda store: store.event("gone1", user="gone", day=1),
    lambda store: store.erase("gone"),
    lambda store: store.event("gone2", user="gone"),
    lambda store: store.merge("s", user="stays"),
    lambda store: store.exposure("r1", user="stays"),
]
PROCESSES_AFTER = (4, 6, 9)  # steps: moving over two days and items; more, and merging; an erasure


async def live(lake: Lake, store: StreamInMemory) -> None:
    """The shop and three processes, one after the other."""
    for step in SHOP:
        step(store)
        if store.sequence in PROCESSES_AFTER:
            await lake.drain()


async def finish(lake: Lake, store: StreamInMemory) -> None:
    """The rest of what the shop does, and a last process."""
    for step in SHOP[store.sequence :]:
        step(store)
    await lake.drain()


@pytest.mark.parametrize("batch", [2, 10_000])
def test_killed_before_any_step_nothing_is_lost_and_nothing_is_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(lake_writer, "MOST_SMALL_PARTS", 1)
    tried = 0
    while True:
        store = StreamInMemory()
        lake = Lake(tmp_path / str(tried), store, batch=batch)
        steps = Steps(last=tried)
        store.step = steps
        with monkeypatch.context() as patched:
            for owner, name in ((os, "replace"), (os, "fsync"), (Path, "unlink")):
                patched.setattr(owner, name, steps.before(getattr(owner, name)))
            try:
                asyncio.run(live(lake, store))
                was_killed = False
            except Killed:
                was_killed = True
        lake.kill()
        steps.last = None
        asyncio.run(finish(lake, store))
        lake.kill()

        assert sorted(lake.ids()) == ["gone2", "stays0", "stays1"], f"killed before step {tried}"
        assert lake.ids("exposures") == ["r1"]
        assert lake.rows("merges")["session_id"].to_list() == ["s"]
        assert store.entries == []
        committed = read_committed(lake.path)
        assert committed is not None
        assert (committed.sequence, lake.files()) == (len(SHOP), sorted(committed.parts))
        assert read_items(lake.path)["item_id"].to_list() == ["i"]
        (erasure,) = store.all_erasures.values()
        assert erasure.lake_rows == read_erasures(lake.path)["lake_rows"].item()
        if not was_killed:
            break
        tried += 1
    assert tried > 30
    assert lake_writer.last_touched(lake.path) > 0
