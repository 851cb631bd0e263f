"""A real server on a free port, with a servicer whose every answer the test decides."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import cast

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from scripted_servicer import ScriptedServicer, raises, version_1

from recsys.errors import InvalidArgumentError, ItemNotFoundError, ModelNotLoadedError
from recsys.observability.logging import JsonFormatter
from recsys.rpc import probe
from recsys.rpc.channel import open_blocking_channel, open_channel
from recsys.rpc.method import ServerLimits
from recsys.rpc.server import RpcServer
from recsys.v1.model_service_pb2 import GetModelRequest, GetModelResponse
from recsys.v1.model_service_pb2_grpc import (
    ModelServiceStub,
    add_ModelServiceServicer_to_server,
)

TIMEOUT_S = 20.0
NAMES = ["", "recsys.v1.ModelService"]


class Blocked:
    """A behaviour that says when it has begun, and ends when told."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> GetModelResponse:
        self.begun.set()
        assert self.may_end.wait(TIMEOUT_S)
        return GetModelResponse(artifact_version="v1")


def started(
    servicer: ScriptedServicer,
    *,
    maximum_concurrent_rpcs: int = 10,
    default_deadline_s: float = TIMEOUT_S,
    prepare_worker: Callable[[], None] = lambda: None,
) -> tuple[RpcServer, str]:
    limits = ServerLimits(
        worker_threads=2,
        maximum_concurrent_rpcs=maximum_concurrent_rpcs,
        default_deadline_s=default_deadline_s,
        grace_s=TIMEOUT_S,
    )
    server = RpcServer(limits, prepare_worker=prepare_worker)
    server.add(add_ModelServiceServicer_to_server, servicer)
    return server, f"127.0.0.1:{server.start(host='127.0.0.1', port=0)}"


@contextmanager
def running(server_and_target: tuple[RpcServer, str]) -> Iterator[tuple[RpcServer, str]]:
    """The server until the end of the block."""
    server, _ = server_and_target
    try:
        yield server_and_target
    finally:
        server.drain()


def get_model(channel: grpc.Channel, *, request_id: str = "", timeout_s: float | None = TIMEOUT_S) -> GetModelResponse:
    stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
    metadata = [("x-request-id", request_id)]
    response: GetModelResponse = stub.GetModel(GetModelRequest(), timeout=timeout_s, metadata=metadata)
    return response


def health_of(channel: grpc.Channel) -> list[str]:
    stub = health_pb2_grpc.HealthStub(channel)
    answers = [
        stub.Check(HealthCheckRequest(service=name), timeout=TIMEOUT_S)  # type: ignore[attr-defined] # stubs lack it
        for name in NAMES
    ]
    return [HealthCheckResponse.ServingStatus.Name(answer.status) for answer in answers]


def failure(channel: grpc.Channel, *, timeout_s: float | None = TIMEOUT_S) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        get_model(channel, timeout_s=timeout_s)
    return caught.value


def test_nothing_serves_until_the_model_is_loaded() -> None:
    with running(started(ScriptedServicer(version_1))) as (server, target), open_blocking_channel(target) as channel:
        assert health_of(channel) == ["NOT_SERVING", "NOT_SERVING"]
        server.set_serving()
        assert health_of(channel) == ["SERVING", "SERVING"]


def test_the_probe_s_exit_status_is_the_health(capsys: pytest.CaptureFixture[str]) -> None:
    with running(started(ScriptedServicer(version_1))) as (server, target):
        assert probe.main([target]) == 1
        assert capsys.readouterr().err == f"{target}: NOT_SERVING\n"
        server.set_serving()
        assert probe.main([target]) == 0
        assert capsys.readouterr().err == ""
    assert probe.main([target]) == 1  # nobody listens any more
    with pytest.raises(SystemExit):
        probe.main([])


def test_reflection_names_every_service() -> None:
    with running(started(ScriptedServicer(version_1))) as (_, target), open_blocking_channel(target) as channel:
        names = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert sorted(names) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "recsys.v1.CallStreamService",
        "recsys.v1.ModelService",
    ]


def test_a_drain_says_so_and_lets_calls_in_flight_end() -> None:
    blocked = Blocked()
    with (
        running(started(ScriptedServicer(blocked))) as (server, target),
        open_blocking_channel(target) as channel,
        ThreadPoolExecutor() as pool,
    ):
        server.set_serving()
        watch = health_pb2_grpc.HealthStub(channel).Watch(  # type: ignore[attr-defined] # the stubs lack it
            HealthCheckRequest(), timeout=TIMEOUT_S
        )
        assert next(watch).status == HealthCheckResponse.SERVING
        in_flight = pool.submit(get_model, channel)
        assert blocked.begun.wait(TIMEOUT_S)
        drained = pool.submit(server.drain)
        assert next(watch).status == HealthCheckResponse.NOT_SERVING
        server.set_serving()  # a model that loads now changes nothing any more
        blocked.may_end.set()
        watch.cancel()
        assert in_flight.result(TIMEOUT_S).artifact_version == "v1"
        drained.result(TIMEOUT_S)
        assert failure(channel).code() is grpc.StatusCode.UNAVAILABLE


