"""What every RPC of ours gets: its request id, a deadline, errors as statuses, a log line and its place in the metrics.

Without it grpc-python answers an exception with UNKNOWN and its raw text. Unary and streaming methods alike: bytes
come in and go out, so that a request that cannot be read is an error like any other.
"""

from __future__ import annotations  # grpc's classes are generic to the type checker only

import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError

from recsys.errors import InvalidArgumentError, RecsysError
from recsys.observability.logging import REQUEST_ID_KEY, request_id
from recsys.observability.metrics import RpcMetrics
from recsys.rpc.status import deadline_exceeded, internal_error, overloaded, status_of
from recsys.rpc.workers import Workers

_log = logging.getLogger(__name__)

_OWN_METHODS: Final = "/recsys."  # health checks and reflection pass untouched, and do not fill the log
_LEAST_WORK_S: Final = 0.001  # with less than this left the answer would come too late
_LONGEST_REQUEST_ID: Final = 128
_OK: Final = grpc.StatusCode.OK
_CANCELLED: Final = grpc.StatusCode.CANCELLED

# when the call came, before it waited for a worker; grpc gives each call a context of its own
_arrived_s: Final[ContextVar[float]] = ContextVar("arrived_s")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class _TooLateError(Exception):
    """The call's time is over."""


@dataclass(frozen=True)
class Policy:
    """How calls are answered, whatever the method."""

    default_deadline_s: float  # bounds a unary call that came without a deadline, and any longer one
    stream_deadline_s: float  # the same for a streaming call
    slow_s: float  # a call that took longer is in the log although it went well
    metrics: RpcMetrics
    workers: Workers  # answer unary calls; the server's own pool
    stream_workers: Workers  # answer streaming calls: these last, and must not keep the others waiting
    refusers: Workers  # tell the others that there are too many


class RpcInterceptor(grpc.ServerInterceptor):
    """Wraps the methods of `recsys.v1`, each once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._wrapped: dict[str, tuple[Handler, Workers]] = {}
        self._refusal: Handler = grpc.unary_unary_rpc_method_handler(policy.refusers.runs(_refuse))

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Handler | None], handler_call_details: Any
    ) -> Handler | None:
        """Runs in the server's one thread for all calls, in the context of the call: it must be short."""
        method: str = handler_call_details.method
        if not method.startswith(_OWN_METHODS):
            return continuation(handler_call_details)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        handler, workers = wrapped
        if workers.busy():
            self._policy.metrics.ended(method, grpc.StatusCode.RESOURCE_EXHAUSTED.name, 0.0)
            return self._refusal
        _arrived_s.set(time.monotonic())
        request_id.set(_request_id(handler_call_details.invocation_metadata))
        return handler

    def _wrap(self, name: str, handler: Handler) -> tuple[Handler, Workers]:
        policy, method = self._policy, _Method(name, handler, self._policy)
        if not handler.request_streaming and not handler.response_streaming:
            return grpc.unary_unary_rpc_method_handler(method.answer_one), policy.workers
        workers = policy.stream_workers
        if not handler.response_streaming:
            return grpc.stream_unary_rpc_method_handler(workers.runs(method.answer_one)), workers
        if not handler.request_streaming:
            return grpc.unary_stream_rpc_method_handler(workers.runs(method.answer_many)), workers
        return grpc.stream_stream_rpc_method_handler(workers.runs(method.answer_many)), workers


class _Method:
    """One method: what its servicer does, between bytes and bytes."""

    def __init__(self, name: str, handler: Handler, policy: Policy) -> None:
        self._name = name
        self._behaviour = cast(
            "Callable[[Any, grpc.ServicerContext], Any]",
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream,
        )
        self._request_streaming = handler.request_streaming
        self._parse = handler.request_deserializer or bytes
        self._serialize = handler.response_serializer or bytes
        is_streaming = handler.request_streaming or handler.response_streaming
        self._deadline_s = policy.stream_deadline_s if is_streaming else policy.default_deadline_s
        self._slow_s = float("inf") if is_streaming else policy.slow_s
        self._metrics = policy.metrics

    def answer_one(self, raw: Any, context: grpc.ServicerContext) -> bytes:
        """One response; `raw` is the request's bytes, or an iterator of those of many."""
        self._metrics.in_flight.inc()
        code, version = _CANCELLED, ""
        try:
            response = self._work(raw, context)
            answer: bytes = self._serialize(response)
            if context.is_active():
                code, version = _OK, response.artifact_version
        except Exception as error:  # the edge
            status = _status_of_failure(error, context)
            code = status.code
            context.abort_with_status(status)
        finally:
            self._end(code, version)
        return answer

    def answer_many(self, raw: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Response after response, until the servicer has no more, the time is over or the client goes away."""
        self._metrics.in_flight.inc()
        code = _CANCELLED
        try:
            for response in self._work(raw, context):
                self._check_time(context)
                yield self._serialize(response)
            if context.is_active():
                code = _OK
        except Exception as error:  # the edge; a client that goes away is a GeneratorExit
            status = _status_of_failure(error, context)
            code = status.code
            context.abort_with_status(status)
        finally:
            self._end(code, "")

    def _work(self, raw: Any, context: grpc.ServicerContext) -> Any:
        self._check_time(context)
        return self._behaviour(map(self._read, raw) if self._request_streaming else self._read(raw), context)

    def _check_time(self, context: grpc.ServicerContext) -> None:
        remaining_s = self._deadline_s - (time.monotonic() - _arrived_s.get())
        clients_s = context.time_remaining()
        if remaining_s < _LEAST_WORK_S or (clients_s is not None and clients_s < _LEAST_WORK_S):
            raise _TooLateError

    def _read(self, raw: bytes) -> Any:
        try:
            return self._parse(raw)
        except DecodeError:  # its text is of the parser's making, and says nothing to a caller
            raise InvalidArgumentError(f"{self._name}: expected its request message, found other bytes") from None

    def _end(self, code: grpc.StatusCode, version: str) -> None:
        latency_s = time.monotonic() - _arrived_s.get()
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
        return deadline_exceeded()
    if isinstance(error, RecsysError):
        return status_of(error)
    if isinstance(error, grpc.RpcError) and not context.is_active():
        raise error  # the client went away while its requests were awaited: there is nobody to tell
    _log.error("unexpected error", exc_info=error)  # a bug is logged in full here, and told to nobody outside
    return internal_error()


def _refuse(_raw: bytes, context: grpc.ServicerContext) -> None:
    context.abort_with_status(overloaded())


def _request_id(metadata: Any) -> str:
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str):
            return value[:_LONGEST_REQUEST_ID]
    return ""
