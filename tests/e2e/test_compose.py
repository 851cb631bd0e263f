"""The system in containers: what it answers over REST and plain gRPC, and what its processes may do."""

import subprocess
from collections.abc import Callable
from typing import Any

import checkerboard_shop as shop
import grpc
import httpx
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from testcontainers.compose import DockerCompose
from waiting import WITHIN_S, until

SERVICES = ["candidate-gen", "reranker", "gateway", "ui"]
USER = shop.IDS[1]

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def plain_client(address: str) -> Call:
    """A client that knows no .proto file: the server's reflection says what "package.Service/Method" takes."""
    channel = grpc.insecure_channel(address)
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    def call(method: str, request: dict[str, Any]) -> dict[str, Any]:
        service, _, name = method.partition("/")
        described = pool.FindServiceByName(service).FindMethodByName(name)
        response_type = GetMessageClass(described.output_type)
        send: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{method}")
        message = ParseDict(request, GetMessageClass(described.input_type)())
        response = response_type.FromString(send(message.SerializeToString(), timeout=10))
        return MessageToDict(response, preserving_proto_field_name=True)

    return call


def recommendations(rest: httpx.Client, user_id: str, **parameters: int) -> dict[str, Any]:
    response = rest.get(f"/v1/users/{user_id}/recommendations", params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def run_in(compose: DockerCompose, service: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A command inside a running container; its failure is a result."""
    exec_command = [*compose.docker_compose_command(), "exec", "-T", service, *command]
    return subprocess.run(exec_command, cwd=compose.context, capture_output=True, text=True, check=False)


def test_a_known_user_is_shown_the_item_of_their_colour_that_they_lack(rest: httpx.Client) -> None:
    answer = recommendations(rest, USER, count=1)
    assert answer["user_known"] is True
    assert [item["item_id"] for item in answer["items"]] == [USER]


def test_an_unknown_user_is_shown_popular_items(rest: httpx.Client) -> None:
    answer = recommendations(rest, "nobody", count=5)
    assert answer["user_known"] is False
    assert [item["sources"] for item in answer["items"]] == [["popular"]] * 5


def test_rest_and_plain_grpc_give_the_same_items(compose: DockerCompose, rest: httpx.Client) -> None:
    candidate_gen = plain_client(f"127.0.0.1:{compose.get_service_port('candidate-gen', 50051)}")
    reranker = plain_client(f"127.0.0.1:{compose.get_service_port('reranker', 50052)}")
    gateway = plain_client(f"127.0.0.1:{compose.get_service_port('gateway', 50050)}")
    for user_id in [USER, shop.IDS[10], "nobody"]:
        found = candidate_gen("recsys.v1.CandidateGenService/GetCandidates", {"user_id": user_id, "count": 200})
        handed_on = ("artifact_version", "candidates", "query_vector")  # nobody known has no vector
        asked = {key: found[key] for key in handed_on if key in found} | {"count": 10}
        ranked = reranker("recsys.v1.RerankerService/Rerank", asked)
        served = recommendations(rest, user_id, count=10)
        assert [one["item"]["item_id"] for one in ranked["items"]] == [item["item_id"] for item in served["items"]]
        assert ranked["artifact_version"] == served["artifact_version"]
        assert served["items"]
        listed = gateway("recsys.v1.RecommendationService/Recommend", {"user_id": user_id, "count": 10})
        assert [item["item_id"] for item in listed["items"]] == [item["item_id"] for item in served["items"]]


def test_the_page_is_served(compose: DockerCompose) -> None:
    page = httpx.get(f"http://127.0.0.1:{compose.get_service_port('ui', 8501)}/", timeout=10)
    assert page.status_code == 200
    assert "streamlit" in page.text.lower()


@pytest.mark.parametrize("service", [*SERVICES, "event-sink"])
def test_prometheus_finds_the_metrics_of_a_service_within_the_network(compose: DockerCompose, service: str) -> None:
    asked = f"import urllib.request as r; print(r.urlopen('http://{service}:9090/metrics', timeout=9).read().decode())"
    assert "recsys_" in run_in(compose, "gateway", "python", "-c", asked).stdout


@pytest.mark.parametrize("service", [*SERVICES, "event-sink", "trainer-schedule", "valkey"])
def test_a_service_is_not_root_and_can_write_nothing_but_tmp_and_what_is_its_own(
    compose: DockerCompose, service: str
) -> None:
    assert run_in(compose, service, "id", "-u").stdout.strip() not in ("", "0")
    own = {
        "trainer-schedule": ["/artifacts", "/artifacts/versions", "/artifacts/live"],
        "candidate-gen": ["/artifacts/live"],
        "event-sink": ["/artifacts/lake"],
        "valkey": ["/data"],
    }.get(service, [])
    shared = ("/artifacts", "/artifacts/versions", "/artifacts/live", "/artifacts/lake", "/data")
    for folder in ("/app", "/venv", "/var/tmp", "/config", *shared):
        if folder not in own:
            assert run_in(compose, service, "touch", f"{folder}/x").returncode != 0, folder
    assert run_in(compose, service, "touch", "/tmp/x").returncode == 0
    assert "CapEff:\t0000000000000000" in run_in(compose, service, "cat", "/proc/self/status").stdout


def test_a_version_is_made_live_over_the_api(compose: DockerCompose, rest: httpx.Client) -> None:
    version = recommendations(rest, USER)["artifact_version"]
    answer = rest.post("/v1/model/activate", json={"artifact_version": version}, timeout=30)
    assert (answer.status_code, answer.json()["artifact_version"]) == (200, version), answer.text
    assert run_in(compose, "candidate-gen", "readlink", "/artifacts/CURRENT").stdout.strip() == "live/CURRENT"
    assert run_in(compose, "reranker", "cat", "/artifacts/CURRENT").stdout.strip() == version


@pytest.mark.parametrize("service", SERVICES)
def test_a_serving_image_holds_nothing_to_train_with(compose: DockerCompose, service: str) -> None:
    for module in ("torch", "implicit", "polars"):
        assert run_in(compose, service, "python", "-c", f"import {module}").returncode == 1, module


def versions(compose: DockerCompose) -> list[str]:
    """What the volume holds, as the trainer names it; a star is on the live one."""
    command = [*compose.docker_compose_command(), "run", "--rm", "trainer", "versions"]
    listed = subprocess.run(command, cwd=compose.context, capture_output=True, text=True, check=True).stdout
    return [line.split("  ")[0] for line in listed.splitlines()]  # what follows counts lists, which the log has later


def test_starting_again_trains_no_second_model(compose: DockerCompose) -> None:
    before = versions(compose)
    compose.start()
    assert versions(compose) == before
    assert len(before) == 1
    assert before[0].startswith("*")


def test_rules_that_are_saved_hold_when_the_gateway_is_started_anew(compose: DockerCompose, rest: httpx.Client) -> None:
    shown = [item["item_id"] for item in recommendations(rest, "nobody", count=5)["items"]]
    rules = {"rules": [{"name": "first", "item_id": shown[3], "pin_position": 1}]}
    assert rest.put("/v1/rules", json=rules).status_code == 200
    subprocess.run([*compose.docker_compose_command(), "restart", "gateway"], cwd=compose.context, check=True)
    compose.start()
    address = f"http://127.0.0.1:{compose.get_service_port('gateway', 8000)}"
    with httpx.Client(base_url=address, timeout=WITHIN_S) as again:
        until(
            lambda: recommendations(again, "nobody", count=5)["items"],
            lambda pinned: pinned[0]["item_id"] == shown[3],
        )
        assert again.put("/v1/rules", json={"rules": []}).json() == {"rules": []}
