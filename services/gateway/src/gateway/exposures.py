"""The log of what was recommended: handed over in a moment on the request's path, written in groups behind it."""

import asyncio
import logging
from typing import Final

from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Exposure, FeatureStore

logger = logging.getLogger(__name__)

_MOST_WAITING: Final = 10_000
_GROUP: Final = 500
_PAUSE_S: Final = 0.05  # lets a group gather, so that a flush to disk serves many


class ExposureLog:
    """A bounded queue before the store. What does not fit is dropped, and counted: a request never waits for it."""

    def __init__(self, store: FeatureStore | None) -> None:
        self._store = store
        self._waiting: asyncio.Queue[Exposure | None] = asyncio.Queue()
        self.dropped = 0

    def add(self, exposure: Exposure) -> None:
        """Have it written soon; without a store it goes nowhere."""
        if self._store is None:
            return
        if self._waiting.qsize() >= _MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.put_nowait(exposure)

    def end(self) -> None:
        """Let `run` return when everything that waits has been tried once."""
        self._waiting.put_nowait(None)

    async def run(self) -> None:
        """Write until `end`."""
        is_last = False
        while not is_last:
            group, is_last = self._with_those_waiting(await self._waiting.get())
            if group:
                await self._write(group)
            if not is_last:
                await asyncio.sleep(_PAUSE_S)

    def _with_those_waiting(self, first: Exposure | None) -> tuple[list[Exposure], bool]:
        group: list[Exposure] = []
        one = first
        while one is not None:
            group.append(one)
            if len(group) >= _GROUP or self._waiting.empty():
                return group, False
            one = self._waiting.get_nowait()
        return group, True

    async def _write(self, group: list[Exposure]) -> None:
        assert self._store is not None
        try:
            await self._store.record_exposures(group)
        except StoreUnavailableError as error:
            self.dropped += len(group)
            logger.warning("exposures lost", extra={"count": len(group), "reason": str(error)})
