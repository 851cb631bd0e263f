"""The catalogue, users, history, the model and the health routes."""

import httpx
import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from recsys.v1.catalog_service_pb2 import GetItemsRequest, SearchItemsRequest
from recsys.v1.user_service_pb2 import GetHistoryRequest, ListUsersRequest

pytestmark = pytest.mark.anyio

ITEM_04 = {
    "item_id": "item-04",
    "title": "Title of item-04",
    "category": "Home",
    "price": 2.5,
    "image_url": "https://shop.example/item-04.jpg",
    "available": True,
    "attributes": {},
}


async def test_search_passes_words_and_category_on(client: httpx.AsyncClient, received: list[Message]) -> None:
    await client.get("/v1/items", params={"query": "white heart", "category": "Home & Garden", "page_size": 5})

    assert received == [SearchItemsRequest(query="white heart", category="Home & Garden", page_size=5)]


async def test_a_search_of_more_than_16_words_is_refused_with_their_number(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    answer = await client.get("/v1/items", params={"query": "a " * 17})

    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["location"] == "query.query"
    assert "expected at most 16 words, found 17" in error["message"]
    assert received == []


async def test_a_search_of_more_than_200_characters_is_refused(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    answer = await client.get("/v1/items", params={"query": "x" * 201})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["location"] == "query.query"
    assert received == []


async def test_pages_of_items_follow_their_cursors_to_the_end_without_repeat_or_gap(
    client: httpx.AsyncClient,
) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/v1/items", params={"page_size": 7, "cursor": cursor})).json()
        seen += [item["item_id"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert seen == [f"item-{number:02}" for number in range(30)]


async def test_pages_of_users_follow_their_cursors_whatever_the_ids(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/users", params={"page_size": 2})).json()
    second = (await client.get("/v1/users", params={"page_size": 2, "cursor": first["next_cursor"]})).json()

    assert first["users"] == [{"user_id": "a/b", "history_size": 2}, {"user_id": "ß", "history_size": 2}]
    assert second["users"] == [{"user_id": "ä", "history_size": 2}]
    assert second["next_cursor"] is None


async def test_pages_of_categories_follow_their_cursors_to_the_end(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/categories", params={"page_size": 2})).json()
    second = (await client.get("/v1/categories", params={"page_size": 2, "cursor": first["next_cursor"]})).json()

    assert first["categories"] == [{"category": "Garden", "item_count": 2}, {"category": "Home", "item_count": 2}]
    assert second["categories"] == [{"category": "ß/1", "item_count": 2}]
    assert (second["artifact_version"], second["next_cursor"]) == ("v2", None)


async def test_users_are_found_by_prefix(client: httpx.AsyncClient, received: list[Message]) -> None:
    await client.get("/v1/users", params={"prefix": "00"})

    assert received == [ListUsersRequest(prefix="00", page_size=20)]


@pytest.mark.parametrize("path", ["/v1/items", "/v1/users"])
@pytest.mark.parametrize("cursor", ["!", "a", "_w", "ä", "a b"])
async def test_a_made_up_cursor_is_a_bad_request(
    client: httpx.AsyncClient, received: list[Message], path: str, cursor: str
) -> None:
    response = await client.get(path, params={"cursor": cursor})

    assert response.status_code == 400
    assert "cursor" in response.json()["detail"]
    assert received == []


async def test_several_items_are_looked_up_by_id_in_the_order_asked_for(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    response = await client.get("/v1/items", params={"ids": ["item-04", "missing", "popular"]})

    assert received == [GetItemsRequest(item_ids=["item-04", "missing", "popular"])]
    assert [item["item_id"] for item in response.json()["items"]] == ["item-04", "popular"]
    assert response.json()["next_cursor"] is None


@pytest.mark.parametrize("other", ["query", "category", "cursor"])
async def test_ids_stand_alone(client: httpx.AsyncClient, other: str) -> None:
    response = await client.get("/v1/items", params={"ids": "item-04", other: "MTAw"})

    assert response.status_code == 400


async def test_more_ids_than_an_answer_may_hold_are_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/items", params={"ids": ["x"] * 101})

    assert response.status_code == 422


async def test_one_item_comes_with_the_version_that_knows_it(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/items/item-04")).json() == {**ITEM_04, "artifact_version": "v2"}


async def test_an_unknown_item_is_not_found(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/items/missing")

    assert response.status_code == 404
    assert response.json()["detail"] == "no item 'missing' in the model"


async def test_the_history_says_what_its_items_are_where_the_catalogue_still_has_them(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    response = await client.get("/v1/users/7/history", params={"count": 2})

    event = {"event_type": "purchase", "last_event_at": "2023-11-14T22:13:20Z"}
    gone = {
        **dict.fromkeys(ITEM_04),
        "item_id": "missing",
        "available": False,
        "attributes": {},
        **event,
        "event_type": "view",
    }
    assert response.json() == {
        "artifact_version": "v2",
        "user_known": True,
        "total": 7,
        "items": [{**ITEM_04, **event}, gone],
        "degraded": False,
    }
    assert received == [GetHistoryRequest(user_id="7", count=2), GetItemsRequest(item_ids=["item-04", "missing"])]


async def test_the_model_merges_what_both_services_say(client: httpx.AsyncClient, held: dict[str, list[str]]) -> None:
    held["reranker"] = ["v1"]

    assert (await client.get("/v1/model")).json() == {
        "artifact_version": "v2",
        "model": "als",
        "dim": 64,
        "user_count": 3,
        "item_count": 30,
        "trained_at": "2025-01-01T00:00:00Z",
        "metrics": [
            {"name": "recall@20", "value": 0.1, "low": 0.05, "high": 0.2},
            {"name": "ndcg@20", "value": 0.05, "low": None, "high": None},
        ],
        "services": {
            "candidate_gen": {"artifact_version": "v2", "held_versions": ["v2", "v1"], "refused": None},
            "reranker": {"artifact_version": "v1", "held_versions": ["v1"], "refused": "v3: users.arrow: sha256"},
        },
        "last_run": {"artifact_version": "v4", "passed": False, "reasons": ["failed: worse"], "users_judged": 77},
    }


async def test_a_gateway_whose_services_serve_is_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_readiness_names_the_service_that_is_not_serving(
    client: httpx.AsyncClient, health: dict[str, int]
) -> None:
    health["reranker"] = 2

    response = await client.get("/readyz")

    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"
    assert response.json()["detail"] == "not serving: reranker (NOT_SERVING)"


async def test_readiness_names_the_services_that_do_not_answer_while_the_process_is_healthy(
    client: httpx.AsyncClient, failures: dict[str, tuple[StatusCode, str]]
) -> None:
    failures["HealthCheck"] = (StatusCode.DEADLINE_EXCEEDED, "")

    response = await client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["detail"] == ("not serving: candidate_gen (DEADLINE_EXCEEDED), reranker (DEADLINE_EXCEEDED)")
    assert (await client.get("/healthz")).json() == {"status": "ok"}
