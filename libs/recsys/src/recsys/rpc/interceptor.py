"""What every RPC of ours gets: its request id, a deadline, errors as statuses, and one log line.

Without it grpc-python answers an exception with UNKNOWN and its raw text.
"""

from __future__ import annotations  # grpc's classes are generic to the type checker only

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, cast

import grpc

from recsys.errors import RecsysError
from recsys.observability.logging import REQUEST_ID_KEY, request_id
from recsys.rpc.status import deadline_exceeded, internal_error, status_of

_log = logging.getLogger(__name__)

_OWN_METHODS: Final = "/recsys."  # health checks and reflection pass untouched, and do not fill the log
_LEAST_WORK_S: Final = 0.001  # with less than this left the answer would come too late
_LONGEST_REQUEST_ID: Final = 128

Request = TypeVar("Request")
Response = TypeVar("Response")


class _Versioned(Protocol):
    """Every response of `recsys.v1`; a contract test sees to it."""

    artifact_version: str


@dataclass(frozen=True)
class _Call:
    method: str
    request_id: str
    arrived_s: float  # time.monotonic, before the request waited for a worker


class RpcInterceptor(grpc.ServerInterceptor):
    """Wraps the unary methods of `recsys.v1`; it has no others."""

    def __init__(self, *, default_deadline_s: float) -> None:
        """`default_deadline_s` bounds a call that came without a deadline, and any longer one."""
        self._default_deadline_s = default_deadline_s

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        handler = continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(_OWN_METHODS):
            return handler
        behaviour = handler.unary_unary
        if behaviour is None:
            raise NotImplementedError(f"{handler_call_details.method}: only unary methods are wrapped")
        call = _Call(
            method=handler_call_details.method,
            request_id=_request_id(handler_call_details),
            arrived_s=time.monotonic(),
        )

        def answer(request: Request, context: grpc.ServicerContext) -> Response:
            request_id.set(call.request_id)  # grpc gives each call a context of its own
            is_late = self._remaining_s(call, context) < _LEAST_WORK_S
            outcome = deadline_exceeded() if is_late else _outcome(behaviour, request, context)
            _log_outcome(call, outcome)
            if isinstance(outcome, grpc.Status):
                context.abort_with_status(outcome)
            return outcome

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _remaining_s(self, call: _Call, context: grpc.ServicerContext) -> float:
        waited_s = time.monotonic() - call.arrived_s
        remaining_s = context.time_remaining()
        default_s = self._default_deadline_s - waited_s
        return default_s if remaining_s is None else min(remaining_s, default_s)


def _outcome(
    behaviour: Callable[[Request, grpc.ServicerContext], Response], request: Request, context: grpc.ServicerContext
) -> Response | grpc.Status:
    try:
        return behaviour(request, context)
    except RecsysError as error:
        return status_of(error)
    except Exception:  # the edge: a bug is logged in full here, and told to nobody outside
        _log.exception("unexpected error")
        return internal_error()


def _log_outcome(call: _Call, outcome: object) -> None:
    failed = isinstance(outcome, grpc.Status)
    _log.info(
        "rpc",
        extra={
            "method": call.method,
            "status": outcome.code.name if isinstance(outcome, grpc.Status) else grpc.StatusCode.OK.name,
            "latency_ms": round((time.monotonic() - call.arrived_s) * 1000, 3),
            "artifact_version": "" if failed else cast("_Versioned", outcome).artifact_version,
        },
    )


def _request_id(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str):
            return value[:_LONGEST_REQUEST_ID]
    return ""
