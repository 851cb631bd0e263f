"""Has every method of ours answered by its `recsys.rpc.method.Method`, and chooses in whose threads.

Without it grpc-python answers an exception with UNKNOWN and its raw text.
"""

from __future__ import annotations  # grpc's classes are generic to the type checker only

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import grpc

from recsys.observability import tracing
from recsys.observability.logging import REQUEST_ID_KEY, request_id
from recsys.rpc.method import Handler, Method, Policy, arrived_s
from recsys.rpc.status import OVERLOADED
from recsys.rpc.workers import Workers

_CALL_STREAMS: Final = "/recsys.v1.CallStreamService/"
LONGEST_REQUEST_ID: Final = 128


class RpcInterceptor(grpc.ServerInterceptor):
    """Answers calls of the given methods; health checks and reflection pass untouched, and do not fill the log."""

    def __init__(self, policy: Policy, methods: Mapping[str, Method]) -> None:
        """`methods` by name, read when a call comes."""
        self._policy = policy
        self._methods = methods
        self._handlers: dict[str, tuple[Handler, Workers]] = {}
        # for any method as one of a stream of requests: for a single one grpc would wait, and a client that never sends
        # it would keep every other refusal waiting
        self._refusal: Handler = grpc.stream_unary_rpc_method_handler(policy.refusers.runs(_refuse))

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Handler | None], handler_call_details: Any
    ) -> Handler | None:
        """Runs in the server's one thread for all calls, in the context of the call: it must be short."""
        name: str = handler_call_details.method
        method = self._methods.get(name)
        if method is None:
            return continuation(handler_call_details)
        if name not in self._handlers:
            self._handlers[name] = self._handler(name, method)
        handler, workers = self._handlers[name]
        if workers.busy():
            self._policy.metrics.ended(name, grpc.StatusCode.RESOURCE_EXHAUSTED.name, 0.0)
            return self._refusal
        arrived_s.set(time.monotonic())
        request_id.set(_told(handler_call_details.invocation_metadata, REQUEST_ID_KEY))
        if tracing.is_on():
            tracing.caller.set(_told(handler_call_details.invocation_metadata, tracing.TRACEPARENT))
        return handler

    def _handler(self, name: str, method: Method) -> tuple[Handler, Workers]:
        policy = self._policy
        if not method.is_streaming:
            return grpc.unary_unary_rpc_method_handler(method.answer_one), policy.workers
        workers = policy.call_stream_workers if name.startswith(_CALL_STREAMS) else policy.stream_workers
        if not method.response_streaming:
            return grpc.stream_unary_rpc_method_handler(workers.runs(method.answer_one)), workers
        if not method.request_streaming:
            return grpc.unary_stream_rpc_method_handler(workers.runs(method.answer_many)), workers
        return grpc.stream_stream_rpc_method_handler(workers.runs(method.answer_many)), workers


def _refuse(_raw: bytes, context: grpc.ServicerContext) -> None:
    context.abort_with_status(OVERLOADED)


def _told(metadata: Any, name: str) -> str:
    for key, value in metadata:
        if key == name and isinstance(value, str):
            return value[:LONGEST_REQUEST_ID]
    return ""
