"""Whatever fails, in whatever combination: an answer, with nothing in it that must not be shown."""

from typing import Any, Final, cast

import grpc
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.breaker import Breaker
from gateway.lists.popular_list import PopularList
from gateway.schemas import Level
from gateway.shop.live_shop import LiveShop
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import FeatureStore, Profile, Subject

pytestmark = pytest.mark.anyio

HIDDEN: Final = {"item-03", "item-28"}
CALLS: Final = ["GetCandidates", "GetSimilarItems", "GetPopularItems", "Rerank", "GetModel"]
CODES: Final = [
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNIMPLEMENTED,
]
OF_A_LIST: Final[set[Level]] = {"popular_in_category", "static"}

requests = st.fixed_dictionaries(
    {"count": st.integers(1, 30), "explain": st.booleans(), "paginate": st.booleans()},
    optional={
        "user_id": st.sampled_from(["7", "nobody"]),
        "item_ids": st.lists(st.sampled_from(["item-04", "item-27"]), max_size=2, unique=True),
        "filter": st.fixed_dictionaries(
            {},
            optional={
                "categories": st.just(["Home"]),
                "max_price": st.just(3),
                "exclude_item_ids": st.just(["item-02"]),
            },
        ),
    },
)


class StoreThatIsAway:
    """A feature store that cannot be reached."""

    async def profile(self, _: Subject, *, after_sequence: int = 0) -> Profile:
        raise StoreUnavailableError("unavailable")


@pytest.fixture
async def prepared(app: FastAPI, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The application with a list, and two items off sale."""
    popular: PopularList = app.state.parts.popular
    await popular.learn(app.state.parts.clients)
    for item_id in HIDDEN:
        assert (await client.patch(f"/v1/items/{item_id}", json={"available": False})).status_code == 200
    return client


def close_breakers(app: FastAPI, live: LiveShop) -> None:
    """Each example starts with services, and a store, that are known to be well."""
    app.state.parts.clients.candidate_gen.breaker = Breaker("candidate_gen")
    app.state.parts.clients.reranker.breaker = Breaker("reranker")
    object.__setattr__(live, "breaker", Breaker("feature store", refusal=StoreUnavailableError))


@given(
    failing=st.dictionaries(st.sampled_from(CALLS), st.sampled_from(CODES)),
    body=requests,
    is_store_away=st.booleans(),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_while_there_is_a_list_nothing_that_fails_is_an_error_and_nothing_hidden_is_shown(
    prepared: httpx.AsyncClient,
    app: FastAPI,
    live: LiveShop,
    failures: dict[str, tuple[grpc.StatusCode, str]],
    failing: dict[str, grpc.StatusCode],
    body: dict[str, Any],
    is_store_away: bool,
) -> None:
    failures.clear()
    failures.update({call: (code, "") for call, code in failing.items()})
    close_breakers(app, live)
    store = live.store
    object.__setattr__(live, "store", cast(FeatureStore, StoreThatIsAway()) if is_store_away else store)
    try:
        answers = [
            await prepared.post("/v1/recommendations", json=body),
            await prepared.get("/v1/items/item-04/similar", params={"count": body["count"]}),
            await prepared.get("/v1/items/popular", params={"count": body["count"], "category": "Home"}),
        ]
    finally:
        object.__setattr__(live, "store", store)

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    for answer in map(httpx.Response.json, answers):
        item_ids = [item["item_id"] for item in answer["items"]]
        assert len(item_ids) == len(set(item_ids)) <= body["count"]
        assert not HIDDEN & set(item_ids)
        assert answer["degraded"] == (answer["level"] != "full")
    recommended, _, popular = map(httpx.Response.json, answers)
    if recommended["level"] in OF_A_LIST:  # the fake first stage knows neither carts nor filters
        expect_what_was_asked_for(recommended["items"], body)
    if popular["level"] in OF_A_LIST:
        assert {item["category"] for item in popular["items"]} == {"Home"}
    if not failing and not (is_store_away and "user_id" in body):
        assert recommended["level"] == "full"


def expect_what_was_asked_for(items: list[dict[str, Any]], body: dict[str, Any]) -> None:
    only = body.get("filter", {})
    for item in items:
        assert item["item_id"] not in body.get("item_ids", [])
        assert item["item_id"] not in only.get("exclude_item_ids", [])
        assert "categories" not in only or item["category"] in only["categories"]
        assert "max_price" not in only or item["price"] <= only["max_price"]
