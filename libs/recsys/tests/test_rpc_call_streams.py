"""Call streams: what a call over one answers, and that none is lost with a stream."""

import asyncio
import logging
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from replica_process import LIMITS, process, replica
from scripted_servicer import ScriptedServicer, raises, version_1

from recsys.errors import ItemNotFoundError
from recsys.observability.logging import request_id
from recsys.rpc.call_streams import CallStreams, UnaryMethod, open_call_streams
from recsys.rpc.channel import open_blocking_channel, open_channel
from recsys.rpc.method import ServerLimits
from recsys.rpc.server import RpcServer
from recsys.v1.call_stream_service_pb2 import Call
from recsys.v1.call_stream_service_pb2_grpc import CallStreamServiceStub
from recsys.v1.model_service_pb2 import GetModelRequest, GetModelResponse
from recsys.v1.model_service_pb2_grpc import (
    ModelServiceStub,
    add_ModelServiceServicer_to_server,
)

TIMEOUT_S = 20.0
GET_MODEL = "/recsys.v1.ModelService/GetModel"


@contextmanager
def server_of(behaviour: Callable[[], GetModelResponse], limits: ServerLimits = LIMITS) -> Iterator[str]:
    """The target of a server with this behaviour."""
    server = RpcServer(limits)
    server.add(add_ModelServiceServicer_to_server, ScriptedServicer(behaviour))
    port = server.start(host="127.0.0.1", port=0)
    server.set_serving()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.drain()


@asynccontextmanager
async def all_open(streams: CallStreams, count: int) -> AsyncIterator[None]:
    """Begins when so many streams wait for a call."""
    async with asyncio.timeout(TIMEOUT_S):
        while streams.free < count:
            await asyncio.sleep(0.001)
    yield


class UnaryForbiddenError(Exception):
    """A call was not carried."""


def forbidden(*_: object, **__: object) -> GetModelResponse:
    raise UnaryForbiddenError


@asynccontextmanager
async def call_streams_to(target: str, *, count: int = 2) -> AsyncIterator[tuple[CallStreams, UnaryMethod]]:
    """Open streams to a target, and a method whose calls fail where they are not carried."""
    async with open_channel(target) as channel, open_call_streams(channel, count=count) as streams:
        method = UnaryMethod(GET_MODEL, forbidden, GetModelResponse)
        for _ in range(2000):
            try:
                await streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)
            except (UnaryForbiddenError, grpc.aio.AioRpcError):
                await asyncio.sleep(0.01)  # they open by themselves
            else:
                break
        yield streams, method


