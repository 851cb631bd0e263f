"""Mutual TLS between the three real processes, with real certificates: who is answered, and who is not."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from certificates import Authority
from waiting import WITHIN_S

from recsys.rpc.channel import open_blocking_channel
from recsys.rpc.tls import TlsFiles
from recsys.v1.model_service_pb2 import GetModelRequest
from recsys.v1.model_service_pb2_grpc import ModelServiceStub
from tests.security.conftest import Closed, bearer, messages, tls_of
from tools.local_stack import PYTHON, ROOT, Ports

SERVICES = ("candidate_gen", "reranker")


def answer(target: str, tls: TlsFiles | None) -> str:
    """The version that a service answers with, or the code of the failure."""
    with open_blocking_channel(target, tls=tls) as channel:
        stub = ModelServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        try:
            version: str = stub.GetModel(GetModelRequest(), timeout=WITHIN_S).artifact_version
        except grpc.RpcError as error:
            return str(error.code().name)
        return version


def target(closed: Closed, service: str) -> str:
    return f"127.0.0.1:{getattr(closed.stack.ports, service)}"


def test_a_rest_request_goes_through_all_three_processes_under_mutual_tls(closed: Closed) -> None:
    with httpx.Client(base_url=closed.stack.gateway_url, timeout=WITHIN_S) as client:
        recommended = client.get("/v1/users/7/recommendations", headers=bearer("reader"))
        model = client.get("/v1/model", headers=bearer("reader"))
    assert recommended.status_code == 200, recommended.text
    assert recommended.json()["items"]
    assert recommended.json()["degraded"] is False
    assert {each["artifact_version"] for each in model.json()["services"].values()} == {
        recommended.json()["artifact_version"]
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_with_a_certificate_of_our_authority_is_answered(closed: Closed, service: str) -> None:
    assert answer(target(closed, service), closed.client(closed.ours)).startswith("2")


@pytest.mark.parametrize("service", SERVICES)
def test_no_other_client_is_answered(closed: Closed, service: str) -> None:
    others = {
        "in plain text": None,
        "without a certificate": TlsFiles(ca=closed.ours.file),
        "with one of another authority": closed.client(closed.theirs),
    }
    for name, tls in others.items():
        assert answer(target(closed, service), tls) == "UNAVAILABLE", name


@contextmanager
def gateway(environment: dict[str, str], log: Path) -> Iterator[str]:
    """One more gateway over the same services; gives its address."""
    port = Ports.free().gateway
    settings = {"GATEWAY_PORT": str(port), "GATEWAY_OPEN_ON": "127.0.0.1", **environment}
    with log.open("wb") as file:
        process = subprocess.Popen([PYTHON, "-m", "gateway"], env=os.environ | settings, stderr=file, cwd=ROOT)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(WITHIN_S)


def test_a_gateway_that_trusts_another_authority_gets_no_answer_and_its_log_says_why(
    closed: Closed, tmp_path: Path
) -> None:
    theirs = Authority(tmp_path / "theirs", "theirs")
    environment = {
        "GATEWAY_CANDIDATE_GEN_TARGET": target(closed, "candidate_gen"),
        "GATEWAY_RERANKER_TARGET": target(closed, "reranker"),
        "GATEWAY_TIMEOUT_S": "3",
        **tls_of("GATEWAY", closed.ours),
        "GATEWAY_TLS_CA": str(theirs.file),
    }
    log = tmp_path / "gateway.log"
    with gateway(environment, log) as address:
        transport = httpx.HTTPTransport(retries=8)  # until it listens; it waits a little longer each time
        with httpx.Client(base_url=address, transport=transport, timeout=WITHIN_S) as client:
            ready = client.get("/readyz")
            answered = client.get("/v1/model")
    assert ready.status_code == 503
    assert answered.status_code in (503, 504)
    assert "CERTIFICATE" not in answered.text.upper()
    reasons = [str(line.get("details", "")) for line in messages(log) if line["message"] == "call failed"]
    assert any("CERTIFICATE_VERIFY_FAILED" in reason for reason in reasons), log.read_text()


@pytest.mark.parametrize("setting", ["GATEWAY_TLS_CA", "GATEWAY_TLS_KEY"])
def test_a_gateway_does_not_start_with_a_file_that_is_no_certificate(
    closed: Closed, tmp_path: Path, setting: str
) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("MARK-of-a-private-key")
    environment = {"GATEWAY_OPEN_ON": "127.0.0.1", **tls_of("GATEWAY", closed.ours), setting: str(wrong)}
    ended = subprocess.run(
        [PYTHON, "-m", "gateway"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        cwd=ROOT,
        check=False,
    )
    assert ended.returncode == 2
    assert f"error: {wrong}: expected" in ended.stderr
    assert "MARK" not in ended.stderr
