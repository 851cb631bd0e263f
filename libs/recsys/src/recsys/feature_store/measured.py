"""A feature store whose every call is timed and counted by outcome, in the metrics of the process."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final, cast

from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import FeatureStore
from recsys.observability import tracing
from recsys.observability.metrics import Labelled, store_latency

_NOT_TIMED: Final = frozenset({"close"})

_latency: Final = Labelled(store_latency)


def measured(store: FeatureStore) -> FeatureStore:
    """The same store, timed."""
    return cast("FeatureStore", _Measured(store))


class _Measured:
    """Each method is wrapped when it is first asked for."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not inspect.iscoroutinefunction(method) or name in _NOT_TIMED:
            return method
        timed = self.__dict__[name] = _timed(name, method)
        return timed


def _timed(operation: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any, **options: Any) -> Any:
        started_s, outcome = perf_counter(), "error"
        try:
            with tracing.child(f"feature store {operation}"):
                answer = await method(*args, **options)
            outcome = "ok"
            return answer
        except StoreUnavailableError:
            outcome = "unavailable"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            _latency[operation, outcome].observe(perf_counter() - started_s)

    return call
