"""The shop's live state as one gateway process works with it: the feature store, and what is followed from it.

Opened with the process and closed with it. Without a store everything is there, and stays empty.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.experiments import file as experiments_file
from gateway.experiments.live import Experiments
from gateway.exposures import ExposureLog
from gateway.settings import Settings
from recsys.errors import StoreUnavailableError
from recsys.feature_store.follower import Following, LiveState
from recsys.feature_store.interface import FeatureStore, ItemRecord, Profile, Subject
from recsys.feature_store.opening import open_store

logger = logging.getLogger(__name__)


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Live:
    """What is live."""

    store: FeatureStore | None = None
    state: LiveState = field(default_factory=LiveState)
    experiments: Experiments = field(default_factory=Experiments)
    exposures: ExposureLog = field(default_factory=lambda: ExposureLog(None))

    async def profile(self, subject: Subject, *, timeout_s: float) -> Profile:
        """What somebody did lately. Raises: StoreUnavailableError, also when the store is slow."""
        if self.store is None:
            return Profile(subject, recent=(), had={})
        try:
            return await asyncio.wait_for(self.store.profile(subject), timeout_s)
        except TimeoutError as error:
            raise StoreUnavailableError(f"no answer within {timeout_s} s") from error

    def take(self, records: Iterable[ItemRecord]) -> None:
        """Know at once what this process has just written; the follower tells the other processes."""
        self.state.items = {**self.state.items, **{record.item_id: record for record in records}}
        self.state.generation += 1

    def is_hidden(self, item_id: str) -> bool:
        """Whether an item must not leave the gateway, whatever a service says: off sale or deleted."""
        record = self.state.items.get(item_id)
        return record is not None and (record.is_deleted or record.fields.get("available") is False)


@asynccontextmanager
async def go_live(settings: Settings) -> AsyncIterator[Live]:
    """Open the store and follow it until the end. Raises: InvalidArgumentError, StoreUnavailableError, DataError."""
    definitions = experiments_file.read(settings.experiments_file) if settings.experiments_file else ()
    experiments = Experiments(definitions)
    if not settings.feature_store_url:
        yield Live(experiments=experiments)
        return
    store = open_store(settings.feature_store_url)
    live = Live(store=store, experiments=experiments, exposures=ExposureLog(store))
    following = [
        asyncio.create_task(Following(store, live.state).run()),
        asyncio.create_task(experiments.follow(store)),
    ]
    writing = asyncio.create_task(live.exposures.run())
    try:
        yield live
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        live.exposures.end()
        await writing
        await store.close()
