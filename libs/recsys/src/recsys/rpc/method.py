"""One method of ours, however it is called: a deadline, errors as statuses, a log line, a place in the metrics.

Bytes come in and bytes go out, so that a request that cannot be read is an error like any other.
"""

from __future__ import annotations  # grpc's classes are generic to the type checker only

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError

from recsys.errors import InvalidArgumentError, RecsysError
from recsys.observability import tracing
from recsys.observability.metrics import RpcMetrics
from recsys.rpc.exchange import Requests
from recsys.rpc.status import DEADLINE_EXCEEDED, INTERNAL_ERROR, status_of
from recsys.rpc.workers import Workers

_log = logging.getLogger(__name__)

_LEAST_WORK_S: Final = 0.001  # with less than this left the answer would come too late
_OK: Final = grpc.StatusCode.OK
_CANCELLED: Final = grpc.StatusCode.CANCELLED

arrived_s: Final[ContextVar[float]] = ContextVar("arrived_s")
"""When the call came, before it waited for a worker; grpc gives each call a context of its own."""
_until_s: Final[ContextVar[float]] = ContextVar("until_s")
"""When the time of the call is over, the client's and the server's own; on the clock of `time.monotonic`."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class _TooLateError(Exception):
    """The call's time is over, or nobody waits for its answer."""


def check_time(context: grpc.ServicerContext) -> None:
    """End a call that nobody waits for any more, by raising; for work that may last, between its parts."""
    if not context.is_active() or _until_s.get() - time.monotonic() < _LEAST_WORK_S:
        raise _TooLateError


class CallError(Exception):
    """A call has failed, and this is what its client is told."""

    def __init__(self, status: grpc.Status) -> None:
        super().__init__(status.details)
        self.status = status


@dataclass(frozen=True)
class ServerLimits:
    """What a server lets happen at once, and for how long."""

    worker_threads: int
    maximum_concurrent_rpcs: int  # being answered or waiting; one more is RESOURCE_EXHAUSTED
    default_deadline_s: float  # bounds a unary call that came without a deadline, and any longer one
    grace_s: float  # for calls in flight when the server is told to end
    slow_s: float = 0.25  # a call that took longer is logged although it went well
    call_stream_threads: int = 128  # streams at once that carry unary calls; each gateway has some
    stream_threads: int = 4  # other streaming calls at once, in threads of their own
    stream_deadline_s: float = 3600.0  # for a streaming call that came without a deadline
    # A client asks the name service again when a connection ends: this is how soon an added replica gets its share.
    connection_age_s: float = 10.0


class Policy:
    """How calls are answered, whatever the method, and in whose threads."""

    def __init__(
        self, limits: ServerLimits, metrics: RpcMetrics, *, prepare_worker: Callable[[], None] = lambda: None
    ) -> None:
        """`prepare_worker` runs once in each thread."""
        self.limits = limits
        self.metrics = metrics

        def workers(name: str, threads: int, most: int) -> Workers:
            return Workers(name, threads=threads, most=most, prepare=prepare_worker)

        # answer unary calls; the server's own pool
        self.workers = workers("rpc", limits.worker_threads, limits.maximum_concurrent_rpcs)
        # unary calls, carried ones too, that are worked on at once
        self.turns = threading.Semaphore(limits.worker_threads)
        # answer the streams that carry unary calls, each for as long as it is open
        self.call_stream_workers = workers("call_stream", limits.call_stream_threads, limits.call_stream_threads)
        # answer other streaming calls: these last, and must not keep the others waiting
        self.stream_workers = workers("stream", limits.stream_threads, limits.stream_threads)
        # tell the others that there are too many
        self.refusers = Workers("refuse", threads=1, most=1)


