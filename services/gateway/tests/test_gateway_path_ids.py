"""A shop's ids go through paths unchanged, whatever they hold."""

from urllib.parse import quote

import httpx
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.routes.parameters import after_id, cursor_after
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, GetSimilarItemsRequest
from recsys.v1.catalog_service_pb2 import GetItemsRequest
from recsys.v1.user_service_pb2 import GetHistoryRequest

pytestmark = pytest.mark.anyio

AWKWARD = [
    "a/b",
    "/",
    "//",
    "a/",
    "/a",
    "007",
    " ",
    " a b ",
    "100%",
    "%2F",
    "a+b",
    "?x=1#y",
    "ä/ß/日本",
    "🙂",
    "line\nbreak\r\n",
    "\n",
    "\x00",
    "popular",
    "trending",
    "recommendations",
    "x/history",
    "x/recommendations",
    "history/history",
    "x/similar",
    "x/bought-together",
    ".hidden",
    "...",
    "a/../b",
]

one_id = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40) | st.sampled_from(AWKWARD)
# The application keeps no state, so the fixtures may serve all examples; the list of requests is emptied for each.
stateless = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@stateless
@given(user_id=one_id)
async def test_any_user_id_reaches_the_services_unchanged(
    client: httpx.AsyncClient, received: list[Message], user_id: str
) -> None:
    received.clear()

    recommended = await client.get(path("/v1/users/{}/recommendations", user_id))
    history = await client.get(path("/v1/users/{}/history", user_id))

    assert (recommended.status_code, history.status_code) == (200, 200)
    assert received[0] == GetCandidatesRequest(user_id=user_id, count=20)
    assert received[2] == GetHistoryRequest(user_id=user_id, count=20)


@stateless
@given(item_id=one_id)
async def test_any_item_id_reaches_the_services_unchanged(
    client: httpx.AsyncClient, received: list[Message], item_id: str
) -> None:
    received.clear()

    similar = await client.get(path("/v1/items/{}/similar", item_id))
    listed = await client.get("/v1/items", params={"ids": item_id})

    together = await client.get(path("/v1/items/{}/bought-together", item_id))

    assert (similar.status_code, together.status_code) == (200, 200)
    assert received[0] == GetSimilarItemsRequest(item_id=item_id, count=20)
    assert received[2] == GetItemsRequest(item_ids=[item_id])
    assert received[3] == GetSimilarItemsRequest(item_id=item_id, count=20, bought_together=True)
    assert listed.json()["items"][0]["item_id"] == item_id


@pytest.mark.parametrize(
    "item_id",
    [
        item_id
        for item_id in AWKWARD
        if item_id not in ("popular", "trending") and not item_id.endswith(("/similar", "/bought-together"))
    ],
)
async def test_an_item_is_found_by_its_id(client: httpx.AsyncClient, item_id: str) -> None:
    response = await client.get(path("/v1/items/{}", item_id))

    assert response.json()["item_id"] == item_id


async def test_dot_segments_are_ids_and_not_directions(client: httpx.AsyncClient, received: list[Message]) -> None:
    await client.get("/v1/users/%2E%2E/recommendations")
    await client.get("/v1/users/%2e/recommendations")

    assert received[0] == GetCandidatesRequest(user_id="..", count=20)
    assert received[2] == GetCandidatesRequest(user_id=".", count=20)


@given(last_id=one_id)
async def test_a_cursor_gives_its_id_back(last_id: str) -> None:
    cursor = cursor_after(last_id)

    assert await after_id(cursor) == last_id
    assert quote(cursor, safe="") == cursor  # fit for a query string as it is


def path(template: str, identifier: str) -> str:
    """The path for an id, every character of it encoded, dots too: clients resolve `..` themselves."""
    return template.format(quote(identifier, safe="").replace(".", "%2E"))
