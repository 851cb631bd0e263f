"""What the models know already is not read again; a version that needs more gets all of it."""

from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from gateway.lists.model_places import ModelPlaces
from gateway.shop.live_shop import LiveShop
from recsys.feature_store.interface import Event, Subject
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000


@pytest.fixture
async def viewed(live: LiveShop) -> None:
    """Forty events of user 7, at the places 1 to 40 of the stream."""
    assert live.store is not None
    events = [Event(f"e{n}", Subject("user", "7"), f"item-{n % 20:02}", "view", NOW_MS + n, 1.0) for n in range(40)]
    await live.store.append(events, now_ms=NOW_MS)


async def asked(client: httpx.AsyncClient, received: list[Message]) -> list[tuple[int, list[int]]]:
    """After which place, and with which events, candidate_gen was asked for one list."""
    received.clear()
    answer: dict[str, Any] = (await client.post("/v1/recommendations", json={"user_id": "7"})).raise_for_status().json()
    assert answer["level"] == "full"
    requests = [each for each in received if isinstance(each, GetCandidatesRequest)]
    return [(each.events_after, [event.sequence for event in each.events]) for each in requests]


@pytest.mark.usefixtures("viewed")
async def test_only_what_came_after_the_models_place_is_sent_but_for_the_latest(
    client: httpx.AsyncClient, received: list[Message], trained_up_to: dict[str, int]
) -> None:
    trained_up_to["v2"] = 35
    assert await asked(client, received) == [(0, list(range(40, 0, -1)))]  # no model has said its place yet
    assert await asked(client, received) == [(35, list(range(40, 24, -1)))]


@pytest.mark.usefixtures("viewed")
async def test_after_a_rollback_the_events_between_the_versions_are_counted(
    client: httpx.AsyncClient, received: list[Message], trained_up_to: dict[str, int], held: dict[str, list[str]]
) -> None:
    trained_up_to |= {"v2": 35, "v1": 10}
    await asked(client, received)
    held |= {"candidate_gen": ["v1"], "reranker": ["v1"]}
    latest, everything = list(range(40, 24, -1)), list(range(40, 0, -1))
    assert await asked(client, received) == [(35, latest), (0, everything)]  # refused, and asked again
    assert await asked(client, received) == [(10, list(range(40, 10, -1)))]  # now it is known


def test_the_lowest_place_of_the_versions_heard_of_lately_counts() -> None:
    now_s = 0.0
    places = ModelPlaces(clock=lambda: now_s)
    assert places.lowest() == 0
    places.heard_of("v1", 10)
    now_s = 30.0
    places.heard_of("v2", 20)
    assert places.lowest() == 10
    now_s = 61.0
    assert places.lowest() == 20
    now_s = 100.0
    assert places.lowest() == 0
