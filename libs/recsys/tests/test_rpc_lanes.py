"""Lanes: what a call over one answers, and that none is lost with a lane."""

import asyncio
import logging
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import grpc
import pytest
from grpc_status import rpc_status
from replica_process import LIMITS, process, replica
from scripted_servicer import ScriptedServicer, raises, version_1

from recsys.errors import ItemNotFoundError
from recsys.observability.logging import request_id
from recsys.rpc.channel import open_blocking_channel, open_channel
from recsys.rpc.lanes import Lanes, UnaryMethod, open_lanes
from recsys.rpc.server import RpcServer, ServerLimits
from recsys.v1 import model_service_pb2
from recsys.v1.lane_service_pb2 import Call, Calls
from recsys.v1.lane_service_pb2_grpc import LaneServiceStub
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
    register = partial(add_ModelServiceServicer_to_server, ScriptedServicer(behaviour))
    server.add(model_service_pb2.DESCRIPTOR, register)
    port = server.start(host="127.0.0.1", port=0)
    server.set_serving()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.drain()


class UnaryForbiddenError(Exception):
    """A call was not carried."""


def forbidden(*_: object, **__: object) -> GetModelResponse:
    raise UnaryForbiddenError


@asynccontextmanager
async def lanes_to(target: str, *, count: int = 2) -> AsyncIterator[tuple[Lanes, UnaryMethod]]:
    """Open lanes to a target, and a method whose calls fail where they are not carried."""
    async with open_channel(target) as channel, open_lanes(channel, count=count) as lanes:
        method = UnaryMethod(GET_MODEL, forbidden, GetModelResponse)
        for _ in range(2000):
            try:
                await lanes.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)
            except (UnaryForbiddenError, grpc.aio.AioRpcError):
                await asyncio.sleep(0.01)  # they open by themselves
            else:
                break
        yield lanes, method


def test_a_carried_call_is_answered_and_its_request_id_reaches_the_servicer() -> None:
    seen = []

    def behaviour() -> GetModelResponse:
        seen.append(request_id.get())
        return version_1()

    async def run(target: str) -> str:
        async with lanes_to(target) as (lanes, method):
            request_id.set("of-a-lane")
            answer: GetModelResponse = await lanes.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)
            return answer.artifact_version

    with server_of(behaviour) as target:
        assert asyncio.run(run(target)) == "v1"
    assert seen[-1] == "of-a-lane"


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
        async with open_channel(target) as channel, open_lanes(channel, count=1) as lanes:
            method = UnaryMethod(GET_MODEL, forbidden, GetModelResponse)
            while True:
                try:
                    await lanes.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)
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


def test_calls_of_one_message_are_answered_in_order_each_with_its_own_status() -> None:
    calls = [
        Call(method=GET_MODEL, timeout_ms=5000),
        Call(method=GET_MODEL, timeout_ms=0),
        Call(method="/recsys.v1.ModelService/Nothing", timeout_ms=5000),
        Call(method=GET_MODEL, timeout_ms=5000, request=b"\xff\xff"),
    ]
    with server_of(version_1) as target, open_blocking_channel(target) as channel:
        stream = LaneServiceStub(channel).Carry(iter([Calls(calls=calls)] * 2), timeout=TIMEOUT_S)
        for answers in stream:
            codes = [answer.code for answer in answers.answers]
            assert codes == [
                grpc.StatusCode.OK.value[0],
                grpc.StatusCode.DEADLINE_EXCEEDED.value[0],
                grpc.StatusCode.UNIMPLEMENTED.value[0],
                grpc.StatusCode.INVALID_ARGUMENT.value[0],
            ]
            assert GetModelResponse.FromString(answers.answers[0].response).artifact_version == "v1"


