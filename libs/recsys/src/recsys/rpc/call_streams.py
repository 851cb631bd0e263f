"""Calls of one process to one service over streams that stay open: `recsys.v1.LaneService` as its client.

A hop costs half of a unary call's. Calls that come while every stream is busy travel together in the next message, and
each is answered as soon as it is done. A call that has found no stream within some milliseconds is made as a unary one,
so that no slow call keeps another waiting. A stream is a fast way and gives no guarantee: where there is none, where
one breaks, or where one does not answer within half of a call's time, the call is made as a unary one too, on another
replica if there is one. Every method of ours is idempotent.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from typing import Final, Generic, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from recsys.background import running
from recsys.observability.logging import request_id
from recsys.rpc.channel import call_unary
from recsys.v1.lane_service_pb2 import Call, CallAnswer, CallAnswers, Calls
from recsys.v1.lane_service_pb2_grpc import LaneServiceStub

_log = logging.getLogger(__name__)

_jitter: Final = random.Random()  # its own: the process's may be seeded, and is watched by hypothesis
_MOST_CALLS: Final = 8  # in one message: the stream takes others when all of them are answered
_LONGEST_QUEUE_S: Final = 0.01  # for a stream
_MOST_BYTES: Final = 1024 * 1024  # the same; what is longer goes as a unary call
# a stream is made anew after so long, on the next replica in turn: added ones get their share
_AGE_S: Final = (2.0, 4.0)
_FIRST_AGE_S: Final = (0.2, 1.0)  # at the start all are made on the replica that is there first
_PAUSE_S: Final = (0.1, 1.0)  # before a stream that could not be made is tried again: at first, and at last
_OPENING_S: Final = 1.0
# As the channel's own: a failover takes a token, an answer gives back a tenth, below half of them none is made.
_TOKENS: Final = 1000.0
_TOKENS_OF_AN_ANSWER: Final = 0.1
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
_Stream: TypeAlias = "grpc.aio.StreamStreamCall[Calls, CallAnswers]"


@dataclass(frozen=True)
class UnaryMethod(Generic[Request, Response]):
    """A method that a stream can carry."""

    name: str  # for instance /recsys.v1.RerankerService/Rerank
    call: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]"
    response: type[Response]


class _BrokenError(Exception):
    """The stream has ended without an answer."""


@dataclass(eq=False)
class _Waiting:
    """A call on its way."""

    method: str
    request: bytes
    request_id: str
    until_s: float  # on the loop's clock, the caller's time is over
    patience_s: float  # on the loop's clock, it is made as a unary call
    answer: "asyncio.Future[CallAnswer]"
    limit: asyncio.Timeout  # of the wait for a stream, and then for the answer
    is_taken: bool = False  # by a stream

    def take(self) -> None:
        self.is_taken = True
        if not self.limit.expired():
            self.limit.reschedule(self.patience_s)


class CallStreams:
    """The streams to one service, and the calls that wait for one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = LaneServiceStub(channel)
        self._calls: deque[_Waiting] = deque()
        self._idle: list[asyncio.Future[None]] = []  # streams that wait for a call
        self._open = 0  # streams
        self._busy = 0  # of these
        self._tokens = _TOKENS

    @property
    def idle(self) -> int:
        """How many streams take a call at once."""
        return self._open - self._busy

    async def call(self, method: UnaryMethod[Request, Response], request: Request, *, timeout_s: float) -> Response:
        """The answer to one call. Raises: grpc.aio.AioRpcError."""
        content = request.SerializeToString()
        if self._open == 0 or timeout_s <= 0 or len(content) > _MOST_BYTES:
            return await call_unary(method.call, request, timeout_s=timeout_s)
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        until_s = now_s + timeout_s
        patience_s = now_s + timeout_s / 2
        limit = asyncio.timeout_at(min(now_s + _LONGEST_QUEUE_S, patience_s))
        waiting = _Waiting(method.name, content, request_id.get(), until_s, patience_s, loop.create_future(), limit)
        try:
            async with limit:
                self._calls.append(waiting)
                self._wake_one()
                answer = await waiting.answer
        except (_BrokenError, TimeoutError):
            if not waiting.is_taken:
                return await call_unary(method.call, request, timeout_s=until_s - loop.time())
            if self._tokens < _TOKENS / 2:
                raise _error(grpc.StatusCode.UNAVAILABLE, "the call stream broke, as too many others did") from None
            self._tokens -= 1
            return await call_unary(method.call, request, timeout_s=until_s - loop.time())
        self._tokens = min(self._tokens + _TOKENS_OF_AN_ANSWER, _TOKENS)
        if answer.code:
            raise _error(_CODES[answer.code], answer.message, status=answer.status)
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
        stream: _Stream = self._stub.Carry()
        stream.add_done_callback(lambda _: self._wake_all())
        try:
            async with asyncio.timeout(_OPENING_S):
                await stream.wait_for_connection()
            self._open += 1
            try:
                until_s = asyncio.get_running_loop().time() + age_s
                while calls := await self._next_calls(stream, until_s):
                    self._busy += 1
                    try:
                        await _carry(stream, calls)
                    finally:
                        self._busy -= 1
                if stream.done():
                    raise _BrokenError("the server ended it")
                await _end(stream)
            finally:
                self._open -= 1
                if self._open == 0:
                    _fail(self._calls)
                    self._calls.clear()
        finally:
            stream.cancel()
            await stream.code()  # grpc's thread must not find the loop closed

    async def _next_calls(self, stream: _Stream, until_s: float) -> list[_Waiting]:
        """What waits; nothing when the stream's time is over or it has ended."""
        loop = asyncio.get_running_loop()
        while not stream.done() and loop.time() < until_s:
            taken: list[_Waiting] = []
            size = 0
            share = ceil(len(self._calls) / max(self.idle, 1))  # other streams, of other replicas, have theirs
            while self._calls and len(taken) < min(share, _MOST_CALLS) and size < _MOST_BYTES:
                call = self._calls.popleft()
                if not call.answer.done():  # nobody waits any more
                    call.take()
                    taken.append(call)
                    size += len(call.request)
            if taken:
                return taken
            told = loop.create_future()
            timer = loop.call_at(until_s, _tell, told)
            self._idle.append(told)
            try:
                await told
            finally:
                timer.cancel()
        return []

    def _wake_one(self) -> None:
        while self._idle:
            told = self._idle.pop()
            if not told.done():
                told.set_result(None)
                return

    def _wake_all(self) -> None:
        for told in self._idle:
            _tell(told)
        self._idle.clear()


