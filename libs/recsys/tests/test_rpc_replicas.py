"""A client of several replicas: all get their share, and none that goes away takes a request with it."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import grpc
import pytest
from name_server import NameServer
from replica_process import LIMITS, process, replica

from recsys.rpc.channel import open_blocking_channel, open_channel
from recsys.v1.model_service_pb2 import GetModelRequest
from recsys.v1.model_service_pb2_grpc import ModelServiceStub

TIMEOUT_S = 20.0
AT_ONCE = 16
MOST_ASKED = 50_000  # a minute or so


def answerers(target: str, *, calls: int, after_half: Callable[[], None]) -> Counter[str]:
    """Which replica answered how many of the calls, `AT_ONCE` at a time; a call that fails fails the test."""
    counts: Counter[str] = Counter()

    async def caller(stub: ModelServiceStub) -> None:
        while counts.total() < calls:
            response = await stub.GetModel(GetModelRequest(), timeout=TIMEOUT_S)
            counts[response.artifact_version] += 1
            if counts.total() == calls // 2:
                after_half()

    async def run() -> None:
        async with open_channel(target) as channel:
            stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            await asyncio.gather(*(caller(stub) for _ in range(AT_ONCE)))

    asyncio.run(run())
    return counts


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_replica_that_is_ended_under_load_takes_no_request_with_it(end: signal.Signals) -> None:
    with process("stays") as (_, port), process("goes") as (going, its_port):
        target = f"ipv4:127.0.0.1:{port},127.0.0.1:{its_port}"
        counts = answerers(target, calls=2000, after_half=lambda: going.send_signal(end))
        assert going.wait(TIMEOUT_S) == (-signal.SIGKILL if end == signal.SIGKILL else 0)
    assert counts.total() >= 2000
    assert 0 < counts["goes"] < counts["stays"]


def test_a_replica_that_hangs_is_given_up_after_seconds() -> None:
    with process("works") as (_, port), process("hangs") as (hanging, its_port):
        target = f"ipv4:127.0.0.1:{port},127.0.0.1:{its_port}"
        with open_blocking_channel(target, health_checked=True) as channel:
            names_until(channel, "hangs")
            hanging.send_signal(signal.SIGSTOP)
            asked = ({ask_impatiently(channel) for _ in range(20)} for _ in range(100))
            assert next(names for names in asked if names != {"works"}) == {"works", "DEADLINE_EXCEEDED"}
            assert next(names for names in asked if "DEADLINE_EXCEEDED" not in names) == {"works"}


def test_connections_that_end_of_age_take_no_request_with_them() -> None:
    with ExitStack() as ends:
        ports = []
        for name in ("a", "b"):
            server = replica(name, replace(LIMITS, connection_age_s=0.05))
            ports.append(server.start(host="127.0.0.1", port=0))
            server.set_serving()
            ends.callback(server.drain)
        target = ",".join(f"127.0.0.1:{port}" for port in ports)
        counts = answerers(f"ipv4:{target}", calls=2000, after_half=lambda: None)
    assert counts.total() >= 2000
    assert min(counts["a"], counts["b"]) > 0


def test_a_replica_that_says_not_serving_gets_no_request_until_it_serves() -> None:
    with ExitStack() as ends:
        servers = {name: replica(name) for name in ("serves", "waits")}
        ports = [server.start(host="127.0.0.1", port=0) for server in servers.values()]
        for server in servers.values():
            ends.callback(server.drain)
        servers["serves"].set_serving()
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        counts = answerers(target, calls=400, after_half=lambda: None)
        assert set(counts) == {"serves"}
        channel = ends.enter_context(open_blocking_channel(target, health_checked=True))
        servers["waits"].set_serving()
        assert "waits" in names_until(channel, "waits")


def test_a_replica_added_to_the_name_gets_its_share_and_one_taken_from_it_gets_none() -> None:
    with ExitStack() as ends:
        limits = replace(LIMITS, connection_age_s=0.2)
        first, second = replica("first", limits), replica("second", limits)
        port = first.start(host="127.0.0.1", port=0)
        second.start(host="127.0.0.2", port=port)
        for server in (first, second):
            server.set_serving()
            ends.callback(server.drain)
        names = NameServer(["127.0.0.1"])
        ends.callback(names.close)
        target = f"dns://127.0.0.1:{names.port}/service.test:{port}"
        channel = ends.enter_context(open_blocking_channel(target, health_checked=True))
        assert names_until(channel, "first") == ["first"]
        names.addresses = ["127.0.0.1", "127.0.0.2"]
        assert set(names_until(channel, "second")) == {"first", "second"}
        names.addresses = ["127.0.0.2"]
        assert any({ask(channel) for _ in range(20)} == {"second"} for _ in range(MOST_ASKED // 20))


def ask(channel: grpc.Channel, *, timeout_s: float = TIMEOUT_S) -> str:
    stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
    name: str = stub.GetModel(GetModelRequest(), timeout=timeout_s).artifact_version
    return name


def ask_impatiently(channel: grpc.Channel) -> str:
    """The name, or the code of a call that failed."""
    try:
        return ask(channel, timeout_s=0.1)
    except grpc.RpcError as error:
        return str(error.code().name)


def names_until(channel: grpc.Channel, wanted: str) -> list[str]:
    """Who answered, up to the one that is wanted."""
    names = []
    for _ in range(MOST_ASKED):
        names.append(ask(channel))
        if names[-1] == wanted:
            return names
    raise AssertionError(f"{wanted} was not among {Counter(names)}")
