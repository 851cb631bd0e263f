"""The services as processes: settings from the environment, health, an orderly end on SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificates import SERVER_NAME, Authority
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from in_process import TIMEOUT_S
from tiny_artifact import checkerboard, publish

from recsys.rpc.channel import open_blocking_channel
from recsys.rpc.probe import probe
from recsys.rpc.tls import TlsFiles
from tools.local_stack import Ports

SERVICES = {
    "candidate_gen": ["", "recsys.v1.CandidateGenService", "recsys.v1.UserService", "recsys.v1.ModelService"],
    "reranker": ["", "recsys.v1.RerankerService", "recsys.v1.CatalogService", "recsys.v1.ModelService"],
}


@contextmanager
def started(service: str, volume: Path, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """The service as a process with these settings, killed at the end."""
    named = {"artifact_dir": volume, "port": 0, **settings}
    with subprocess.Popen(
        [sys.executable, "-m", service],
        env=os.environ | {f"{service}_{name}".upper(): str(value) for name, value in named.items()},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    publish(checkerboard(), tmp_path / "volume")
    return tmp_path / "volume"


@pytest.fixture(params=SERVICES)
def process(request: pytest.FixtureRequest, volume: Path) -> Iterator[subprocess.Popen[str]]:
    with started(request.param, volume) as process:
        yield process


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


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_tells_its_metrics_and_the_version_that_it_holds(service: str, volume: Path) -> None:
    port = Ports.free().gateway
    with started(service, volume, metrics_port=port) as process:
        lines_until(process, "artifact version taken")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S) as response:
            page = response.read().decode()
    assert 'recsys_artifact_held{version="v1"} 1.0' in page
    for step in ("open", "build", "warm"):
        assert f'recsys_artifact_load_seconds{{step="{step}"}}' in page
    assert "process_cpu_seconds_total" in page


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_with_certificates_speaks_with_those_that_show_one_and_nobody_else(
    service: str, volume: Path, tmp_path: Path
) -> None:
    ours = Authority(tmp_path / "ours", "ours")
    own, client = ours.sign("own"), ours.sign("client")
    tls = {"tls_certificate": own.certificate, "tls_key": own.key, "tls_ca": ours.file}
    with started(service, volume, **tls) as process:
        target = f"127.0.0.1:{lines_until(process, 'listening')['port']}"
        lines_until(process, "artifact version taken")
        shown = TlsFiles(certificate=client.certificate, key=client.key, ca=ours.file)
        assert probe(target, tls=shown, server_name=SERVER_NAME) == ""
        assert probe(target, tls=TlsFiles(ca=ours.file), server_name=SERVER_NAME) != ""
        assert probe(target) != ""


@pytest.mark.parametrize("service", SERVICES)
def test_a_certificate_that_cannot_be_used_ends_the_process_with_its_name(
    service: str, volume: Path, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.pem"
    with started(service, volume, tls_certificate=nothing, tls_key=nothing) as process:
        _, told = process.communicate(timeout=TIMEOUT_S)
    assert told.splitlines()[-1] == f"error: {nothing}: expected PEM certificates, found: No such file or directory"
    assert process.returncode == 2


@pytest.mark.parametrize("service", SERVICES)
def test_the_store_s_password_is_not_in_the_log(service: str, volume: Path) -> None:
    with started(service, volume, feature_store_url="valkey://somebody:hunter2@127.0.0.1:1/0") as process:
        started_with = lines_until(process, "starting")["settings"]
    assert isinstance(started_with, dict)
    assert started_with["feature_store_url"] == "valkey://***@127.0.0.1:1/0"