class Method:
    """What a servicer does, between bytes and bytes."""

    def __init__(self, name: str, handler: Handler, policy: Policy) -> None:
        self._name = name
        self._behaviour = cast(
            "Callable[[Any, grpc.ServicerContext], Any]",
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream,
        )
        self.request_streaming = handler.request_streaming
        self.response_streaming = handler.response_streaming
        self._parse = handler.request_deserializer or bytes
        self._serialize = handler.response_serializer or bytes
        limits = policy.limits
        self._deadline_s = limits.stream_deadline_s if self.is_streaming else limits.default_deadline_s
        self._slow_s = float("inf") if self.is_streaming else limits.slow_s
        self._turns = policy.turns
        self._metrics = policy.metrics

    @property
    def is_streaming(self) -> bool:
        """Whether requests or responses come as a stream."""
        return self.request_streaming or self.response_streaming

    def carried(self, raw: bytes, context: grpc.ServicerContext, *, came_s: float, timeout_s: float) -> bytes:
        """One response to a call that came at `came_s` over a stream. Raises: CallError."""
        of_the_stream = _until_s.set(came_s + min(timeout_s, self._deadline_s))
        try:
            return self._one(raw, context, came_s)
        finally:
            _until_s.reset(of_the_stream)

    def answer_one(self, raw: Any, context: grpc.ServicerContext) -> bytes:
        """One response; `raw` is the request's bytes, or an iterator of those of many."""
        self._set_until(context)
        try:
            return self._one(raw, context, arrived_s.get())
        except CallError as error:
            context.abort_with_status(error.status)

    def answer_many(self, raw: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Response after response, until the servicer has no more, the time is over or the client goes away."""
        self._metrics.in_flight.inc()
        code = _CANCELLED
        try:
            self._set_until(context)
            check_time(context)
            for response in self._behaviour(self._request(raw), context):
                check_time(context)
                yield self._serialize(response)
            if context.is_active():
                code = _OK
        except Exception as error:  # the edge; a client that goes away is a GeneratorExit
            status = _status_of_failure(error, context)
            code = status.code
            context.abort_with_status(status)
        finally:
            self._end(code, "", time.monotonic() - arrived_s.get())

    def _one(self, raw: Any, context: grpc.ServicerContext, came_s: float) -> bytes:
        with tracing.served(self._name):
            return self._answer(raw, context, came_s)

    def _answer(self, raw: Any, context: grpc.ServicerContext, came_s: float) -> bytes:
        self._metrics.in_flight.inc()
        code, version = _CANCELLED, ""
        try:
            with self._turn(context):
                response = self._behaviour(self._request(raw), context)
            answer: bytes = self._serialize(response)
            if context.is_active():
                code, version = _OK, response.artifact_version
        except Exception as error:  # the edge
            status = _status_of_failure(error, context)
            code = status.code
            raise CallError(status) from error
        finally:
            self._end(code, version, time.monotonic() - came_s)
        return answer

    def _set_until(self, context: grpc.ServicerContext) -> None:
        client_s = context.time_remaining()
        until_s = arrived_s.get() + self._deadline_s
        _until_s.set(until_s if client_s is None else min(until_s, time.monotonic() + client_s))

    def _request(self, raw: Any) -> Any:
        return Requests(raw, self._read) if self.request_streaming else self._read(raw)

    @contextmanager
    def _turn(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Wait until a call more may be worked on, for no longer than the call's own time; a stream waits for none."""
        if self.is_streaming:
            check_time(context)
            yield
            return
        if not self._turns.acquire(timeout=max(_until_s.get() - time.monotonic(), 0)):
            raise _TooLateError
        try:
            check_time(context)  # after the wait
            yield
        finally:
            self._turns.release()

    def _read(self, raw: bytes) -> Any:
        try:
            return self._parse(raw)
        except DecodeError:  # its text is of the parser's making, and says nothing to a caller
            raise InvalidArgumentError(f"{self._name}: expected its request message, found other bytes") from None

    def _end(self, code: grpc.StatusCode, version: str, latency_s: float) -> None:
        self._metrics.in_flight.dec()
        self._metrics.ended(self._name, code.name, latency_s)
        level = logging.DEBUG if code is _OK and latency_s < self._slow_s else logging.INFO
        if _log.isEnabledFor(level):
            fields = {
                "method": self._name,
                "status": code.name,
                "latency_ms": round(latency_s * 1000, 3),
                "artifact_version": version,
            }
            _log.log(level, "rpc", extra=fields)


def _status_of_failure(error: Exception, context: grpc.ServicerContext) -> grpc.Status:
    if isinstance(error, _TooLateError):
        return DEADLINE_EXCEEDED
    if isinstance(error, RecsysError):
        return status_of(error)
    if isinstance(error, grpc.RpcError) and not context.is_active():
        raise error  # the client went away while its requests were awaited: there is nobody to tell
    _log.error("unexpected error", exc_info=error)  # a bug is logged in full here, and told to nobody outside
    return INTERNAL_ERROR
