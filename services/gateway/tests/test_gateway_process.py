"""The gateway as a process: settings from the environment, a real HTTP server, JSON lines, an orderly end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from waiting import WITHIN_S

from gateway.settings import Settings
from recsys.errors import InvalidArgumentError
from recsys.process import read_settings
from tools.local_stack import Ports


@pytest.fixture
def grpc_port() -> int:
    return Ports.free().gateway_grpc


@pytest.fixture
def process(grpc_port: int) -> Iterator[subprocess.Popen[str]]:
    """On a port of the system's choice; nothing listens where it looks for the services."""
    nowhere = {"GATEWAY_CANDIDATE_GEN_TARGET": "127.0.0.1:1", "GATEWAY_RERANKER_TARGET": "127.0.0.1:1"}
    with subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        env=os.environ
        | nowhere
        | {"GATEWAY_PORT": "0", "GATEWAY_GRPC_PORT": str(grpc_port), "GATEWAY_OPEN_ON": "127.0.0.1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_the_process_answers_logs_json_lines_and_ends_on_sigterm(
    process: subprocess.Popen[str], grpc_port: int
) -> None:
    assert process.stderr is not None
    log = map(json.loads, process.stderr)
    started = next(line["message"] for line in log if "running on" in line["message"])
    address = started.partition(" on ")[2].partition(" ")[0]

    with httpx.Client(base_url=address, timeout=WITHIN_S, trust_env=False) as client:
        health = client.get("/healthz")
        item = client.get("/v1/items/a%2Fb%0A", headers={"X-Request-ID": "abc"})

    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        serving = channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=WITHIN_S)
    assert health_pb2.HealthCheckResponse.FromString(serving).status == health_pb2.HealthCheckResponse.SERVING
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (item.status_code, item.json()["instance"]) == (503, "/v1/items/a%2Fb%0A")
    process.send_signal(signal.SIGTERM)
    lines = list(log)
    assert process.wait(timeout=WITHIN_S) == -signal.SIGTERM  # uvicorn ends itself by the signal it was told to end by
    assert [(line["request_id"], line["route"]) for line in lines if line["message"] == "request"][1:] == [
        ("abc", "/v1/items/{item_id}")
    ]
    assert lines[-1]["message"].startswith("Finished")


def test_the_call_streams_are_set_by_their_old_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LANES", "3")
    assert Settings().call_streams == 3
    monkeypatch.setenv("GATEWAY_CALL_STREAMS", "2")
    assert Settings().call_streams == 2
    monkeypatch.setenv("GATEWAY_CALL_STREAMS", "99")
    with pytest.raises(InvalidArgumentError, match=r"^GATEWAY_CALL_STREAMS: .*less than or equal to 64, found '99'"):
        read_settings(Settings)
