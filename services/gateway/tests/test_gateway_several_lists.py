"""Several lists for one page: no item in two of them, one budget of time, and each list an exposure of its own."""

from typing import Any

import grpc
import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message

from gateway.deadline import Deadline
from gateway.lists.recommend import Recommender
from gateway.lists.several_lists import several_lists
from gateway.requests import ListsRequest
from gateway.shop.live_shop import LiveShop
from recsys.feature_store.interface import Exposure, Subject
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, GetPopularItemsRequest, GetSimilarItemsRequest

pytestmark = pytest.mark.anyio

PAGE: dict[str, Any] = {
    "user_id": "7",
    "lists": [
        {"name": "like this", "kind": "similar", "item_id": "item-29", "count": 2},
        {"name": "for you", "count": 3, "filter": {"exclude_item_ids": ["item-09"]}},
        {"name": "popular", "kind": "popular", "count": 2},
    ],
}


def first_stage(received: list[Message]) -> list[Any]:
    kinds = (GetCandidatesRequest, GetPopularItemsRequest, GetSimilarItemsRequest)
    return [each for each in received if isinstance(each, kinds)]


async def test_each_list_is_asked_for_without_what_the_lists_before_it_show(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    answer = (await client.post("/v1/lists", json=PAGE)).json()

    shown = [[item["item_id"] for item in each["items"]] for each in answer["lists"]]
    assert [each["name"] for each in answer["lists"]] == ["like this", "for you", "popular"]
    assert [len(each) for each in shown] == [2, 3, 2]
    asked = [list(each.filter.exclude_item_ids) for each in first_stage(received)]
    assert asked == [[], ["item-09", *shown[0]], [*shown[0], *shown[1]]]


async def test_a_list_of_what_is_bought_together_leaves_out_what_stands_before_it_too(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    together = {"name": "with it", "kind": "bought_together", "item_id": "item-29", "count": 2}
    answer = (await client.post("/v1/lists", json={"lists": [PAGE["lists"][0], together]})).json()

    similar, asked = first_stage(received)
    assert (similar.bought_together, asked.bought_together) == (False, True)
    assert list(asked.filter.exclude_item_ids) == [item["item_id"] for item in answer["lists"][0]["items"]]


async def test_each_list_is_an_exposure_of_its_own_to_whom_the_page_is_for(
    client: httpx.AsyncClient, live: LiveShop
) -> None:
    answer = (await client.post("/v1/lists", json=PAGE)).json()
    await client.post("/v1/lists", json=PAGE | {"preview": True})

    assert live.store is not None
    await live.exposures.flush()
    stored = [each.entry for each in await live.store.read_stream(after_sequence=0, limit=10)]
    exposures = [each for each in stored if isinstance(each, Exposure)]
    assert [(each.list_id, each.subject) for each in exposures] == [
        (each["list_id"], Subject("user", "7")) for each in answer["lists"]
    ]
    assert len({each.list_id for each in exposures}) == 3


async def test_all_lists_share_the_time_of_one_request(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    made, used = [], []
    recommender: Recommender = app.state.parts.recommender
    after, remaining = Deadline.after, Deadline.remaining_s
    monkeypatch.setattr(Deadline, "after", lambda budget_s: made.append(after(budget_s)) or made[-1])
    monkeypatch.setattr(Deadline, "remaining_s", lambda deadline: used.append(deadline) or remaining(deadline))

    await several_lists(ListsRequest.model_validate(PAGE), recommender)

    of_the_page = made[0]
    assert sum(each is of_the_page for each in used) == 2 * len(PAGE["lists"])  # two stages of each


async def test_an_unknown_item_costs_the_page_none_of_its_lists(client: httpx.AsyncClient) -> None:
    lists = [{"name": "like this", "kind": "similar", "item_id": "missing"}, {"name": "for you"}]
    answer = await client.post("/v1/lists", json={"lists": lists})

    assert answer.status_code == 200
    assert [each["items"][0]["sources"] for each in answer.json()["lists"]] == [["popular"], ["ann"]]


async def test_a_list_says_what_it_could_be_made_of_and_the_others_are_whole(
    client: httpx.AsyncClient, app: FastAPI, failures: dict[str, tuple[grpc.StatusCode, str]]
) -> None:
    await app.state.parts.popular.learn(app.state.parts.clients)
    failures["GetSimilarItems"] = (grpc.StatusCode.INTERNAL, "broken")

    answer = (await client.post("/v1/lists", json=PAGE)).json()

    levels = {each["name"]: each["level"] for each in answer["lists"]}
    assert levels == {"like this": "popular_in_category", "for you": "full", "popular": "full"}
    assert [each["degraded"] for each in answer["lists"]] == [True, False, False]


async def test_a_list_that_cannot_be_answered_is_the_error_of_the_page(
    client: httpx.AsyncClient, failures: dict[str, tuple[grpc.StatusCode, str]]
) -> None:
    failures["GetPopularItems"] = (grpc.StatusCode.UNAVAILABLE, "gone")

    assert (await client.post("/v1/lists", json=PAGE)).status_code == 503


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"session_id": "s"}, "give one of user_id and session_id"),
        ({"lists": []}, "at least 1 item"),
        ({"lists": [{"name": "a"}] * 2}, "expected each name once, found a, a"),
        ({"lists": [{"name": "a", "kind": "similar"}]}, "item_id: expected for similar items"),
        ({"lists": [{"name": "a", "item_id": "item-01"}]}, "item_id: expected for similar items"),
        ({"lists": [{"name": "a", "kind": "bought_together"}]}, "item_id: expected for similar items"),
        ({"lists": [{"name": "a", "kind": "popular", "item_ids": ["b"]}]}, "item_ids: expected for recommended"),
        ({"lists": [{"name": str(number)} for number in range(11)]}, "at most 10 items"),
    ],
)
async def test_a_page_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, change: dict[str, Any], detail: str
) -> None:
    answer = await client.post("/v1/lists", json=PAGE | change)

    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
