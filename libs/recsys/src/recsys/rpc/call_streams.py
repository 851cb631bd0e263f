"""Calls of one process to one service over streams that stay open: `recsys.v1.CallStreamService` as its client.

A stream carries one call at a time, for a third of what a unary call costs. Where no stream was set free for some
milliseconds, a call that waits for one is made as a unary call, so that no slow call keeps another waiting. A stream is
a fast way and gives no guarantee: where there is none, where one breaks, or where one does not answer within half of a
call's time, the call is made as a unary one too, on another replica if there is one. Every method of ours is
idempotent.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from recsys.background import running
from recsys.observability import tracing
from recsys.observability.logging import request_id
from recsys.rpc.channel import call_unary
from recsys.v1.call_stream_service_pb2 import Call, CallAnswer
from recsys.v1.call_stream_service_pb2_grpc import CallStreamServiceStub

_log = logging.getLogger(__name__)

_jitter: Final = random.Random()  # its own: the process's may be seeded, and is watched by hypothesis
_TURN: Final = 16  # calls: a warm thread answers sooner, and every replica is to have its share
_LONGEST_WAIT_S: Final = 0.004  # for a stream to be set free, whoever gets it
# a stream is made anew after so long, on the next replica in turn: added ones get their share
_AGE_S: Final = (2.0, 4.0)
_FIRST_AGE_S: Final = (0.2, 1.0)  # at the start all are made on the replica that is there first
_PAUSE_S: Final = (0.1, 1.0)  # before a stream that could not be made is tried again: at first, and at last
_OPENING_S: Final = 1.0
# As the channel's own: a failover takes a token, an answer gives back a tenth, below half of them none is made.
_TOKENS: Final = 1000.0
_TOKENS_OF_AN_ANSWER: Final = 0.1
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_UNAVAILABLE: Final = grpc.StatusCode.UNAVAILABLE.value[0]

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
_Carrier: TypeAlias = "grpc.aio.StreamStreamCall[Call, CallAnswer]"


@dataclass(frozen=True)
class UnaryMethod(Generic[Request, Response]):
    """A method that a stream can carry."""

    name: str  # for instance /recsys.v1.RerankerService/Rerank
    call: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]"
    response: type[Response]


class _BrokenError(Exception):
    """The stream has ended."""


class _Stream:
    """An open stream, free or with a call on it."""

    def __init__(self, carrier: _Carrier) -> None:
        self.carrier = carrier
        self.is_old = False  # takes no further call
        self.calls = 0  # carried so far
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        carrier.add_done_callback(lambda _: self.end())

    def end(self) -> None:
        """Have no further call on it."""
        if not self.over.done():
            self.over.set_result(None)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call that has no stream yet."""

    stream: "asyncio.Future[_Stream | None]"  # none: it is made as a unary call
    until_s: float  # on the loop's clock


