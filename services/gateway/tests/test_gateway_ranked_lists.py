"""Recommendations, similar and popular items: both stages, one version."""

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from gateway import schemas
from gateway.lists.list_json import ranked_items_json
from gateway.lists.ranked import RankedList
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, GetPopularItemsRequest, GetSimilarItemsRequest
from recsys.v1.item_pb2 import BlendTerm, Explanation, Filter, Item, RankedItem
from recsys.v1.model_service_pb2 import GetModelRequest
from recsys.v1.reranker_service_pb2 import RerankRequest

pytestmark = pytest.mark.anyio

# The fake first stage proposes item-00, item-01, … and the fake reranker turns the order around.
LAST_OF_20 = {
    "item_id": "item-19",
    "title": None,
    "category": None,
    "price": None,
    "image_url": None,
    "available": True,
    "attributes": {},
    "score": 19.0,
    "sources": ["ann"],
    "propensity": 1.0,
    "explanation": None,
}


async def test_recommendations_are_the_best_of_the_candidates_in_the_rerankers_order(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/v1/users/7/recommendations", params={"count": 3})

    answer = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert [item["item_id"] for item in answer["items"]] == ["item-19", "item-18", "item-17"]
    assert answer["items"][0] == LAST_OF_20
    assert answer["items"][1]["price"] == 2.5
    assert answer["artifact_version"] == "v2"
    assert answer["user_known"] is True


async def test_a_user_asks_for_many_candidates_and_gets_ten_items_unless_told(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    response = await client.get("/v1/users/007/recommendations", params={"include_seen": "true"})

    first, second = received
    assert first == GetCandidatesRequest(user_id="007", count=20, include_seen=True)
    assert isinstance(second, RerankRequest)
    assert (second.query_vector, second.artifact_version, len(second.candidates.rows)) == (b"vector", "v2", 80)
    assert len(response.json()["items"]) == 10


async def test_more_items_than_candidates_are_configured_ask_for_more_candidates(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    response = await client.get("/v1/users/7/recommendations", params={"count": 100})

    assert received[0] == GetCandidatesRequest(user_id="7", count=100)
    assert len(response.json()["items"]) == 30  # the whole catalogue


async def test_an_unknown_user_is_an_answer_that_says_so(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/users/nobody/recommendations")

    assert response.status_code == 200
    assert response.json()["user_known"] is False


async def test_similar_items_are_ranked_for_the_item(client: httpx.AsyncClient, received: list[Message]) -> None:
    response = await client.get("/v1/items/item-04/similar", params={"count": 2})

    first, second = received
    assert first == GetSimilarItemsRequest(item_id="item-04", count=20)
    assert isinstance(second, RerankRequest)
    assert second.WhichOneof("query") == "item_id"
    assert [item["sources"] for item in response.json()["items"]] == [["similar"], ["similar"]]


async def test_what_is_bought_together_is_asked_for_first_and_keeps_the_first_stage_s_order(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    await client.get("/v1/items/item-04/bought-together", params={"count": 2, "category": "Home"})

    first, second = received
    only = Filter(categories=["Home"])
    assert first == GetSimilarItemsRequest(item_id="item-04", count=20, filter=only, bought_together=True)
    assert isinstance(second, RerankRequest)
    assert second.WhichOneof("query") is None


@pytest.mark.parametrize("name", ["similar", "bought-together"])
async def test_an_item_that_the_model_does_not_know_has_no_list(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/v1/items/missing/{name}")

    assert response.status_code == 404
    assert response.json()["detail"] == "no item 'missing' in the model"


async def test_popular_items_fetch_no_more_than_they_show_and_are_ranked_for_nobody(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    await client.get("/v1/items/popular", params={"count": 4})

    first, second = received
    assert first == GetPopularItemsRequest(count=4)
    assert isinstance(second, RerankRequest)
    assert second.WhichOneof("query") is None


async def test_trending_items_are_asked_for_by_category_before_popular_ones(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    answer = await client.get("/v1/items/trending", params={"count": 4, "category": "Home"})

    assert received[0] == GetPopularItemsRequest(count=4, filter=Filter(categories=["Home"]), trending=True)
    assert len(answer.json()["items"]) == 4


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/v1/users/7/recommendations", schemas.Recommendations),
        ("/v1/items/item-04/similar", schemas.RankedItems),
        ("/v1/items/item-04/bought-together", schemas.RankedItems),
        ("/v1/items/popular", schemas.RankedItems),
        ("/v1/items/trending", schemas.RankedItems),
    ],
)
async def test_what_is_sent_is_exactly_what_the_schema_promises(
    client: httpx.AsyncClient, path: str, schema: type[schemas.RankedItems]
) -> None:
    response = await client.get(path)

    assert schema.model_validate_json(response.content, strict=True).model_dump(mode="json") == response.json()


@pytest.mark.parametrize(
    ("candidate_gen", "reranker", "answers"),
    [
        pytest.param(["v2", "v1"], ["v1", "v0"], "v1", id="the reranker is behind"),
        pytest.param(["v1", "v0"], ["v2", "v1"], "v1", id="the reranker is ahead"),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/users/7/recommendations",
        "/v1/items/item-04/similar",
        "/v1/items/item-04/bought-together",
        "/v1/items/popular",
    ],
)
async def test_a_model_swap_between_the_stages_is_answered_from_a_version_that_both_hold(
    client: httpx.AsyncClient,
    held: dict[str, list[str]],
    path: str,
    candidate_gen: list[str],
    reranker: list[str],
    answers: str,
) -> None:
    held.update(candidate_gen=candidate_gen, reranker=reranker)

    response = await client.get(path)

    assert response.status_code == 200
    assert response.json()["artifact_version"] == answers


async def test_versions_that_never_meet_are_tried_twice_and_then_called_unavailable(
    client: httpx.AsyncClient, held: dict[str, list[str]], received: list[Message]
) -> None:
    held.update(candidate_gen=["v9"], reranker=["v2"])

    response = await client.get("/v1/users/7/recommendations")

    assert [type(request) for request in received] == [
        GetCandidatesRequest,
        RerankRequest,
        GetModelRequest,
        GetCandidatesRequest,
    ]
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "new model" in response.json()["detail"]


async def test_no_other_failure_is_tried_again(
    client: httpx.AsyncClient, failures: dict[str, tuple[grpc.StatusCode, str]], received: list[Message]
) -> None:
    failures["GetCandidates"] = (grpc.StatusCode.INTERNAL, "boom")

    await client.get("/v1/users/7/recommendations")

    assert [type(request) for request in received] == [GetCandidatesRequest]


async def test_the_first_stage_gets_its_share_of_the_budget_and_the_second_what_is_left(
    client: httpx.AsyncClient, remaining_s: list[float]
) -> None:
    await client.get("/v1/users/7/recommendations")

    first_s, second_s = remaining_s
    assert first_s <= 5.0  # half of the ten seconds that the fixture gives a request
    assert 5.0 < second_s <= 10.0


def test_the_schema_promises_the_terms_of_a_ranker_that_learned_too() -> None:
    terms = [BlendTerm(name=name, value=0.5, weight=1) for name in ("personal", "ranker:price_to_own", "ranker")]
    item = RankedItem(item=Item(item_id="item-01"), explanation=Explanation(terms=terms, rank_by_score=1))
    sent = ranked_items_json(RankedList("v2", [item]))

    [told] = schemas.RankedItems.model_validate_json(sent, strict=True).items
    assert told.explanation is not None
    assert [term.name for term in told.explanation.terms] == ["personal", "ranker:price_to_own", "ranker"]
