"""The services as processes: settings from the environment, health, an orderly end on SIGTERM."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from in_process import TIMEOUT_S
from tiny_artifact import checkerboard, publish

from recsys.rpc.channel import open_blocking_channel

SERVICES = {
    "candidate_gen": ["", "recsys.v1.CandidateGenService", "recsys.v1.UserService", "recsys.v1.ModelService"],
    "reranker": ["", "recsys.v1.RerankerService", "recsys.v1.CatalogService", "recsys.v1.ModelService"],
}


@pytest.fixture(params=SERVICES)
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    publish(checkerboard(), tmp_path)
    prefix = request.param.upper()
    with subprocess.Popen(
        [sys.executable, "-m", request.param],
        env=os.environ | {f"{prefix}_ARTIFACT_DIR": str(tmp_path), f"{prefix}_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def lines_until(process: subprocess.Popen[str], message: str) -> dict[str, object]:
    assert process.stderr is not None
    for text in process.stderr:
        line: dict[str, object] = json.loads(text)
        if line["message"] == message:
            return line
    raise AssertionError(f"the process ended without saying {message!r}")


def test_a_process_serves_and_on_sigterm_says_so_and_ends(process: subprocess.Popen[str]) -> None:
    port = lines_until(process, "listening")["port"]
    service = str(lines_until(process, "artifact version taken")["service"])
    with open_blocking_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [
            stub.Watch(HealthCheckRequest(service=name), timeout=TIMEOUT_S)  # type: ignore[attr-defined] # stubs lack it
            for name in SERVICES[service]
        ]
        serving = [HealthCheckResponse.SERVING] * len(watches)
        # the version is taken a moment before the health says so: a watch tells of both
        seen = [next(watch).status for watch in watches]
        seen = [
            status if status == HealthCheckResponse.SERVING else next(watch).status
            for status, watch in zip(seen, watches, strict=True)
        ]
        assert seen == serving
        process.send_signal(signal.SIGTERM)
        assert [next(watch).status for watch in watches] == [HealthCheckResponse.NOT_SERVING] * len(watches)
        for watch in watches:
            watch.cancel()
    assert process.wait(TIMEOUT_S) == 0
