"""A shop that lives, in containers: what it says is seen at once, survives its store's death, and is learnt."""

import json
import subprocess
from typing import Any, Final

import checkerboard_shop as shop
import httpx
import pytest
from testcontainers.compose import DockerCompose
from waiting import until

EVEN: Final = [item_id for item_id in shop.IDS if shop.colour(item_id) == 0]
NEWCOMER: Final = "newcomer"


def docker_compose(compose: DockerCompose, *command: str) -> subprocess.CompletedProcess[str]:
    words = [*compose.docker_compose_command(), *command]
    return subprocess.run(words, cwd=compose.context, capture_output=True, text=True, check=True)


def recommendations(rest: httpx.Client, user_id: str, count: int = 10) -> dict[str, Any]:
    response = rest.post("/v1/recommendations", json={"user_id": user_id, "count": count})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def committed_events(compose: DockerCompose) -> int:
    """Rows of events that the lake holds."""
    parts = json.loads(docker_compose(compose, "exec", "-T", "event-sink", "cat", "/artifacts/lake/COMMITTED").stdout)[
        "parts"
    ]
    return sum(rows for path, rows in parts.items() if path.startswith("events/"))


@pytest.fixture(scope="module")
def told(rest: httpx.Client) -> list[str]:
    """The items that a newcomer bought: even ones."""
    assert recommendations(rest, NEWCOMER)["vector"] == "none"
    events = [{"user_id": NEWCOMER, "item_id": item_id, "type": "purchase"} for item_id in EVEN[:3]]
    response = rest.post("/v1/events", json={"events": events})
    assert response.status_code == 200, response.text
    assert response.json()["accepted"] == 3
    return EVEN[:3]


def test_the_next_recommendation_knows_what_was_just_bought(rest: httpx.Client, told: list[str]) -> None:
    answer = recommendations(rest, NEWCOMER, count=5)
    assert answer["vector"] == "folded_in"
    assert {shop.colour(item_id) for item_id in ids(answer)} == {0}
    assert not set(told) & set(ids(answer))


def test_an_item_taken_off_sale_is_recommended_no_more(rest: httpx.Client, told: list[str]) -> None:
    first = ids(recommendations(rest, NEWCOMER))[0]
    change = {"item_id": first, "op": "patch", "available": False}
    assert rest.post("/v1/items/bulk", json={"changes": [change]}).status_code == 200
    until(lambda: ids(recommendations(rest, NEWCOMER)), lambda found: first not in found)
    assert rest.post("/v1/items/bulk", json={"changes": [change | {"available": True}]}).status_code == 200
    until(lambda: ids(recommendations(rest, NEWCOMER)), lambda found: first in found)


def test_an_acknowledged_event_survives_the_death_of_the_store(
    compose: DockerCompose, rest: httpx.Client, told: list[str]
) -> None:
    docker_compose(compose, "kill", "--signal", "SIGKILL", "valkey")
    assert recommendations(rest, shop.IDS[1])["items"]  # without its store the shop is still served
    docker_compose(compose, "start", "valkey")
    known_again = until(lambda: recommendations(rest, NEWCOMER), lambda answer: answer["vector"] == "folded_in")
    assert not set(told) & set(ids(known_again))


def test_what_came_in_is_in_the_lake_and_then_in_the_model(
    compose: DockerCompose, rest: httpx.Client, told: list[str]
) -> None:
    until(lambda: committed_events(compose), lambda count: count == len(told))
    events = json.loads(docker_compose(compose, "config", "--format", "json").stdout)["services"]["trainer"]["command"]
    files = events[events.index("--events") :][:2]
    trained = docker_compose(compose, "run", "--rm", "trainer", "train", "--force", *files)
    assert f"lake: {len(told)} rows read, {len(told)} kept" in trained.stderr
    until(lambda: recommendations(rest, NEWCOMER)["vector"], lambda vector: vector == "trained")


def test_a_user_who_is_erased_is_gone_from_store_and_lake(
    compose: DockerCompose, rest: httpx.Client, told: list[str]
) -> None:
    assert rest.delete(f"/v1/users/{NEWCOMER}").status_code == 202

    def lake_rows() -> int | None:
        report = rest.get(f"/v1/users/{NEWCOMER}/erasure")
        assert report.status_code == 200, report.text
        rows: int | None = report.json()["lake_rows"]
        return rows

    until(lake_rows, lambda rows: rows is not None)
    assert committed_events(compose) == 0
    assert recommendations(rest, NEWCOMER)["vector"] == "none"
