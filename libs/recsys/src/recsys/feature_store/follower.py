"""The part of the shop's live state that a process keeps in memory: items as they are now, erased users, what trends.

A store comes in; a `LiveState` is kept up to date, a quarter of a second behind. While the store is unavailable, the
last state stays.
"""

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal, get_args

from recsys.background import running, while_store_answers
from recsys.feature_store.interface import FeatureStore, TrendingItem
from recsys.feature_store.opening import open_store
from recsys.layered import Layered
from recsys.shop.item import ItemRecord

_log = logging.getLogger(__name__)

POLL_INTERVAL_S: Final = 0.25
TRENDING_INTERVAL_S: Final = 2.0
TRENDING_ITEMS: Final = 5_000
_CHANGES_AT_ONCE: Final = 1_000

Part = Literal["items", "erasures", "trending"]
"""What a process may follow; it follows only what it reads."""

EVERYTHING: Final[frozenset[Part]] = frozenset(get_args(Part))

Take = Callable[[Mapping[str, ItemRecord]], None]
"""What is called with the items that changed; with none where something else did."""


class LiveState:
    """What a follower read last. Attributes are replaced, never changed, so that readers need no lock.

    What is made of it for requests is made by listeners, in the thread that follows: no request works for a change.
    """

    def __init__(self) -> None:
        self.items: Layered[str, ItemRecord] = Layered()
        self.erased: Mapping[str, int] = {}  # user hash → place of the erasure in the stream
        self.trending: list[TrendingItem] = []  # heaviest first
        self.caught_up = threading.Event()  # set by the first complete reading
        self._listeners: list[weakref.WeakMethod[Take]] = []

    def listen(self, take: Take) -> None:
        """Have a bound method called after every change, in the order of listening, as long as its object lives."""
        self._listeners.append(weakref.WeakMethod(take))

    def change_items(self, changed: Mapping[str, ItemRecord]) -> None:
        """Take in records that are new or have changed."""
        self.items = self.items.after(changed)
        self._tell(changed)

    def replace_trending(self, listed: list[TrendingItem]) -> None:
        """Take in what is trending now, the heaviest first."""
        self.trending = listed
        self._tell({})

    def _tell(self, changed: Mapping[str, ItemRecord]) -> None:
        gone = []
        for listener in self._listeners:  # who comes while this goes on is told too
            take = listener()
            if take is None:
                gone.append(listener)
            else:
                take(changed)
        for listener in gone:
            self._listeners.remove(listener)


class Following:
    """One reader of a store into a state. Parts that are not followed stay empty."""

    def __init__(self, store: FeatureStore, state: LiveState, *, parts: Collection[Part] = EVERYTHING) -> None:
        self._parts = parts
        self._store = store
        self._state = state
        self._items_until = 0
        self._erased_until = 0
        self._trending_at_s = -TRENDING_INTERVAL_S

    async def turn(self) -> None:
        """Read what is new. Raises: StoreUnavailableError; what was read before stays."""
        if "items" in self._parts:
            await self._read_items()
        if "erasures" in self._parts:
            await self._read_erasures()
        if "trending" in self._parts and time.monotonic() - self._trending_at_s >= TRENDING_INTERVAL_S:
            await self._read_trending()
            self._trending_at_s = time.monotonic()
        self._state.caught_up.set()

    async def run(self) -> None:
        """Turn for ever. What nobody foresaw ends it: whoever runs it begins again (`recsys.background`)."""
        unavailable = "the feature store is unavailable; the last state stays"
        await while_store_answers(self.turn, every_s=POLL_INTERVAL_S, log=_log, unavailable=unavailable)

    async def _read_items(self) -> None:
        changed: dict[str, ItemRecord] = {}
        until = self._items_until
        while page := await self._store.item_changes(after_sequence=until, limit=_CHANGES_AT_ONCE):
            # a record that changes while pages are read moves behind them, and is read again there
            changed |= {record.item_id: record for record in page}
            until = page[-1].sequence
        if changed:
            self._state.change_items(changed)
        self._items_until = until  # not before: a store that becomes unavailable between pages is asked for them again

    async def _read_erasures(self) -> None:
        new = await self._store.erasures(after_sequence=self._erased_until)
        if new:
            self._state.erased = {**self._state.erased, **{one.user_hash: one.sequence for one in new}}
            self._erased_until = new[-1].sequence

    async def _read_trending(self) -> None:
        now_ms = int(time.time() * 1000)
        self._state.replace_trending(await self._store.trending(limit=TRENDING_ITEMS, now_ms=now_ms))


class Follower:
    """A thread that follows a store, for processes without an event loop."""

    def __init__(self, store_url: str, state: LiveState, *, parts: Collection[Part] = EVERYTHING) -> None:
        self._store_url = store_url
        self._parts = parts
        self._state = state
        self._told_to_stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, *, wait_s: float = 2.0) -> None:
        """Begin, and wait for the first complete reading; not for ever, since a store may be unavailable.

        Raises: InvalidArgumentError (no such kind of store), StoreUnavailableError (its file cannot be opened).
        """
        following = self._follow(open_store(self._store_url))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(following,), daemon=True)
        self._thread.start()
        if not self._state.caught_up.wait(wait_s):
            _log.warning("serving without the live state: the feature store did not answer in time")

    def stop(self) -> None:
        """End the thread; the state stays as it is."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._told_to_stop.set)
            self._thread.join()
            self._loop.close()
            self._loop, self._thread, self._told_to_stop = None, None, asyncio.Event()

    async def _follow(self, store: FeatureStore) -> None:
        async with running({"live_state": Following(store, self._state, parts=self._parts).run}):
            await self._told_to_stop.wait()
        await store.close()