def test_clients_that_end_their_watch_during_a_drain_do_not_hold_it_up() -> None:
    for _ in range(20):  # grpc's own default way to serve watches deadlocks in one of a few rounds
        server, target = started(ScriptedServicer(version_1), maximum_concurrent_rpcs=20)
        with open_blocking_channel(target) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watches = [
                stub.Watch(HealthCheckRequest(service=name), timeout=TIMEOUT_S)  # type: ignore[attr-defined] # stubs lack it
                for name in NAMES * 4
            ]
            assert {next(watch).status for watch in watches} == {HealthCheckResponse.NOT_SERVING}
            drain = threading.Thread(target=server.drain, daemon=True)
            drain.start()
            for watch in watches:
                next(watch)
                watch.cancel()
            drain.join(TIMEOUT_S / 2)
            assert not drain.is_alive()


def test_a_call_beyond_the_limit_is_refused_at_once() -> None:
    blocked = Blocked()
    with (
        running(started(ScriptedServicer(blocked), maximum_concurrent_rpcs=1)) as (_, target),
        open_blocking_channel(target) as channel,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(get_model, channel)
        assert blocked.begun.wait(TIMEOUT_S)
        assert failure(channel).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        blocked.may_end.set()
        assert first.result(TIMEOUT_S).artifact_version == "v1"


def test_a_call_whose_time_is_over_is_not_begun() -> None:
    servicer = ScriptedServicer(version_1)
    with (
        running(started(servicer, default_deadline_s=0)) as (_, target),
        open_blocking_channel(target) as channel,
    ):
        for timeout_s in (None, TIMEOUT_S):  # the server's own bound holds for both
            assert failure(channel, timeout_s=timeout_s).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert servicer.calls == 0


def test_an_error_of_ours_reaches_the_client_as_its_status() -> None:
    servicer = ScriptedServicer(raises(ItemNotFoundError("a\x00ü")))
    with running(started(servicer)) as (_, target), open_blocking_channel(target) as channel:
        error = failure(channel)
        rich = rpc_status.from_call(cast("grpc.Call", error))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert rich.message == "no item 'a\\x00ü' in the model"


def test_an_unexpected_error_is_logged_in_full_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    servicer = ScriptedServicer(raises(ValueError("/data/private")))
    with running(started(servicer)) as (_, target), open_blocking_channel(target) as channel:
        error = failure(channel)
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "ValueError: /data/private" in caplog.text


def test_unavailable_is_tried_again_and_nothing_else_is() -> None:
    answers = iter([raises(ModelNotLoadedError("not yet")), raises(ModelNotLoadedError("not yet")), version_1])
    servicer = ScriptedServicer(lambda: next(answers)())
    with running(started(servicer)) as (_, target), open_blocking_channel(target) as channel:
        assert get_model(channel).artifact_version == "v1"
        assert servicer.calls == 3
        servicer.behaviour = raises(ItemNotFoundError("x"))
        failure(channel)
        assert servicer.calls == 4


def test_the_asyncio_channel_tries_again_too() -> None:
    answers = iter([raises(ModelNotLoadedError("not yet")), version_1])
    servicer = ScriptedServicer(lambda: next(answers)())

    async def ask(target: str) -> str:
        async with open_channel(target) as channel:
            stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            response: GetModelResponse = await stub.GetModel(GetModelRequest(), timeout=TIMEOUT_S)
            return response.artifact_version

    with running(started(servicer)) as (server, target):
        server.set_serving()
        assert asyncio.run(ask(target)) == "v1"


def test_each_worker_thread_is_prepared() -> None:
    prepared = threading.local()
    servicer = ScriptedServicer(lambda: GetModelResponse(artifact_version=prepared.word))
    with (
        running(started(servicer, prepare_worker=lambda: setattr(prepared, "word", "ready"))) as (_, target),
        open_blocking_channel(target) as channel,
    ):
        assert get_model(channel).artifact_version == "ready"


def test_a_call_leaves_one_line_with_its_outcome_and_request_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(JsonFormatter(service="test"))
    servicer = ScriptedServicer(version_1)
    with (
        caplog.at_level(logging.DEBUG, logger="recsys.rpc.method"),
        running(started(servicer)) as (_, target),
        open_blocking_channel(target) as channel,
    ):
        health_of(channel)
        get_model(channel, request_id="r" * 500)
        servicer.behaviour = raises(ItemNotFoundError("x"))
        failure(channel)
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    first, second = (line for line in lines if line["message"] == "rpc")
    assert first["latency_ms"] >= 0
    assert (first["method"], first["status"]) == ("/recsys.v1.ModelService/GetModel", "OK")
    assert (first["artifact_version"], first["request_id"]) == ("v1", "r" * 128)
    assert (second["status"], second["artifact_version"], second["request_id"]) == ("NOT_FOUND", "", "")


def test_a_port_that_is_taken_is_an_error_and_not_shared() -> None:
    with running(started(ScriptedServicer(version_1))) as (_, target):
        second = RpcServer(ServerLimits(worker_threads=1, maximum_concurrent_rpcs=1, default_deadline_s=1.0, grace_s=0))
        with pytest.raises(InvalidArgumentError, match="expected a free address to listen on, found 127"):
            second.start(host="127.0.0.1", port=int(target.rpartition(":")[2]))