@asynccontextmanager
async def open_call_streams(channel: grpc.aio.Channel, *, count: int) -> AsyncIterator[CallStreams]:
    """So many streams to the service behind a channel, kept open until the end of the block."""
    streams = CallStreams(channel)
    async with running({f"call_stream_{number}": streams.run for number in range(count)}):
        yield streams


async def _carry(stream: _Stream, waiting: Sequence[_Waiting]) -> None:
    """Send calls and give each its answer. Raises what broke the stream, after each caller has been told."""
    now_s = asyncio.get_running_loop().time()
    calls = [
        Call(
            method=each.method,
            request=each.request,
            timeout_ms=max(round((each.until_s - now_s) * 1000), 0),
            request_id=each.request_id,
        )
        for each in waiting
    ]
    try:
        async with asyncio.timeout_at(max(each.patience_s for each in waiting)):
            await stream.write(Calls(calls=calls))
            left = len(waiting)
            while left > 0:
                answers = await stream.read()
                if not isinstance(answers, CallAnswers):
                    raise _BrokenError("the stream ended")
                for answer in answers.answers:
                    _give(waiting, answer)
                left -= len(answers.answers)
    finally:
        _fail(waiting)


def _give(waiting: Sequence[_Waiting], answer: CallAnswer) -> None:
    if answer.place >= len(waiting):
        raise _BrokenError("an answer to no call")
    told = waiting[answer.place].answer
    if not told.done():
        told.set_result(answer)


async def _end(stream: _Stream) -> None:
    """Let the server end a stream on which nothing is under way."""
    async with asyncio.timeout(_OPENING_S):
        await stream.done_writing()
        await stream.read()


def _fail(waiting: Sequence[_Waiting] | deque[_Waiting]) -> None:
    """Tell those that have no answer."""
    for each in waiting:
        if not each.answer.done():
            each.answer.set_exception(_BrokenError())


def _tell(told: "asyncio.Future[None]") -> None:
    if not told.done():
        told.set_result(None)


def _error(code: grpc.StatusCode, message: str, *, status: bytes = b"") -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status)) if status else grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details=message)
