"""What arrives in the feature store of a running system, as a test sees it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from waiting import until

from recsys.feature_store.interface import Event, Exposure, StreamEntry
from recsys.feature_store.opening import open_store
from tools.local_stack import LocalStack

T = TypeVar("T", Event, Exposure)


class Stream:
    """What has arrived in the feature store's stream since this was made."""

    def __init__(self, stack: LocalStack) -> None:
        self._url = stack.environment["GATEWAY_FEATURE_STORE_URL"]
        self._from = max((each.sequence for each in self._read(0)), default=0)

    def events(self, holds: Callable[[list[Event]], bool]) -> list[Event]:
        """The events, as soon as it holds of them."""
        return self._as_soon_as(holds, Event)

    def exposures(self, holds: Callable[[list[Exposure]], bool]) -> list[Exposure]:
        """The exposures, as soon as it holds of them: they are written in groups, after their lists were answered."""
        return self._as_soon_as(holds, Exposure)

    def _as_soon_as(self, holds: Callable[[list[T]], bool], kind: type[T]) -> list[T]:
        return until(lambda: [one.entry for one in self._read(self._from) if isinstance(one.entry, kind)], holds)

    def _read(self, after: int) -> list[StreamEntry]:
        async def read() -> list[StreamEntry]:
            store = open_store(self._url)
            try:
                return await store.read_stream(after_sequence=after, limit=10_000)
            finally:
                await store.close()

        with ThreadPoolExecutor(1) as pool:  # in the test's own thread playwright has its loop
            return pool.submit(lambda: asyncio.run(read())).result()
