"""The log of what was recommended: handed over in a moment on the request's path, written in groups behind it."""

import asyncio
import logging
from typing import Final

from recsys.background import while_store_answers
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Exposure, FeatureStore

logger = logging.getLogger(__name__)

_MOST_WAITING: Final = 10_000
_GROUP: Final = 500
_PAUSE_S: Final = 0.05  # lets a group gather, so that a flush to disk serves many
_RETRY_S: Final = 1.0  # after a failure, while exposures gather
_FAREWELL_S: Final = 3.0  # for what still waits when the process ends


class ExposureLog:
    """A bounded queue before the store. What does not fit is dropped, and counted: a request never waits for it."""

    def __init__(self, store: FeatureStore | None, *, most_waiting: int = _MOST_WAITING) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._waiting: list[Exposure] = []
        self._writing = asyncio.Lock()
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many are not written yet."""
        return len(self._waiting)

    def add(self, exposure: Exposure) -> None:
        """Have it written soon; without a store it goes nowhere."""
        if self._store is None:
            return
        if len(self._waiting) >= self._most_waiting:
            self.dropped += 1
            return
        self._waiting.append(exposure)

    async def run(self) -> None:
        """Write until cancelled. While the store is unavailable exposures wait; that is logged once."""
        unavailable = "exposures wait for the feature store"
        await while_store_answers(self.flush, every_s=_PAUSE_S, again_s=_RETRY_S, log=logger, unavailable=unavailable)

    async def flush(self) -> None:
        """Write all that waits now. Raises: StoreUnavailableError; what was not written still waits."""
        async with self._writing:
            while self._waiting and self._store is not None:
                group = self._waiting[:_GROUP]
                await self._store.record_exposures(group)
                del self._waiting[: len(group)]

    async def finish(self) -> None:
        """Write what is left when the process ends, as far as the store lets it."""
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self.flush()
        except (StoreUnavailableError, TimeoutError) as error:
            self.dropped += len(self._waiting)
            logger.warning("exposures lost", extra={"count": len(self._waiting), "reason": str(error)})
