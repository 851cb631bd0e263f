"""The shop's live state as one gateway process works with it: the feature store, and what is followed from it.

Opened with the process and closed with it. Without a store everything is there, and stays empty.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from gateway.breaker import Breaker
from gateway.experiments import file as experiments_file
from gateway.experiments.live import Experiments
from gateway.settings import Settings
from gateway.shop.exposure_log import ExposureLog
from recsys.background import running
from recsys.errors import StoreUnavailableError
from recsys.feature_store.follower import Following, LiveState
from recsys.feature_store.interface import Erasure, FeatureStore, Profile, Subject
from recsys.feature_store.opening import open_store
from recsys.ids import user_hash
from recsys.shop.item import ItemRecord
from recsys.watched_file import WatchedFile

_FIRST_LOOK_S: Final = 2.0  # how long the start waits for what is off sale; an unavailable store does not stop it

logger = logging.getLogger(__name__)


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class LiveShop:
    """What is live."""

    store: FeatureStore | None = None
    state: LiveState = field(default_factory=LiveState)
    experiments: Experiments = field(default_factory=Experiments)
    exposures: ExposureLog = field(default_factory=lambda: ExposureLog(None))
    breaker: Breaker = field(default_factory=lambda: Breaker("feature store", refusal=StoreUnavailableError))
    _written: dict[str, ItemRecord] = field(default_factory=dict)  # here, and perhaps not read by the follower yet
    _forgotten: dict[str, int] = field(default_factory=dict)  # the same of `LiveState.erased`

    async def profile(self, subject: Subject, *, timeout_s: float, after_sequence: int = 0) -> Profile:
        """What somebody did lately; see `FeatureStore.profile`.

        Raises: StoreUnavailableError, also when the store is slow; at once while it was so again and again.
        """
        if self.store is None:
            return Profile(subject, recent=(), seen={})
        with self.breaker.call(timeout_s=timeout_s):
            try:
                async with asyncio.timeout(timeout_s):
                    return await self.store.profile(subject, after_sequence=after_sequence)
            except TimeoutError as error:
                raise StoreUnavailableError(f"no answer within {timeout_s} s") from error

    def take(self, records: Iterable[ItemRecord]) -> None:
        """Know at once what this process has just written; the follower tells the other processes."""
        followed = self.state.items
        for item_id in [each for each in self._written if self.record(each) is followed.get(each)]:
            del self._written[item_id]
        self._written.update({record.item_id: record for record in records})

    def forget(self, erasure: Erasure) -> None:
        """Know at once that a user was erased; the follower tells the other processes."""
        followed = self.state.erased
        for hashed in [one for one, sequence in self._forgotten.items() if followed.get(one, 0) >= sequence]:
            del self._forgotten[hashed]
        self._forgotten[erasure.user_hash] = erasure.sequence

    def erased_sequence(self, user_id: str) -> int:
        """Place in the stream of a user's latest erasure, 0 for none.

        What a model says of them that was trained on less of the stream is not for anybody.
        """
        if not self.state.erased and not self._forgotten:
            return 0
        hashed = user_hash(user_id)
        return max(self.state.erased.get(hashed, 0), self._forgotten.get(hashed, 0))

    def record(self, item_id: str) -> ItemRecord | None:
        """What the shop said of an item since the model was trained, as far as this process knows."""
        followed, written = self.state.items.get(item_id), self._written.get(item_id)
        if written is None or (followed is not None and followed.sequence >= written.sequence):
            return followed
        return written

    def is_hidden(self, item_id: str) -> bool:
        """Whether an item must not leave the gateway, whatever a service says: off sale or deleted."""
        record = self.record(item_id) if self._written else self.state.items.get(item_id)
        return record is not None and (record.is_deleted or record.fields.get("available") is False)


@asynccontextmanager
async def go_live(settings: Settings) -> AsyncIterator[LiveShop]:
    """Open the store and follow it until the end. Raises: InvalidArgumentError, StoreUnavailableError, DataError."""
    path = settings.experiments_file
    watched = WatchedFile("GATEWAY_EXPERIMENTS_FILE", path, experiments_file.read) if path else None
    experiments = Experiments(watched.content if watched else ())
    if not settings.feature_store_url:
        yield LiveShop(experiments=experiments)
        return
    store = open_store(settings.feature_store_url, session_days=settings.session_days)
    live = LiveShop(store=store, experiments=experiments, exposures=ExposureLog(store))
    following = Following(store, live.state, parts={"items", "erasures"})
    await _first_look(following)
    loops: dict[str, Callable[[], Awaitable[None]]] = {
        "live_state": following.run,
        "experiments": partial(experiments.follow, store),
        "exposures": live.exposures.run,
    }
    if watched:
        loops["experiments_file"] = partial(watched.follow, experiments.define)
    try:
        async with running(loops):
            yield live
    finally:
        await live.exposures.finish()
        await store.close()


async def _first_look(following: Following) -> None:
    try:
        async with asyncio.timeout(_FIRST_LOOK_S):
            await following.turn()
    except (StoreUnavailableError, TimeoutError) as error:
        logger.warning(
            "serving without the live state: the feature store does not answer", extra={"reason": str(error)}
        )