def test_a_carried_call_is_answered_and_its_request_id_reaches_the_servicer() -> None:
    seen = []

    def behaviour() -> GetModelResponse:
        seen.append(request_id.get())
        return version_1()

    async def run(target: str) -> str:
        async with call_streams_to(target) as (streams, method):
            request_id.set("of-a-stream")
            answer: GetModelResponse = await streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)
            return answer.artifact_version

    with server_of(behaviour) as target:
        assert asyncio.run(run(target)) == "v1"
    assert seen[-1] == "of-a-stream"


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (ItemNotFoundError("x"), grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND"),
        (ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
def test_a_carried_call_fails_like_a_unary_one(
    error: Exception, code: grpc.StatusCode, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def carried(target: str) -> grpc.RpcError:
        async with open_channel(target) as channel, open_call_streams(channel, count=1) as streams:
            method = UnaryMethod(GET_MODEL, forbidden, GetModelResponse)
            while True:
                try:
                    await streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)
                except UnaryForbiddenError:
                    await asyncio.sleep(0.01)
                except grpc.aio.AioRpcError as failure:
                    return failure

    caplog.set_level(logging.CRITICAL)
    with server_of(raises(error)) as target:
        failure = asyncio.run(carried(target))
        with open_blocking_channel(target) as channel, pytest.raises(grpc.RpcError) as unary:
            ModelServiceStub(channel).GetModel(GetModelRequest(), timeout=TIMEOUT_S)
    assert (failure.code(), failure.details()) == (unary.value.code(), unary.value.details())
    assert failure.code() is code
    assert "secret" not in str(failure)
    assert reason.encode() in rpc_status.from_call(failure).details[0].value


def test_calls_of_one_stream_are_answered_in_order_each_with_its_own_status() -> None:
    calls = [
        Call(method=GET_MODEL, timeout_ms=5000),
        Call(method=GET_MODEL, timeout_ms=0),
        Call(method="/recsys.v1.ModelService/Nothing", timeout_ms=5000),
        Call(method=GET_MODEL, timeout_ms=5000, request=b"\xff\xff"),
    ]
    with server_of(version_1) as target, open_blocking_channel(target) as channel:
        answers = list(CallStreamServiceStub(channel).Carry(iter(calls * 2), timeout=TIMEOUT_S))
    assert [Status.FromString(answer.status).code for answer in answers] == [
        grpc.StatusCode.OK.value[0],
        grpc.StatusCode.DEADLINE_EXCEEDED.value[0],
        grpc.StatusCode.UNIMPLEMENTED.value[0],
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
    ] * 2
    assert [GetModelResponse.FromString(answers[n].response).artifact_version for n in (0, 4)] == ["v1", "v1"]


def test_a_stream_more_than_a_server_takes_is_refused() -> None:
    one = ServerLimits(
        worker_threads=1,
        maximum_concurrent_rpcs=3,
        default_deadline_s=TIMEOUT_S,
        grace_s=TIMEOUT_S,
        call_stream_threads=1,
    )
    ends = threading.Event()

    def waits_for_the_end() -> Iterator[Call]:
        yield Call(method=GET_MODEL, timeout_ms=5000)
        ends.wait(TIMEOUT_S)

    with server_of(version_1, one) as target, open_blocking_channel(target) as channel:
        stub = CallStreamServiceStub(channel)
        first = stub.Carry(waits_for_the_end(), timeout=TIMEOUT_S)
        assert next(first).status == b""
        with pytest.raises(grpc.RpcError) as refused:
            next(stub.Carry(iter([Call(method=GET_MODEL, timeout_ms=5000)]), timeout=TIMEOUT_S))
        ends.set()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_client_that_goes_away_between_two_calls_leaves_its_place_to_others() -> None:
    one = replace(LIMITS, call_stream_threads=1)
    ends = threading.Event()

    def waits_for_the_end() -> Iterator[Call]:
        yield Call(method=GET_MODEL, timeout_ms=5000)
        ends.wait(TIMEOUT_S)

    def answered(channel: grpc.Channel) -> int:
        """Streams that were answered, and are cancelled then; one that finds no place is tried again."""
        count = 0
        for _ in range(10_000):
            stream = CallStreamServiceStub(channel).Carry(waits_for_the_end(), timeout=TIMEOUT_S)
            try:
                count += next(stream).status == b""
            except grpc.RpcError as refused:
                assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017
            stream.cancel()
            if count == 3:
                break
        return count

    with server_of(version_1, one) as target, open_blocking_channel(target) as channel:
        try:
            assert answered(channel) == 3
        finally:
            ends.set()


def test_calls_that_are_made_at_once_are_all_answered_with_one_stream_too() -> None:
    async def run(target: str) -> list[str]:
        answers = []
        async with open_channel(target) as channel, call_streams_to(target, count=1) as (streams, _):
            method = UnaryMethod(GET_MODEL, ModelServiceStub(channel).GetModel, GetModelResponse)
            for _ in range(10):  # as many at once as the server takes
                calls = (streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S) for _ in range(50))
                answers += [answer.artifact_version for answer in await asyncio.gather(*calls)]
        return answers

    with server_of(version_1) as target:
        assert asyncio.run(run(target)) == ["v1"] * 500


class Together:
    """A behaviour that ends only when so many calls are in it at once, and knows the most that ever were."""

    def __init__(self, calls: int) -> None:
        self._barrier = threading.Barrier(calls, timeout=TIMEOUT_S)
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def __call__(self) -> GetModelResponse:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._barrier.wait()
        with self._lock:
            self._now -= 1
        return version_1()


@pytest.mark.parametrize("streams_open", [0, 2, 16])
def test_sixteen_slow_calls_are_worked_on_as_many_at_once_as_the_server_has_worker_threads(streams_open: int) -> None:
    together = Together(8)
    limits = ServerLimits(worker_threads=8, maximum_concurrent_rpcs=64, default_deadline_s=TIMEOUT_S, grace_s=TIMEOUT_S)

    async def run(target: str) -> list[GetModelResponse]:
        async with open_channel(target) as channel, open_call_streams(channel, count=streams_open) as streams:
            method = UnaryMethod(GET_MODEL, ModelServiceStub(channel).GetModel, GetModelResponse)
            async with all_open(streams, streams_open):
                calls = (streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S) for _ in range(16))
                return await asyncio.gather(*calls)

    with server_of(together, limits) as target:
        assert len(asyncio.run(run(target))) == 16
    assert together.most == 8