def test_more_calls_than_a_server_takes_are_refused() -> None:
    few = ServerLimits(worker_threads=1, maximum_concurrent_rpcs=3, default_deadline_s=TIMEOUT_S, grace_s=TIMEOUT_S)
    with server_of(version_1, few) as target, open_blocking_channel(target) as channel:
        many = Calls(calls=[Call(method=GET_MODEL, timeout_ms=5000)] * 4)
        [answers] = LaneServiceStub(channel).Carry(iter([many]), timeout=TIMEOUT_S)
        assert {answer.code for answer in answers.answers} == {grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]}
        [answers] = LaneServiceStub(channel).Carry(iter([Calls(calls=many.calls[:3])]), timeout=TIMEOUT_S)
        assert {answer.code for answer in answers.answers} == {0}


def test_calls_that_are_made_at_once_are_all_answered_over_one_lane() -> None:
    async def run(target: str) -> list[str]:
        async with lanes_to(target, count=1) as (lanes, method):
            calls = (lanes.call(method, GetModelRequest(), timeout_s=TIMEOUT_S) for _ in range(500))
            return [answer.artifact_version for answer in await asyncio.gather(*calls)]

    with server_of(version_1) as target:
        assert asyncio.run(run(target)) == ["v1"] * 500


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_replica_that_is_ended_under_load_takes_no_call_with_it(end: signal.Signals) -> None:
    counts: Counter[str] = Counter()

    async def caller(lanes: Lanes, method: UnaryMethod, going: subprocess.Popen[str]) -> None:
        while counts.total() < 100_000 and counts["after"] < 1500:
            answer = await lanes.call(method, GetModelRequest(), timeout_s=TIMEOUT_S)  # one that fails fails the test
            counts[answer.artifact_version] += 1
            if counts["goes"] > 50:
                if not counts["after"]:
                    going.send_signal(end)
                counts["after"] += 1

    async def run(target: str, going: subprocess.Popen[str]) -> None:
        async with open_channel(target) as channel, open_lanes(channel, count=4) as lanes:
            method = UnaryMethod(GET_MODEL, ModelServiceStub(channel).GetModel, GetModelResponse)
            await asyncio.gather(*(caller(lanes, method, going) for _ in range(16)))

    with process("stays") as (_, port), process("goes") as (going, its_port):
        asyncio.run(run(f"ipv4:127.0.0.1:{port},127.0.0.1:{its_port}", going))
        assert going.wait(TIMEOUT_S) == (-signal.SIGKILL if end == signal.SIGKILL else 0)
    assert counts["after"] >= 1500
    assert counts["stays"] > 0


def test_a_call_on_a_lane_that_hangs_is_made_again_on_another_replica() -> None:
    with process("works") as (_, port), process("hangs") as (hanging, its_port):
        target = f"ipv4:127.0.0.1:{port},127.0.0.1:{its_port}"
        # half of the time is for the lane; the unary call that follows may meet the hanging replica too
        stop = partial(hanging.send_signal, signal.SIGSTOP)
        counts: Counter[str] = Counter()

        async def run() -> None:
            async with open_channel(target) as channel, open_lanes(channel, count=4) as lanes:
                method = UnaryMethod(GET_MODEL, ModelServiceStub(channel).GetModel, GetModelResponse)
                for n in range(3000):
                    try:
                        answer = await lanes.call(method, GetModelRequest(), timeout_s=0.4)
                        counts[answer.artifact_version] += 1
                    except grpc.aio.AioRpcError as failure:
                        counts[failure.code().name] += 1
                    if n == 200:
                        stop()

        asyncio.run(run())
    assert counts["works"] > 2500
    assert set(counts) <= {"works", "hangs", "DEADLINE_EXCEEDED", "UNAVAILABLE"}
    assert counts.total() - counts["works"] - counts["hangs"] < 100


def test_idle_lanes_do_not_keep_a_server_from_ending() -> None:
    async def run() -> None:
        server = replica("ends")
        port = server.start(host="127.0.0.1", port=0)
        server.set_serving()
        async with lanes_to(f"127.0.0.1:{port}"):
            # its grace of 20 s is for streams that are busy: the test's own limit is shorter
            await asyncio.wait_for(asyncio.to_thread(server.drain), TIMEOUT_S / 2)

    asyncio.run(run())
