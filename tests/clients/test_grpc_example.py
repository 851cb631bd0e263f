"""The gRPC API of a running system: its example, with the stubs that its package installs, and REST beside it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from waiting import WITHIN_S, until

from recsys.v1 import recommendation_service_pb2 as api
from recsys.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from tools.local_stack import LocalStack

PACKAGE = Path(__file__).parents[2] / "clients/grpc"
SAME = {"x-request-id": "same"}


def test_a_user_gets_a_list_over_grpc_buys_and_gets_another_one(stack: LocalStack, tmp_path: Path) -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))
    for source, target in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"].items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / source, tmp_path / target)
    # the packages of this environment, but for the system's own modules
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    command = [sys.executable, "-S", PACKAGE / "examples/shop.py", f"127.0.0.1:{stack.ports.gateway_grpc}", "visitor"]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": ":".join([str(tmp_path), *libraries])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *listed, accepted, again = done.stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2", "3"]
    assert (accepted, again) == ("accepted: 1", "bought item recommended again: False")


@pytest.mark.parametrize(
    ("method", "request_", "http", "path", "body"),
    [
        ("Recommend", api.RecommendRequest(user_id="user-00"), "GET", "/v1/users/user-00/recommendations", None),
        ("Recommend", api.RecommendRequest(user_id="x", count=3), "GET", "/v1/users/x/recommendations?count=3", None),
        (
            "Recommend",
            api.RecommendRequest(session_id="s", item_ids=["item-01", "item-03"], explain=True),
            "POST",
            "/v1/recommendations",
            {"session_id": "s", "item_ids": ["item-01", "item-03"], "explain": True},
        ),
        ("ListSimilarItems", api.ListSimilarItemsRequest(item_id="item-02"), "GET", "/v1/items/item-02/similar", None),
        (
            "ListBoughtTogether",
            api.ListBoughtTogetherRequest(item_id="item-02"),
            "GET",
            "/v1/items/item-02/bought-together",
            None,
        ),
        ("ListPopularItems", api.ListPopularItemsRequest(count=5), "GET", "/v1/items/popular?count=5", None),
        ("ListHistory", api.ListHistoryRequest(user_id="user-00"), "GET", "/v1/users/user-00/history", None),
        ("FindItems", api.FindItemsRequest(page_size=4), "GET", "/v1/items?page_size=4", None),
        (
            "LookUpItems",
            api.LookUpItemsRequest(item_ids=["item-05", "no"]),
            "GET",
            "/v1/items?ids=item-05&ids=no",
            None,
        ),
    ],
)
def test_both_apis_of_a_running_system_give_the_same_items(
    stack: LocalStack, method: str, request_: Any, http: str, path: str, body: Any
) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{stack.ports.gateway_grpc}") as channel:
        ask = getattr(RecommendationServiceStub(channel), method)

        def by_both() -> list[tuple[str, list[str]]]:
            given = httpx.request(http, f"{stack.gateway_url}{path}", json=body, headers=SAME, timeout=WITHIN_S).json()
            listed = ask(request_, timeout=WITHIN_S, metadata=tuple(SAME.items()))
            return [
                (given["artifact_version"], [item["item_id"] for item in given["items"]]),
                (listed.artifact_version, [item.item_id for item in listed.items]),
            ]

        # what others did just before may become a trend between the two
        (_, item_ids), _ = until(by_both, lambda answers: answers[0] == answers[1])
    assert item_ids


def test_what_is_bought_together_comes_in_its_order_through_both_stages_and_then_what_is_similar(
    stack: LocalStack,
) -> None:
    found = httpx.get(f"{stack.gateway_url}/v1/items/item-02/bought-together?count=5", timeout=WITHIN_S).json()
    assert [item["item_id"] for item in found["items"]][:3] == ["item-09", "item-03", "item-06"]
    assert ["bought_together" in item["sources"] for item in found["items"]] == [True] * 3 + [False] * 2
    assert found["items"][3]["sources"] == ["similar"]
    assert found["level"] == "full"