def test_calls_that_are_made_at_once_are_worked_on_by_all_replicas_at_once() -> None:
    limits = ServerLimits(worker_threads=1, maximum_concurrent_rpcs=64, default_deadline_s=TIMEOUT_S, grace_s=TIMEOUT_S)
    answered: Counter[int] = Counter()
    is_slow, all_are_busy = threading.Event(), threading.Event()
    busy: set[int] = set()

    def answer(nth: int) -> GetModelResponse:
        answered[nth] += 1
        if is_slow.is_set():
            busy.add(nth)
            if len(busy) == 3:
                all_are_busy.set()
            assert all_are_busy.wait(TIMEOUT_S)  # each replica has one worker thread
        return version_1()

    async def run(target: str) -> None:
        async with open_channel(target) as channel, open_call_streams(channel, count=16) as streams:
            method = UnaryMethod(GET_MODEL, ModelServiceStub(channel).GetModel, GetModelResponse)
            async with asyncio.timeout(TIMEOUT_S):
                while min(answered[nth] for nth in range(3)) < 20:  # until all are found, and streams have moved there
                    await streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)
            is_slow.set()
            calls = (streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S) for _ in range(16))
            assert len(await asyncio.gather(*calls)) == 16

    with ExitStack() as servers:
        targets = [servers.enter_context(server_of(partial(answer, nth), limits)) for nth in range(3)]
        asyncio.run(run("ipv4:" + ",".join(targets)))
    assert busy == {0, 1, 2}


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_replica_that_is_ended_under_load_takes_no_call_with_it(end: signal.Signals) -> None:
    counts: Counter[str] = Counter()

    async def caller(streams: CallStreams, method: UnaryMethod, going: subprocess.Popen[str]) -> None:
        while counts.total() < 100_000 and counts["after"] < 1500:
            answer = await streams.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)  # one that fails fails the test
            counts[answer.artifact_version] += 1
            if counts["goes"] > 50:
                if not counts["after"]:
                    going.send_signal(end)
                counts["after"] += 1

    async def run(target: str, going: subprocess.Popen[str]) -> None:
        async with open_channel(target) as channel, open_call_streams(channel, count=4) as streams:
            method = UnaryMethod(GET_MODEL, ModelServiceStub(channel).GetModel, GetModelResponse)
            await asyncio.gather(*(caller(streams, method, going) for _ in range(16)))

    with process("stays") as (_, port), process("goes") as (going, its_port):
        asyncio.run(run(f"ipv4:127.0.0.1:{port},127.0.0.1:{its_port}", going))
        assert going.wait(TIMEOUT_S) == (-signal.SIGKILL if end == signal.SIGKILL else 0)
    assert counts["after"] >= 1500
    assert counts["stays"] > 0


def test_a_call_on_a_stream_that_hangs_is_made_again_on_another_replica() -> None:
    with process("works") as (_, port), process("hangs") as (hanging, its_port):
        target = f"ipv4:127.0.0.1:{port},127.0.0.1:{its_port}"
        # half of the time is for the stream; the unary call that follows may meet the hanging replica too
        stop = partial(hanging.send_signal, signal.SIGSTOP)
        counts: Counter[str] = Counter()

        async def run() -> None:
            async with open_channel(target) as channel, open_call_streams(channel, count=4) as streams:
                method = UnaryMethod(GET_MODEL, ModelServiceStub(channel).GetModel, GetModelResponse)
                for n in range(3000):
                    try:
                        answer = await streams.call(method, GetModelRequest(), timeout_s=0.4)
                        counts[answer.artifact_version] += 1
                    except grpc.aio.AioRpcError as failure:
                        counts[failure.code().name] += 1
                    if n == 200:
                        stop()

        asyncio.run(run())
    assert counts["works"] > 2500
    assert set(counts) <= {"works", "hangs", "DEADLINE_EXCEEDED", "UNAVAILABLE"}
    assert counts.total() - counts["works"] - counts["hangs"] < 100


def test_idle_call_streams_do_not_keep_a_server_from_ending() -> None:
    async def run() -> None:
        server = replica("ends")
        port = server.start(host="127.0.0.1", port=0)
        server.set_serving()
        async with call_streams_to(f"127.0.0.1:{port}"):
            # its grace of 20 s is for streams that are busy: the test's own limit is shorter
            await asyncio.wait_for(asyncio.to_thread(server.drain), TIMEOUT_S / 2)

    asyncio.run(run())
