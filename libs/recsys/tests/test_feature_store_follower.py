"""What a follower keeps in memory, and what happens to it while the store is unavailable."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from recsys import background
from recsys.background import Pauses, supervise
from recsys.errors import InvalidArgumentError, StoreUnavailableError
from recsys.feature_store import follower
from recsys.feature_store.follower import Follower, Following, LiveState
from recsys.feature_store.interface import Event, FeatureStore, Subject
from recsys.feature_store.opening import open_store
from recsys.shop.item import ItemChange, ItemRecord

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
NOWHERE = "valkey://127.0.0.1:1/0"  # nobody listens on port 1


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FeatureStore]:
    opened = open_store(f"sqlite://{tmp_path}/features.db")
    yield opened
    await opened.close()


class Wrapped:
    """A store that something happens to before each page of item changes, and that can be unavailable."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store
        self.before_page: Callable[[int], Any] | None = None
        self.away = False
        self.fault: Exception | None = None
        self.pages = 0

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise StoreUnavailableError("away")
        return getattr(self._store, name)

    async def item_changes(self, *, after_sequence: int, limit: int) -> list[ItemRecord]:
        self.pages += 1
        if self.before_page is not None:
            await self.before_page(self.pages)
        if self.away:
            raise StoreUnavailableError("away")
        if self.fault is not None:
            raise self.fault
        return await self._store.item_changes(after_sequence=after_sequence, limit=limit)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_CHANGES_AT_ONCE", 2)


async def put(store: FeatureStore, *item_ids: str, price: float = 1.0) -> None:
    await store.change_items([ItemChange(one, "put", {"price": price}) for one in item_ids], now_ms=NOW_MS)


def prices(state: LiveState) -> dict[str, object]:
    return {item_id: record.fields["price"] for item_id, record in state.items.items()}


async def test_items_erasures_and_counters_are_there_after_one_turn(store: FeatureStore) -> None:
    state = LiveState()
    await put(store, "a")
    await store.append([Event("e", Subject("user", "anna"), "a", "view", NOW_MS, 1.0)], now_ms=NOW_MS)
    erasure = await store.erase_user("anna", now_ms=NOW_MS)
    assert not state.caught_up.is_set()
    await Following(store, state).turn()
    assert prices(state) == {"a": 1.0}
    assert state.erased == {erasure.user_hash: erasure.sequence}
    assert [item.item_id for item in state.trending] == ["a"]
    assert state.caught_up.is_set()


class Listener:
    """What it was told, change by change."""

    def __init__(self, state: LiveState) -> None:
        self.told: list[list[str]] = []
        state.listen(self.take)

    def take(self, changed: Mapping[str, ItemRecord]) -> None:
        self.told.append(list(changed))


async def test_listeners_are_told_what_changed_and_what_was_handed_out_stays(store: FeatureStore) -> None:
    state = LiveState()
    listener = Listener(state)
    following = Following(store, state)
    await put(store, "a")
    await following.turn()
    before = state.items
    await store.erase_user("anna", now_ms=NOW_MS)
    await following.turn()
    assert state.items is before
    await put(store, "b")
    await following.turn()
    assert (list(before), list(state.items)) == (["a"], ["a", "b"])
    assert [told for told in listener.told if told] == [["a"], ["b"]]


def test_a_listener_that_is_gone_is_told_nothing_more() -> None:
    state = LiveState()
    kept, gone = Listener(state), Listener(state)
    told = gone.told
    del gone
    state.replace_trending([])
    assert (kept.told, told) == ([[]], [])


async def test_what_a_process_does_not_read_is_not_asked_for(store: FeatureStore) -> None:
    class ItemsAlone:
        async def item_changes(self, *, after_sequence: int, limit: int) -> list[ItemRecord]:
            return await store.item_changes(after_sequence=after_sequence, limit=limit)

    state = LiveState()
    await put(store, "a")
    await Following(cast("FeatureStore", ItemsAlone()), state, parts={"items"}).turn()
    assert prices(state) == {"a": 1.0}
    assert state.caught_up.is_set()


async def test_a_deleted_item_is_a_record_that_says_so(store: FeatureStore) -> None:
    state = LiveState()
    following = Following(store, state)
    await put(store, "a")
    await following.turn()
    await store.change_items([ItemChange("a", "delete")], now_ms=NOW_MS)
    await following.turn()
    assert state.items["a"].is_deleted