class CallStreams:
    """The streams to one service, and the calls that wait for one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CallStreamServiceStub(channel)
        self._free: deque[_Stream] = deque()  # the last one is taken: set free a moment ago, its thread is warm
        self._waiting: deque[_Waiting] = deque()
        self._look: asyncio.TimerHandle | None = None  # for calls that have waited too long, while some wait
        self._set_free_s = 0.0  # on the loop's clock, when a stream was set free last
        self._open = 0  # streams
        self._tokens = _TOKENS

    @property
    def free(self) -> int:
        """How many streams take a call at once."""
        return len(self._free)

    async def call(self, method: UnaryMethod[Request, Response], request: Request, *, timeout_s: float) -> Response:
        """The answer to one call. Raises: grpc.aio.AioRpcError."""
        if self._open == 0 or timeout_s <= 0:
            return await call_unary(method.call, request, timeout_s=timeout_s)
        until_s = asyncio.get_running_loop().time() + timeout_s
        patience_s = until_s - timeout_s / 2
        stream = await self._free_stream(patience_s)
        if stream is None:
            return await call_unary(method.call, request, timeout_s=_left_s(until_s))
        call = Call(
            method=method.name,
            request=request.SerializeToString(),
            timeout_ms=max(round(_left_s(until_s) * 1000), 0),
            request_id=request_id.get(),
            traceparent=tracing.traceparent(),
        )
        answer = await self._answer(stream, call, until_s=patience_s)
        if answer is None:
            if self._tokens < _TOKENS / 2:
                raise _error(Status(code=_UNAVAILABLE, message="the call stream broke, as too many others did"))
            self._tokens -= 1
            return await call_unary(method.call, request, timeout_s=_left_s(until_s))
        self._tokens = min(self._tokens + _TOKENS_OF_AN_ANSWER, _TOKENS)
        if answer.status:
            raise _error(Status.FromString(answer.status))
        return method.response.FromString(answer.response)

    async def run(self) -> None:
        """Keep one stream open until cancelled."""
        pause_s, longest_s = _PAUSE_S
        age_s = _FIRST_AGE_S
        while True:
            try:
                await self._one_stream(_jitter.uniform(*age_s))
                pause_s, age_s = _PAUSE_S[0], _AGE_S
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, _BrokenError, TimeoutError) as error:
                _log.debug("call stream broken", extra={"reason": str(error)})
                await asyncio.sleep(pause_s * _jitter.uniform(0.5, 1.0))
                pause_s = min(2 * pause_s, longest_s)

    async def _one_stream(self, age_s: float) -> None:
        carrier: _Carrier = self._stub.Carry()
        try:
            async with asyncio.timeout(_OPENING_S):
                await carrier.wait_for_connection()
            self._open += 1
            stream = _Stream(carrier)
            try:
                self._set_free(stream)
                await asyncio.wait([stream.over], timeout=age_s)
                stream.is_old = True
                if stream not in self._free:  # there is a call on it
                    await stream.over
            finally:
                with suppress(ValueError):
                    self._free.remove(stream)
                self._open -= 1
            if carrier.done():
                raise _BrokenError("the server ended it")
            async with asyncio.timeout(_OPENING_S):  # the server ends a stream without a call
                await carrier.done_writing()
                await carrier.read()
        finally:
            carrier.cancel()
            await carrier.code()  # grpc's thread must not find the loop closed

    async def _free_stream(self, until_s: float) -> _Stream | None:
        """A stream without a call, for one; none where there is none until then, or none was set free for too long."""
        while self._free:
            stream = self._free.pop()
            if not stream.over.done():
                return stream
        loop = asyncio.get_running_loop()
        waiting = _Waiting(loop.create_future(), until_s)
        self._waiting.append(waiting)
        if self._look is None:
            self._look = loop.call_later(_LONGEST_WAIT_S, self._look_for_stuck)
        try:
            return await waiting.stream
        except asyncio.CancelledError:
            if not waiting.stream.cancelled() and (given := waiting.stream.result()) is not None:
                self._set_free(given)
            raise

    def _look_for_stuck(self) -> None:
        """Let calls go that have waited for too long, and look again while others wait."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        is_stuck = now_s - self._set_free_s >= _LONGEST_WAIT_S
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if each.stream.done():
                continue
            if is_stuck or now_s >= each.until_s:
                each.stream.set_result(None)
            else:
                self._waiting.append(each)
        self._look = loop.call_later(_LONGEST_WAIT_S, self._look_for_stuck) if self._waiting else None

    def _set_free(self, stream: _Stream) -> None:
        if stream.is_old:
            stream.end()
            return
        self._set_free_s = asyncio.get_running_loop().time()
        while self._waiting:
            waiting = self._waiting.popleft().stream
            if not waiting.done():
                waiting.set_result(stream)
                return
        if stream.calls % _TURN:
            self._free.append(stream)
        else:
            self._free.appendleft(stream)

    async def _answer(self, stream: _Stream, call: Call, *, until_s: float) -> CallAnswer | None:
        """The answer to a call on a stream; none where it breaks or is silent until then."""
        answer: object = None
        try:
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError):
                async with asyncio.timeout_at(until_s):
                    await stream.carrier.write(call)
                    answer = await stream.carrier.read()
        finally:
            if isinstance(answer, CallAnswer):
                stream.calls += 1
                self._set_free(stream)
            else:  # what may still come would be taken for the next call's
                stream.end()
        return answer if isinstance(answer, CallAnswer) else None


@asynccontextmanager
async def open_call_streams(channel: grpc.aio.Channel, *, count: int) -> AsyncIterator[CallStreams]:
    """So many streams to the service behind a channel, kept open until the end of the block."""
    streams = CallStreams(channel)
    async with running({f"call_stream_{number}": streams.run for number in range(count)}):
        yield streams


def _left_s(until_s: float) -> float:
    return until_s - asyncio.get_running_loop().time()


def _error(status: Status) -> grpc.aio.AioRpcError:
    """What a unary call that fails so raises."""
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(_CODES[status.code], grpc.aio.Metadata(), trailing, details=status.message)
