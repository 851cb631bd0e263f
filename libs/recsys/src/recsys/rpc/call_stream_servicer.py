"""`recsys.v1.CallStreamService`: a server's unary methods, called one after the other over streams that stay open.

The thread of a stream answers its calls. When the process is told to end, streams that wait for a call are cut, and the
others end after their answer: their clients make new ones elsewhere.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import cast

import grpc

from recsys.observability import tracing
from recsys.observability.logging import request_id
from recsys.rpc.exchange import Requests
from recsys.rpc.interceptor import LONGEST_REQUEST_ID
from recsys.rpc.method import CallError, Method, check_time
from recsys.rpc.status import UNKNOWN_METHOD
from recsys.v1.call_stream_service_pb2 import Call, CallAnswer
from recsys.v1.call_stream_service_pb2_grpc import CallStreamServiceServicer


class CallStreamServicer(CallStreamServiceServicer):
    """Carries calls to the methods of the same server."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        """`methods` by name, read when a call comes."""
        self._methods = methods
        self._lock = threading.Lock()  # for what follows
        self._waiting: set[grpc.ServicerContext] = set()  # streams without a call
        self._is_ending = False
        self.arrived = 0  # calls since the start

    def Carry(self, request_iterator: Requests[Call], context: grpc.ServicerContext) -> Iterator[CallAnswer]:  # noqa: N802
        if not self._waits(context):
            return
        context.send_initial_metadata(())  # the client knows now that the stream is taken
        try:
            call = next(request_iterator, None)
            while call is not None:
                came_s = time.monotonic()
                with self._lock:
                    self._waiting.discard(context)
                    self.arrived += 1
                answer = self._answer(call, context, came_s)
                check_time(context)
                if not self._waits(context):
                    yield answer
                    return
                call = request_iterator.after(answer.SerializeToString())
        finally:
            with self._lock:
                self._waiting.discard(context)

    def end(self) -> None:
        """Take no more calls."""
        with self._lock:
            self._is_ending = True
            waiting = list(self._waiting)
        for context in waiting:
            context.cancel()

    def _waits(self, context: grpc.ServicerContext) -> bool:
        """Whether there may be another call."""
        with self._lock:
            if not self._is_ending:
                self._waiting.add(context)
            return not self._is_ending

    def _answer(self, call: Call, context: grpc.ServicerContext, came_s: float) -> CallAnswer:
        method = self._methods.get(call.method)
        if method is None or method.is_streaming:
            return _failed(UNKNOWN_METHOD)
        request_id.set(call.request_id[:LONGEST_REQUEST_ID])
        tracing.caller.set(call.traceparent)
        try:
            return CallAnswer(
                response=method.carried(call.request, context, came_s=came_s, timeout_s=call.timeout_ms / 1e3)
            )
        except CallError as error:
            return _failed(error.status)


def _failed(status: grpc.Status) -> CallAnswer:
    [(_, rich)] = status.trailing_metadata
    return CallAnswer(status=cast("bytes", rich))