@pytest.mark.usefixtures("small_pages")
async def test_nothing_is_missed_of_what_changes_between_pages(store: FeatureStore) -> None:
    wrapped, state = Wrapped(store), LiveState()
    following = Following(wrapped, state)
    await put(store, "a", "b", "c", "d", "e")

    async def change(page: int) -> None:
        if page == 2:  # one that was read, one that will be, and a new one
            await put(store, "a", "e", "f", price=2.0)

    wrapped.before_page = change
    await following.turn()
    await following.turn()
    assert prices(state) == {"a": 2.0, "b": 1.0, "c": 1.0, "d": 1.0, "e": 2.0, "f": 2.0}


@pytest.mark.usefixtures("small_pages")
async def test_a_store_that_becomes_unavailable_between_pages_takes_nothing_along(store: FeatureStore) -> None:
    wrapped, state = Wrapped(store), LiveState()
    following = Following(wrapped, state)
    await put(store, "a", "b", "c")

    async def leave(page: int) -> None:
        wrapped.away = page == 2

    wrapped.before_page = leave
    with pytest.raises(StoreUnavailableError):
        await following.turn()
    assert not state.caught_up.is_set()
    await following.turn()
    assert list(state.items) == ["a", "b", "c"]
    assert state.caught_up.is_set()


async def test_while_the_store_is_unavailable_the_state_stays_and_afterwards_it_catches_up(store: FeatureStore) -> None:
    wrapped, state = Wrapped(store), LiveState()
    following = Following(wrapped, state)
    await put(store, "a", "b")
    await following.turn()
    wrapped.away = True
    await put(store, "b", "c", price=2.0)
    erasure = await store.erase_user("anna", now_ms=NOW_MS)
    with pytest.raises(StoreUnavailableError):
        await following.turn()
    assert (prices(state), state.erased) == ({"a": 1.0, "b": 1.0}, {})
    assert state.caught_up.is_set()
    wrapped.away = False
    await following.turn()
    assert prices(state) == {"a": 1.0, "b": 2.0, "c": 2.0}
    assert list(state.erased) == [erasure.user_hash]


async def test_the_log_says_once_that_the_store_is_unavailable_and_once_that_it_is_back(
    store: FeatureStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger=follower.__name__)
    monkeypatch.setattr(follower, "POLL_INTERVAL_S", 0.0)
    wrapped = Wrapped(store)

    async def come_and_go(page: int) -> None:
        wrapped.away = page <= 3
        if page == 6:
            raise asyncio.CancelledError  # as the follower ends

    wrapped.before_page = come_and_go
    with pytest.raises(asyncio.CancelledError):
        await Following(wrapped, LiveState()).run()
    assert [record.message for record in caplog.records] == [
        "the feature store is unavailable; the last state stays",
        "the feature store is back",
    ]


async def test_what_cannot_be_read_is_counted_and_what_comes_after_is_followed(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "POLL_INTERVAL_S", 0.0)
    failures = background.counted["live_state"]
    wrapped, state = Wrapped(store), LiveState()
    await put(store, "a")

    async def be_faulty(page: int) -> None:
        wrapped.fault = ValueError("no JSON") if page <= 3 else None
        if page == 6:
            raise asyncio.CancelledError

    wrapped.before_page = be_faulty
    with pytest.raises(asyncio.CancelledError):
        await supervise("live_state", Following(wrapped, state).run, Pauses(first_s=0.0))
    assert prices(state) == {"a": 1.0}
    assert background.counted["live_state"] == failures + 3


async def test_a_thread_follows_from_its_start_to_its_stop(store: FeatureStore, tmp_path: Path) -> None:
    await put(store, "a")
    state = LiveState()
    following = Follower(f"sqlite://{tmp_path}/features.db", state)
    following.start(wait_s=60.0)
    assert state.caught_up.is_set()
    following.stop()
    assert prices(state) == {"a": 1.0}
    assert not following_threads()


def test_a_thread_starts_without_its_store_and_ends_cleanly(caplog: pytest.LogCaptureFixture) -> None:
    state = LiveState()
    following = Follower(NOWHERE, state)
    following.start(wait_s=0.01)
    assert "did not answer in time" in caplog.text
    assert (state.items, state.caught_up.is_set()) == ({}, False)
    following.stop()
    assert not following_threads()


def test_a_follower_of_no_kind_of_store_begins_nothing() -> None:
    following = Follower("mysql://x/y", LiveState())
    with pytest.raises(InvalidArgumentError):
        following.start()
    following.stop()
    assert not following_threads()


def following_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "follower"]
