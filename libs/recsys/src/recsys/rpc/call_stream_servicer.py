"""`recsys.v1.LaneService`: a server's unary methods, called many to a message over streams that stay open.

Calls that come in one message are worked on by the server's worker threads, and each is answered as soon as it is done;
a single one is answered by the stream's own thread, which saves a change of threads. When the process is told to end,
streams that wait for calls are cut, and the others end after their answers: their clients make new ones elsewhere.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Final, cast

import grpc

from recsys.errors import InvalidArgumentError
from recsys.observability.logging import request_id
from recsys.rpc.interceptor import LONGEST_REQUEST_ID
from recsys.rpc.method import CallError, Method
from recsys.rpc.requests import MOST_CALLS_A_MESSAGE
from recsys.rpc.status import OVERLOADED, UNKNOWN_METHOD
from recsys.rpc.workers import Workers
from recsys.v1.lane_service_pb2 import Call, CallAnswer, CallAnswers, Calls
from recsys.v1.lane_service_pb2_grpc import LaneServiceServicer


class CallStreamServicer(LaneServiceServicer):
    """Carries calls to the methods of the same server."""

    def __init__(self, methods: Mapping[str, Method], workers: Workers, *, most: int) -> None:
        """`methods` by name, read when a call comes; `most` calls are carried at once, and more are refused."""
        self._methods = methods
        self._workers = workers
        self._most: Final = most
        self._lock = threading.Lock()  # for what follows
        self._waiting: set[grpc.ServicerContext] = set()  # streams without a call
        self._in_flight = 0
        self._is_ending = False
        self.arrived = 0  # calls since the start

    def Carry(  # noqa: N802
        self, request_iterator: Iterable[Calls], context: grpc.ServicerContext
    ) -> Iterator[CallAnswers]:
        if not self._waits(context):
            return
        context.send_initial_metadata(())  # the client knows now that the stream is taken
        try:
            for calls in request_iterator:
                came_s = time.monotonic()
                if len(calls.calls) > MOST_CALLS_A_MESSAGE:  # two million empty ones fit into 4 MiB
                    raise InvalidArgumentError(
                        f"calls: expected at most {MOST_CALLS_A_MESSAGE}, found {len(calls.calls)}"
                    )
                are_too_many = self._takes(len(calls.calls), context)
                try:
                    if are_too_many:
                        yield CallAnswers(answers=[_failed(place, OVERLOADED) for place in range(len(calls.calls))])
                    elif len(calls.calls) == 1:
                        yield CallAnswers(answers=[self._answer(0, calls.calls[0], context, came_s)])
                    else:
                        yield from self._answers(calls.calls, context, came_s)
                finally:
                    self._has_answered(len(calls.calls))
                if not self._waits(context):
                    return
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
        """Whether there may be more calls."""
        with self._lock:
            if not self._is_ending:
                self._waiting.add(context)
            return not self._is_ending

    def _takes(self, calls: int, context: grpc.ServicerContext) -> bool:
        with self._lock:
            self._waiting.discard(context)
            self.arrived += calls
            self._in_flight += calls
            return self._in_flight > self._most

    def _has_answered(self, calls: int) -> None:
        with self._lock:
            self._in_flight -= calls

    def _answers(self, calls: Sequence[Call], context: grpc.ServicerContext, came_s: float) -> Iterator[CallAnswers]:
        """Those that are done at the same time go together."""
        done: SimpleQueue[CallAnswer] = SimpleQueue()
        for place, call in enumerate(calls):
            self._workers.submit(lambda place=place, call=call: done.put(self._answer(place, call, context, came_s)))
        left = len(calls)
        while left:
            answers = [done.get()]
            while not done.empty():
                answers.append(done.get())
            left -= len(answers)
            yield CallAnswers(answers=answers)

    def _answer(self, place: int, call: Call, context: grpc.ServicerContext, came_s: float) -> CallAnswer:
        method = self._methods.get(call.method)
        if method is None or method.is_streaming:
            return _failed(place, UNKNOWN_METHOD)
        request_id.set(call.request_id[:LONGEST_REQUEST_ID])
        try:
            response = method.carried(call.request, context, came_s=came_s, timeout_s=call.timeout_ms / 1e3)
            return CallAnswer(place=place, response=response)
        except CallError as error:
            return _failed(place, error.status)


def _failed(place: int, status: grpc.Status) -> CallAnswer:
    [(_, rich)] = status.trailing_metadata
    return CallAnswer(place=place, code=status.code.value[0], message=status.details, status=cast("bytes", rich))
