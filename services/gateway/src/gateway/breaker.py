"""A circuit breaker for each service: one that is dead or hangs costs nothing after a few failures.

Closed, calls pass. After `_FAILURES` of them in a row that mean the service is unwell it is open: calls fail at once,
as they do when it cannot be reached. After a pause one call goes through as a probe, while all others still fail at
once; any answer closes the breaker again.

Unwell is UNAVAILABLE, DEADLINE_EXCEEDED of a call that had time enough, and a feature store that fails. Everything
else is an answer of a service that works, RESOURCE_EXHAUSTED included: a service that sheds load is alive and busy with
what it took, and keeping all calls from it would turn a part that is refused into everything that is.

Own code, as what is there does not fit: purgatory lets any number of probes through, aiobreaker is without releases
since 2021, pybreaker is for threads; all judge by the class of an exception, and gRPC has one class for every status.
"""

import logging
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

import grpc

from recsys.errors import StoreUnavailableError

_jitter: Final = random.Random()  # its own: the process's may be seeded, and is watched by hypothesis
_FAILURES: Final = 5  # a replica that dies under its neighbours' load fails fewer in a row, as calls are retried there
_PAUSE_S: Final = (0.2, 0.4)  # drawn from, so that several gateways do not probe at the same moment
_FAIR_TIME_S: Final = 0.05  # a call that had less of its deadline left says nothing of the service

logger = logging.getLogger(__name__)


def unavailable(details: str) -> grpc.aio.AioRpcError:
    """What a call to a service that cannot be reached raises."""
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)


class Breaker:
    """Of one service, in one process; not thread-safe, which an event loop does not need."""

    def __init__(
        self,
        service: str,
        *,
        refusal: Callable[[str], Exception] = unavailable,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`refusal` makes what a call raises that is not let through."""
        self.service = service
        self._refusal = refusal
        self._clock = clock
        self.openings = 0  # how often it opened
        self._failures = 0  # in a row
        self._probe_at_s: float | None = None  # None: closed
        self._probe: _Call | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once."""
        return self._probe_at_s is not None

    def call(self, *, timeout_s: float) -> "_Call":
        """`with breaker.call(timeout_s=…):` around the await of one call. Raises the refusal where it is open."""
        return _Call(self, timeout_s=timeout_s)

    def _admit(self, call: "_Call") -> None:
        if self._probe_at_s is None:
            return
        if self._probe is not None or self._clock() < self._probe_at_s:
            raise self._refusal(f"{self.service} failed {_FAILURES} times in a row; it is tried again in a moment")
        self._probe = call

    def _answered(self) -> None:
        if self.is_open:
            logger.info("service answers again", extra={"service": self.service})
        self._failures, self._probe_at_s, self._probe = 0, None, None

    def _failed(self, call: "_Call", reason: str) -> None:
        self._failures += 1
        if self._probe_at_s is None:
            if self._failures < _FAILURES:
                return
            self.openings += 1
            logger.warning("service is not called for a moment", extra={"service": self.service, "reason": reason})
        elif self._probe is not call:
            return  # it was under way when the breaker opened: nothing new
        self._probe_at_s, self._probe = self._clock() + _jitter.uniform(*_PAUSE_S), None

    def _left(self, call: "_Call") -> None:
        """A call was given up by its caller: the next one may be the probe."""
        if self._probe is call:
            self._probe = None


class _Call:
    """One call, from before it is sent until its answer is there."""

    __slots__ = ("_breaker", "_timeout_s")

    def __init__(self, breaker: Breaker, *, timeout_s: float) -> None:
        self._breaker = breaker
        self._timeout_s = timeout_s

    def __enter__(self) -> None:
        self._breaker._admit(self)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None:
            self._breaker._answered()
        elif isinstance(error, StoreUnavailableError):
            self._breaker._failed(self, str(error))
        elif not isinstance(error, grpc.aio.AioRpcError) or error.code() is grpc.StatusCode.CANCELLED:
            self._breaker._left(self)
        elif error.code() is grpc.StatusCode.UNAVAILABLE:
            self._breaker._failed(self, error.code().name)
        elif error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            self._breaker._answered()
        elif self._timeout_s >= _FAIR_TIME_S:
            self._breaker._failed(self, error.code().name)
        else:
            self._breaker._left(self)
