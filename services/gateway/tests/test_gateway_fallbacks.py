"""Every fallback: what is answered when a part fails, and that it keeps what the request asked for."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message
from waiting import WITHIN_S

from gateway.clients import Clients
from gateway.lists.fallbacks import Fallbacks
from gateway.lists.popular_list import PopularList, popular_list, read
from gateway.lists.stage_requests import Found, ToFind
from gateway.requests import Filter
from gateway.shop.live_shop import LiveShop
from recsys.errors import DataError
from recsys.v1.item_pb2 import Item
from recsys.v1.reranker_service_pb2 import RerankRequest, RerankResponse

pytestmark = pytest.mark.anyio

Failures = dict[str, tuple[grpc.StatusCode, str]]
UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "unavailable")
FIRST_STAGE = ("GetCandidates", "GetSimilarItems", "GetPopularItems")
PATHS = ["/v1/users/7/recommendations", "/v1/items/item-04/similar", "/v1/items/popular"]


@pytest.fixture
def popular(app: FastAPI) -> PopularList:
    popular: PopularList = app.state.parts.popular
    return popular


@pytest.fixture
async def learned(app: FastAPI, popular: PopularList) -> PopularList:
    """The list as the services gave it: the 30 items of the fakes, the last one first."""
    await popular.learn(app.state.parts.clients)
    return popular


@pytest.fixture
def fail(failures: Failures) -> Callable[..., None]:
    def fail(*calls: str, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        failures.update(dict.fromkeys(calls, (code, "unavailable")))

    return fail


def ids_of(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["item_id"] for item in response.json()["items"]]


def level_of(response: httpx.Response) -> tuple[str, bool]:
    assert response.status_code == 200, response.text
    return response.json()["level"], response.json()["degraded"]


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_fails_and_the_answer_is_full(client: httpx.AsyncClient, path: str) -> None:
    assert level_of(await client.get(path)) == ("full", False)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
    ],
)
async def test_without_the_reranker_the_first_stage_s_own_order_is_answered(
    client: httpx.AsyncClient, fail: Callable[..., None], path: str, code: grpc.StatusCode
) -> None:
    full = await client.get(path)
    fail("Rerank", code=code)
    response = await client.get(path, params={"count": 5})
    assert level_of(response) == ("without_rerank", True)
    assert ids_of(response) == [f"item-0{n}" for n in range(5)]  # the fake reranker turns the order around
    assert response.json()["artifact_version"] == full.json()["artifact_version"]
    scores = [item["score"] for item in response.json()["items"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("path", PATHS)
async def test_a_reranker_that_reads_no_candidates_of_this_release_makes_no_empty_list(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def rerank(request: RerankRequest, *, timeout_s: float) -> RerankResponse:
        return RerankResponse(artifact_version=request.artifact_version)

    monkeypatch.setattr(app.state.parts.clients.reranker, "rerank", rerank)
    response = await client.get(path, params={"count": 5})
    assert level_of(response) == ("without_rerank", True)
    assert ids_of(response) == [f"item-0{n}" for n in range(5)]


@pytest.mark.parametrize("path", PATHS)
async def test_candidates_that_another_release_packed_are_answered_in_their_order(
    client: httpx.AsyncClient,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[..., None],
    path: str,
) -> None:
    first_stage = app.state.parts.clients.candidate_gen
    for name in ("get_candidates", "get_similar_items", "get_popular_items"):
        monkeypatch.setattr(first_stage, name, _without_what_this_release_packs(getattr(first_stage, name)))
    fail("Rerank", code=grpc.StatusCode.UNIMPLEMENTED)  # as this release's reranker refuses them
    response = await client.get(path, params={"count": 5})
    assert level_of(response) == ("without_rerank", True)
    assert ids_of(response) == [f"item-0{n}" for n in range(5)]


def _without_what_this_release_packs(ask: Callable[..., Awaitable[Found]]) -> Callable[..., Awaitable[Found]]:
    async def of_another_release(request: ToFind, *, timeout_s: float) -> Found:
        found = await ask(request, timeout_s=timeout_s)
        found.ClearField("candidates")
        return found

    return of_another_release


@pytest.mark.parametrize("path", PATHS)
async def test_once_the_reranker_is_known_to_be_unavailable_the_first_stage_is_asked_once_a_request(
    client: httpx.AsyncClient, fail: Callable[..., None], received: list[Message], path: str
) -> None:
    fail("Rerank")
    for _ in range(5):
        await client.get(path)
    received.clear()

    assert level_of(await client.get(path)) == ("without_rerank", True)
    of_first_stage = [type(request).__name__ for request in received if type(request) is not RerankRequest]  # a probe
    assert len(of_first_stage) == 1


async def test_an_item_that_was_described_before_keeps_its_title_without_the_reranker(
    client: httpx.AsyncClient, fail: Callable[..., None], learned: PopularList
) -> None:
    fail("Rerank")
    [first, second] = (await client.get("/v1/users/7/recommendations", params={"count": 2})).json()["items"]
    assert (first["item_id"], first["title"]) == ("item-00", "Title of item-00")
    assert (second["item_id"], second["title"]) == ("item-01", None)


@pytest.mark.parametrize("path", PATHS)
async def test_without_the_first_stage_popular_items_are_answered(
    client: httpx.AsyncClient, fail: Callable[..., None], learned: PopularList, path: str
) -> None:
    fail(*FIRST_STAGE)
    response = await client.get(path, params={"count": 3})
    assert level_of(response) == ("popular_in_category", True)
    assert len(ids_of(response)) == 3
    assert response.json()["artifact_version"] == "v2"


async def test_popular_items_of_the_categories_that_were_looked_at_come_first(
    client: httpx.AsyncClient, fail: Callable[..., None], learned: PopularList
) -> None:
    body = {"session_id": "s", "item_id": "item-02", "type": "view"}  # of the category Home, as every even item
    assert (await client.post("/v1/events", json=body)).status_code == 200
    fail(*FIRST_STAGE, "Rerank")
    response = await client.post("/v1/recommendations", json={"session_id": "s", "count": 16})
    assert level_of(response) == ("popular_in_category", True)
    assert ids_of(response)[:14] == [f"item-{n:02}" for n in range(28, 1, -2) if n != 2] + ["item-00"]
    assert "item-02" not in ids_of(response)  # it was seen


async def test_no_list_at_all_is_an_error(client: httpx.AsyncClient, fail: Callable[..., None]) -> None:
    fail(*FIRST_STAGE)
    assert (await client.get("/v1/users/7/recommendations")).status_code == 503


async def test_what_the_caller_did_wrong_is_no_reason_for_another_level_of(
    client: httpx.AsyncClient, learned: PopularList
) -> None:
    assert (await client.get("/v1/items/missing/similar")).status_code == 404


@pytest.mark.parametrize("failing", [("Rerank",), FIRST_STAGE, (*FIRST_STAGE, "Rerank")])
async def test_an_item_off_sale_is_on_no_level_of(
    client: httpx.AsyncClient, fail: Callable[..., None], learned: PopularList, failing: tuple[str, ...]
) -> None:
    assert (await client.patch("/v1/items/item-00", json={"available": False})).status_code == 200
    assert (await client.delete("/v1/items/item-29")).status_code in (200, 204)
    fail(*failing)
    for path in PATHS:
        ids = ids_of(await client.get(path, params={"count": 30}))
        assert ids
        assert not {"item-00", "item-29"} & set(ids)


@pytest.mark.parametrize(
    ("only", "passes"),
    [
        ({"categories": ["Home"]}, lambda item: item["category"] == "Home"),
        ({"exclude_categories": ["Home"]}, lambda item: item["category"] != "Home"),
        ({"max_price": 3}, lambda item: item["price"] == 2.5),
        ({"min_price": 3}, lambda _: False),
        ({"attributes": {"brand": "A"}}, lambda _: False),
        ({"exclude_item_ids": ["item-28", "item-27"]}, lambda item: item["item_id"] not in ("item-28", "item-27")),
    ],
)
async def test_a_filter_holds_among_popular_items(
    client: httpx.AsyncClient,
    fail: Callable[..., None],
    learned: PopularList,
    only: dict[str, object],
    passes: Callable[[dict[str, object]], bool],
) -> None:
    everything = (await client.get("/v1/items/popular", params={"count": 30})).json()["items"]
    fail(*FIRST_STAGE)
    response = await client.post("/v1/recommendations", json={"filter": only, "count": 30})
    assert level_of(response) == ("popular_in_category", True)
    assert ids_of(response) == [item["item_id"] for item in everything if passes(item)]
    assert response.json()["fill"]["matching"] == len(ids_of(response))


async def test_a_cart_is_not_proposed_again(
    client: httpx.AsyncClient, fail: Callable[..., None], learned: PopularList
) -> None:
    fail(*FIRST_STAGE)
    response = await client.post("/v1/recommendations", json={"item_ids": ["item-28"], "count": 30})
    assert "item-28" not in ids_of(response)


async def test_pages_go_on_where_a_degraded_list_ended(
    client: httpx.AsyncClient, fail: Callable[..., None], learned: PopularList
) -> None:
    fail(*FIRST_STAGE)
    first = await client.post("/v1/recommendations", json={"count": 20, "paginate": True})
    second = await client.post("/v1/recommendations", json={"cursor": first.json()["next_cursor"], "count": 20})
    assert sorted(ids_of(first) + ids_of(second)) == [f"item-{n:02}" for n in range(30)]
    assert level_of(second) == ("popular_in_category", True)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED])
async def test_pages_of_a_full_list_go_on_without_the_reranker_and_are_full_again_after_it(
    client: httpx.AsyncClient, failures: Failures, code: grpc.StatusCode
) -> None:
    first = await client.post("/v1/recommendations", json={"user_id": "7", "count": 4, "paginate": True})
    assert (await client.patch("/v1/items/item-14", json={"available": False})).status_code == 200
    failures["GetItems"] = (code, "unavailable")
    second = await client.post("/v1/recommendations", json={"cursor": first.json()["next_cursor"], "count": 4})
    failures.clear()
    third = await client.post("/v1/recommendations", json={"cursor": second.json()["next_cursor"], "count": 4})

    assert [level_of(page) for page in (first, second, third)] == [
        ("full", False),
        ("without_rerank", True),
        ("full", False),
    ]
    shown = [item_id for page in (first, second, third) for item_id in ids_of(page)]
    assert shown == [f"item-{n:02}" for n in range(19, 6, -1) if n != 14]


async def test_a_list_from_a_file_answers_before_the_services_ever_did(
    app: FastAPI, client: httpx.AsyncClient, fail: Callable[..., None], tmp_path: Path
) -> None:
    file = tmp_path / "popular.json"
    file.write_bytes((await client.get("/v1/items/popular", params={"count": 4})).content)
    popular = PopularList(*read(file))
    recommender = replace(app.state.parts.recommender, fallbacks=Fallbacks(app.state.parts.live, popular))
    app.state.parts = replace(app.state.parts, popular=popular, recommender=recommender)
    fail(*FIRST_STAGE)
    response = await client.get("/v1/users/7/recommendations")
    assert level_of(response) == ("static", True)
    assert len(ids_of(response)) == 4


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "the file"),
        (b"[]", "the file"),
        (json.dumps({"artifact_version": "v", "items": [{}]}).encode(), "items.0.item_id"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_the_place(tmp_path: Path, content: bytes, found: str) -> None:
    file = tmp_path / "popular.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"popular.json: expected the answer .* found at {found}"):
        read(file)
    with pytest.raises(DataError, match=r"missing.json: expected a list of items, found: No such file"):
        read(tmp_path / "missing.json")


async def test_the_list_is_followed_and_the_last_one_stays_for_the_next_gateway_too(
    app: FastAPI, fail: Callable[..., None], tmp_path: Path
) -> None:
    clients: Clients = app.state.parts.clients
    file = tmp_path / "list.json"
    async with popular_list(clients, file=file) as popular, asyncio.timeout(WITHIN_S):
        while not file.exists():
            await asyncio.sleep(0.01)
        fail("GetPopularItems")
        with pytest.raises(grpc.aio.AioRpcError):
            await popular.learn(clients)
        assert popular
    async with popular_list(clients, file=file) as after:
        items = after.passing(Filter(), without=(), liked=(), live=app.state.parts.live)
        assert (after.artifact_version, len(items), after.level) == ("v2", 30, "static")
        assert items[0].title == "Title of item-28" or items[1].title == "Title of item-28"


async def test_a_file_that_cannot_be_read_or_written_does_not_keep_the_gateway_from_starting(
    app: FastAPI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.json").write_text("{")
    async with popular_list(app.state.parts.clients, file=tmp_path / "bad.json") as popular:
        assert not popular
    assert "the static list cannot be read" in caplog.text
    async with popular_list(app.state.parts.clients, file=tmp_path / "none" / "list.json"), asyncio.timeout(WITHIN_S):
        while "the static list cannot be written" not in caplog.text:
            await asyncio.sleep(0.01)


def test_an_item_is_described_as_its_own_version_does_or_not_at_all() -> None:
    popular, live = PopularList(), LiveShop()
    popular.remember("v1", [Item(item_id="a", title="old", available=True)])
    for version, title in (("v1", "old"), ("v2", "")):
        described = popular.described("a", artifact_version=version, live=live)
        assert described is not None
        assert (described.item_id, described.title) == ("a", title)


async def test_a_gateway_that_has_a_list_stays_in_rotation_while_a_service_is_unavailable(
    client: httpx.AsyncClient, health: dict[str, int], popular: PopularList, app: FastAPI
) -> None:
    health["reranker"] = 2
    assert (await client.get("/readyz")).status_code == 503
    await popular.learn(app.state.parts.clients)
    assert (await client.get("/readyz")).json() == {"status": "degraded"}
    health["reranker"] = 1
    assert (await client.get("/readyz")).json() == {"status": "ready"}


def test_versions_that_take_turns_do_not_forget_each_other_s_items() -> None:
    """As the two arms of an experiment on `artifact_version` do."""
    popular, live = PopularList(), LiveShop()
    for _ in range(3):
        for version in ("v1", "v2"):
            popular.remember(version, [Item(item_id="a", title=f"of {version}", available=True)])
    popular.remember("v2", [Item(item_id="b", title="of v2", available=True)])

    def title(item_id: str, version: str) -> str:
        item = popular.described(item_id, artifact_version=version, live=live)
        assert item is not None
        return item.title

    assert [title("a", "v1"), title("a", "v2"), title("b", "v2"), title("b", "v1")] == ["of v1", "of v2", "of v2", ""]


def test_what_is_remembered_is_bounded_over_all_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.lists.popular_list._MOST_REMEMBERED", 3)
    popular, live = PopularList(), LiveShop()
    for number in range(5):
        popular.remember(f"v{number % 2}", [Item(item_id=f"i{number}", title="T", available=True)])
    described = [popular.described(f"i{n}", artifact_version=f"v{n % 2}", live=live) for n in range(5)]
    assert [item.title if item else None for item in described] == ["", "", "T", "T", "T"]
