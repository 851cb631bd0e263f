"""How long the gateway's calls took by method and outcome, as a request sees them: with the way there and back."""

import asyncio
from collections.abc import Awaitable
from time import perf_counter
from typing import Final, TypeVar

import grpc
from prometheus_client import CollectorRegistry, Histogram

from recsys.observability import tracing
from recsys.observability.metrics import Labelled

Response = TypeVar("Response")

_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_OK: Final = grpc.StatusCode.OK.name
_CANCELLED: Final = grpc.StatusCode.CANCELLED.name


class CallMetrics:
    """Each instance counts for itself."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._latency = Labelled(
            Histogram(
                "recsys_call_latency_seconds",
                "Calls of the gateway to a service that were let through, with the way there and back",
                ["method", "code"],
                buckets=_BUCKETS_S,
                registry=registry,
            )
        )

    async def timed(self, method: str, call: Awaitable[Response]) -> Response:
        """The answer of one call. Raises what it raises."""
        started_s, code = perf_counter(), "UNKNOWN"
        try:
            with tracing.child(method):
                answer = await call
            code = _OK
            return answer
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise
        except asyncio.CancelledError:
            code = _CANCELLED
            raise
        finally:
            self._latency[method, code].observe(perf_counter() - started_s)
