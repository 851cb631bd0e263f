"""The gRPC API gives what the REST API gives: the same answers, the same refusals in the same words."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import requests, schemas
from gateway.api_keys import ApiKeys
from gateway.http.access import Access
from gateway.http.admission import AdmissionMiddleware
from gateway.lists.popular_list import PopularList
from gateway.rpc.operations import OPERATIONS
from gateway.rpc.server import SERVICE, GrpcServer
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop
from recsys.errors import InvalidArgumentError
from recsys.item_vector import packed
from recsys.v1 import item_pb2
from recsys.v1 import recommendation_service_pb2 as api

pytestmark = pytest.mark.anyio

Failures = dict[str, tuple[grpc.StatusCode, str]]
UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "unavailable")
OK, INVALID_ARGUMENT = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT
MOST_BYTES = 100_000
READ, EVENTS, ADMIN, SLOW = "rk_read", "rk_events", "rk_admin", "rk_slow"
CHANGES = api.ChangeItemsRequest
OF_ONE_ANSWER = ("list_id", "request_id")

# method, request, the same over HTTP: method, path, body
READING: list[tuple[str, Message, str, str, Any]] = [
    ("Recommend", api.RecommendRequest(user_id="7"), "GET", "/v1/users/7/recommendations", None),
    ("Recommend", api.RecommendRequest(session_id="s", count=3), "POST", "", {"session_id": "s", "count": 3}),
    ("Recommend", api.RecommendRequest(item_ids=["item-04"]), "POST", "", {"item_ids": ["item-04"]}),
    ("Recommend", api.RecommendRequest(user_id="nobody"), "POST", "", {"user_id": "nobody"}),
    ("Recommend", api.RecommendRequest(explain=True, preview=True), "POST", "", {"explain": True, "preview": True}),
    (
        "Recommend",
        api.RecommendRequest(
            user_id="7",
            filter=item_pb2.Filter(categories=["Home"], max_price=9, attributes={"brand": "A"}),
            exclude_seen_types=api.RecommendRequest.EventTypes(types=["purchase"]),
            blend=api.RecommendRequest.Blend(popularity=2),
            diversity=api.RecommendRequest.Diversity(mmr_lambda=0.5, max_per_category=2),
            rules=[api.RecommendRequest.Rule(name="sale", category="Home", boost=2)],
        ),
        "POST",
        "",
        {
            "user_id": "7",
            "filter": {"categories": ["Home"], "max_price": 9, "attributes": {"brand": "A"}},
            "exclude_seen": ["purchase"],
            "blend": {"popularity": 2},
            "diversity": {"mmr_lambda": 0.5, "max_per_category": 2},
            "rules": [{"name": "sale", "category": "Home", "boost": 2}],
        },
    ),
    (
        "ListSimilarItems",
        api.ListSimilarItemsRequest(item_id="a/similar"),
        "GET",
        "/v1/items/a%2Fsimilar/similar",
        None,
    ),
    (
        "ListPopularItems",
        api.ListPopularItemsRequest(count=4, categories=["Home", "ä&b"]),
        "GET",
        "/v1/items/popular?count=4&category=Home&category=%C3%A4%26b",
        None,
    ),
    ("ListTrendingItems", api.ListTrendingItemsRequest(count=3), "GET", "/v1/items/trending?count=3", None),
    (
        "RecommendLists",
        api.RecommendListsRequest(
            user_id="7", lists=[{"name": "a", "count": 2}, {"name": "b", "kind": "popular", "filter": {"max_price": 9}}]
        ),
        "POST",
        "/v1/lists",
        {
            "user_id": "7",
            "lists": [{"name": "a", "count": 2}, {"name": "b", "kind": "popular", "filter": {"max_price": 9}}],
        },
    ),
    ("ListHistory", api.ListHistoryRequest(user_id="7", count=1), "GET", "/v1/users/7/history?count=1", None),
    (
        "ListRecentlyViewed",
        api.ListRecentlyViewedRequest(user_id="7", event_type="view", count=3),
        "GET",
        "/v1/recently-viewed?user_id=7&event_type=view&count=3",
        None,
    ),
    ("FindCategories", api.FindCategoriesRequest(page_size=1), "GET", "/v1/categories?page_size=1", None),
    (
        "FindItems",
        api.FindItemsRequest(query="of item", category="Home", page_size=2),
        "GET",
        "/v1/items?query=of+item&category=Home&page_size=2",
        None,
    ),
    (
        "LookUpItems",
        api.LookUpItemsRequest(item_ids=["popular", "missing", "item-01"]),
        "GET",
        "/v1/items?ids=popular&ids=missing&ids=item-01",
        None,
    ),
    (
        "ListBoughtTogether",
        api.ListBoughtTogetherRequest(item_id="a/similar", count=3, categories=["Home"]),
        "GET",
        "/v1/items/a%2Fsimilar/bought-together?count=3&category=Home",
        None,
    ),
]
REFUSED: list[tuple[str, Message, str, str, Any]] = [
    ("Recommend", api.RecommendRequest(count=0), "POST", "", {"count": 0}),
    ("Recommend", api.RecommendRequest(count=101), "POST", "", {"count": 101}),
    ("Recommend", api.RecommendRequest(user_id=""), "POST", "", {"user_id": ""}),
    ("Recommend", api.RecommendRequest(user_id="7", session_id="s"), "POST", "", {"user_id": "7", "session_id": "s"}),
    ("Recommend", api.RecommendRequest(cursor="not ours"), "POST", "", {"cursor": "not ours"}),
    (
        "Recommend",
        api.RecommendRequest(filter={"min_price": float("nan")}),
        "POST",
        "",
        {"filter": {"min_price": "NaN"}},
    ),
    ("ListSimilarItems", api.ListSimilarItemsRequest(item_id="missing"), "GET", "/v1/items/missing/similar", None),
    (
        "ListBoughtTogether",
        api.ListBoughtTogetherRequest(item_id="missing"),
        "GET",
        "/v1/items/missing/bought-together",
        None,
    ),
    ("ListSimilarItems", api.ListSimilarItemsRequest(item_id="x" * 600), "GET", f"/v1/items/{'x' * 600}/similar", None),
    ("ListRecentlyViewed", api.ListRecentlyViewedRequest(), "GET", "/v1/recently-viewed", None),
    ("RecommendLists", api.RecommendListsRequest(), "POST", "/v1/lists", {"lists": []}),
    ("ListHistory", api.ListHistoryRequest(user_id="7", count=0), "GET", "/v1/users/7/history?count=0", None),
    ("FindItems", api.FindItemsRequest(cursor="ä"), "GET", "/v1/items?cursor=%C3%A4", None),
    ("PostEvents", api.PostEventsRequest(), "POST", "/v1/events", {"events": []}),
    ("PostEvents", api.PostEventsRequest(events=[{"type": "x"}]), "POST", "/v1/events", {"events": [{"type": "x"}]}),
    (
        "PostEvents",
        api.PostEventsRequest(events=[{"type": "x", "quantity": 6}]),
        *("POST", "/v1/events", {"events": [{"type": "x", "quantity": 6}]}),
    ),
    ("ChangeItems", CHANGES(), "POST", "/v1/items/bulk", {"changes": []}),
    (
        "ChangeItems",
        CHANGES(changes=[{"item_id": "x"}]),
        "POST",
        "/v1/items/bulk",
        {"changes": [{"op": None, "item_id": "x"}]},
    ),
    (
        "ChangeItems",
        CHANGES(changes=[{"item_id": "missing", "patch": {"clear": ["price"]}}]),
        "POST",
        "/v1/items/bulk",
        {"changes": [{"op": "patch", "item_id": "missing", "price": None}]},
    ),
    ("GetErasure", api.GetErasureRequest(user_id="7"), "GET", "/v1/users/7/erasure", None),
]


class Api:
    """A client of the gRPC API."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def call(self, method: str, request: Message | bytes, key: str = "", **metadata: str) -> Any:
        sent = [*metadata.items(), *([("authorization", f"Bearer {key}")] if key else [])]
        raw = request if isinstance(request, bytes) else request.SerializeToString()
        answer = self.channel.unary_unary(f"/{SERVICE}/{method}", response_deserializer=_response(method))
        return answer(raw, metadata=[(name.replace("_", "-"), value) for name, value in sent], timeout=20)

    async def answer(self, method: str, request: Message) -> Any:
        return await self.call(method, request)

    async def code(self, method: str, request: Message, key: str) -> grpc.StatusCode:
        call = self.call(method, request, key)
        code: grpc.StatusCode = await call.code()
        return code

    async def refusal(self, method: str, request: Message | bytes, key: str = "") -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, request, key)
        return caught.value


def _response(method: str) -> Any:
    return OPERATIONS[method].response.FromString if method in OPERATIONS else None


async def served(app: ASGIApp) -> AsyncIterator[Api]:
    server = GrpcServer(app, tls=None, max_bytes=MOST_BYTES, max_in_flight=128)
    port = await server.start(host="127.0.0.1", port=0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Api(channel)
    await server.stop(grace_s=0)


@pytest.fixture
async def over_grpc(app: FastAPI) -> AsyncIterator[Api]:
    async for each in served(app):
        yield each


@pytest.fixture
def keyed(app: FastAPI, tmp_path: Path) -> FastAPI:
    keys = [
        {"name": secret, "sha256": hashlib.sha256(secret.encode()).hexdigest(), "scopes": [scope], **more}
        for secret, scope, more in [
            (READ, "read", {}),
            (EVENTS, "events", {}),
            (ADMIN, "admin", {}),
            (SLOW, "read", {"rate_limit": "1/hour"}),
        ]
    ]
    path = tmp_path / "keys.yaml"
    path.write_text(yaml.safe_dump({"keys": keys}))
    app.state.access = Access(ApiKeys(path))
    return app


async def over_http(
    client: httpx.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    path = path or "/v1/recommendations"
    if body is None:
        return await client.request(method, path, headers=headers)
    return await client.request(method, path, json=body, headers=headers)


def details_of(error: grpc.aio.AioRpcError) -> dict[type[Message], Any]:
    """The details of a status, by their kind."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # has what a call has
    assert status is not None
    found: dict[type[Message], Any] = {}
    for each in status.details:
        for kind in (ErrorInfo, BadRequest, RetryInfo):
            if each.Is(kind.DESCRIPTOR):
                found[kind] = kind()
                each.Unpack(found[kind])
    return found


@pytest.mark.parametrize(("method", "request_", "http", "path", "body"), READING)
async def test_an_answer_is_the_one_of_rest(
    over_grpc: Api, client: httpx.AsyncClient, method: str, request_: Message, http: str, path: str, body: Any
) -> None:
    rest = await over_http(client, http, path, body)
    found = await over_grpc.call(method, request_)
    assert rest.status_code == 200, rest.text
    expected = ParseDict(rest.json(), OPERATIONS[method].response())
    for name in OF_ONE_ANSWER:
        if name in expected.DESCRIPTOR.fields_by_name:
            assert getattr(found, name)
            setattr(expected, name, getattr(found, name))
    if method == "RecommendLists":
        for ours, theirs in zip(found.lists, expected.lists, strict=True):
            assert ours.list_id != theirs.list_id
            theirs.list_id = ours.list_id
    assert found == expected


@pytest.mark.parametrize(("method", "request_", "http", "path", "body"), READING)
async def test_a_method_asks_the_services_what_rest_asks_them(
    over_grpc: Api,
    client: httpx.AsyncClient,
    received: list[Message],
    method: str,
    request_: Message,
    http: str,
    path: str,
    body: Any,
) -> None:
    same_seed = {"X-Request-ID": "same"}
    await over_http(client, http, path, body, same_seed)
    by_rest = [*received]
    received.clear()
    await over_grpc.call(method, request_, x_request_id="same")
    assert by_rest
    assert received == by_rest


async def test_further_pages_go_on_over_either_api(over_grpc: Api, client: httpx.AsyncClient) -> None:
    first = await over_grpc.call("Recommend", api.RecommendRequest(user_id="7", count=4, paginate=True))
    second = await over_http(client, "POST", "", {"cursor": first.next_cursor, "count": 4})
    third = await over_grpc.call("Recommend", api.RecommendRequest(cursor=second.json()["next_cursor"], count=4))
    ids = [item.item_id for item in first.items] + [item["item_id"] for item in second.json()["items"]]
    ids += [item.item_id for item in third.items]
    assert len(ids) == len(set(ids)) == 12


@pytest.mark.parametrize(("method", "request_", "http", "path", "body"), REFUSED)
async def test_a_refusal_says_what_rest_says(
    over_grpc: Api, client: httpx.AsyncClient, method: str, request_: Message, http: str, path: str, body: Any
) -> None:
    rest = await over_http(client, http, path, body)
    error = await over_grpc.refusal(method, request_)
    assert error.details() == rest.json()["detail"]
    expected = grpc.StatusCode.NOT_FOUND if rest.status_code == 404 else grpc.StatusCode.INVALID_ARGUMENT
    assert error.code() is expected
    details = details_of(error)
    assert details[ErrorInfo].metadata["http_status"] == str(rest.status_code)
    wrong = [one["location"] for one in rest.json().get("errors", [])]
    wrong += [f"events[{one['index']}]" for one in rest.json().get("rejected", [])]
    assert [one.field for one in details.get(BadRequest, BadRequest()).field_violations] == wrong


@pytest.mark.parametrize(
    ("method", "request_", "said"),
    [
        ("Recommend", b"\xff", "expected the message RecommendRequest, found other bytes"),
        ("ListSimilarItems", api.ListSimilarItemsRequest(), "item_id: expected a value, found none"),
        ("ListBoughtTogether", api.ListBoughtTogetherRequest(), "item_id: expected a value, found none"),
        ("EraseUser", api.EraseUserRequest(), "user_id: expected a value, found none"),
        ("LookUpItems", api.LookUpItemsRequest(), "item_ids: expected 1 or more, found 0"),
        (
            "PostEvents",
            api.PostEventsRequest(events=[api.ShopEvent(timestamp=Timestamp(seconds=1 << 60))]),
            "timestamp: expected one of the years 1 to 9999",
        ),
        (
            "ChangeItems",
            CHANGES(changes=[{"item_id": "x", "patch": {"title": "a", "clear": ["title"]}}]),
            "changes: 'title' is given and cleared; expected one of both",
        ),
    ],
)
async def test_what_only_a_message_can_say_wrong_is_refused(
    over_grpc: Api, method: str, request_: Message | bytes, said: str
) -> None:
    error = await over_grpc.refusal(method, request_)
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, said)


async def test_a_long_refusal_arrives_cut(over_grpc: Api) -> None:
    error = await over_grpc.refusal("ListSimilarItems", api.ListSimilarItemsRequest(item_id="ä" * 40_000))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    named = "日" * 15_000
    patch = CHANGES.Patch(attributes={named: "x"}, clear_attributes=[named])
    error = await over_grpc.refusal("ChangeItems", CHANGES(changes=[{"item_id": "x", "patch": patch}]))
    assert error.code() is INVALID_ARGUMENT
    many = api.PostEventsRequest(events=[api.ShopEvent(type="ä" * 60, item_id="x", user_id="7")] * 500)
    error = await over_grpc.refusal("PostEvents", many)
    assert (error.details() or "").endswith("; and 499 more, see rejected")
    assert 1 < len(details_of(error)[BadRequest].field_violations) < 20


async def test_a_request_above_the_limit_and_a_method_that_is_not_there_are_refused(over_grpc: Api) -> None:
    error = await over_grpc.refusal("Recommend", api.RecommendRequest(cursor="x" * MOST_BYTES))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await over_grpc.refusal("None", b"")).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_events_over_grpc_count_at_once_over_both(over_grpc: Api, client: httpx.AsyncClient) -> None:
    event = api.ShopEvent(
        event_id="e1", user_id="new", item_id="item-02", type="purchase", timestamp=Timestamp(seconds=1_700_000_000)
    )
    events = api.PostEventsRequest(events=[event, api.ShopEvent(item_id="x", type="y", session_id="s")])
    outcome = await over_grpc.call("PostEvents", events)
    again = await over_grpc.call("PostEvents", events)
    assert (outcome.accepted, outcome.duplicates, again.duplicates, [*outcome.event_ids]) == (1, 0, 1, ["e1"])
    assert [(one.index, one.reason[:5]) for one in outcome.rejected] == [(1, "type:")]
    rest = (await client.get("/v1/users/new/history")).json()
    assert ("item-02", "purchase", "2023-11-14T22:13:20Z") in [
        (item["item_id"], item["event_type"], item["last_event_at"]) for item in rest["items"]
    ]


async def test_a_session_becomes_its_user_s(over_grpc: Api) -> None:
    await over_grpc.call(
        "PostEvents", api.PostEventsRequest(events=[api.ShopEvent(session_id="s", item_id="item-02", type="view")])
    )
    merged = await over_grpc.call("MergeSession", api.MergeSessionRequest(user_id="new", session_id="s"))
    assert merged == api.MergeSessionResponse(user_id="new", session_id="s", moved_events=1)
    answer = await over_grpc.call("Recommend", api.RecommendRequest(session_id="s"))
    assert answer.subject.user_id == "new"


async def test_items_change_over_grpc(over_grpc: Api, client: httpx.AsyncClient, live: LiveShop) -> None:
    put = CHANGES.Put(
        title="New", category="Home", price=3, attributes={"brand": "A", "colour": "red"}, vector=[0.5, -1]
    )
    done = await over_grpc.call(
        "ChangeItems", CHANGES(changes=[{"item_id": "n", "put": put}, {"item_id": "item-01", "delete": {}}])
    )
    assert [(item.item_id, item.deleted, item.HasField("updated_at")) for item in done.items] == [
        ("n", False, True),
        ("item-01", True, True),
    ]
    record = live.record("n")
    assert record is not None
    assert record.fields["vector"] == packed([0.5, -1])
    patch = CHANGES.Patch(price=2, available=False, clear=["category"], clear_attributes=["colour"])
    await over_grpc.call("ChangeItems", CHANGES(changes=[{"item_id": "n", "patch": patch}]))
    rest = (await client.get("/v1/items/n")).json()
    assert (rest["title"], rest["category"], rest["price"], rest["available"]) == ("New", None, 2.0, False)
    assert rest["attributes"] == {"brand": "A"}
    page = await over_grpc.call("LookUpItems", api.LookUpItemsRequest(item_ids=["n", "item-01"]))
    assert [item.item_id for item in page.items] == ["n"]
    assert MessageToDict(page.items[0], preserving_proto_field_name=True)["attributes"] == {"brand": "A"}


async def test_a_user_is_erased_over_grpc(over_grpc: Api, client: httpx.AsyncClient) -> None:
    erased = await over_grpc.call("EraseUser", api.EraseUserRequest(user_id="7"))
    assert len(erased.user_hash) == 64
    assert not erased.HasField("lake_rows")
    report = await over_grpc.call("GetErasure", api.GetErasureRequest(user_id="7"))
    assert report == ParseDict((await client.get("/v1/users/7/erasure")).json(), api.ErasureReport())


SCOPES = {"PostEvents": EVENTS, "MergeSession": EVENTS, "ChangeItems": ADMIN, "EraseUser": ADMIN, "GetErasure": ADMIN}
SMALL: dict[str, Message] = {
    "MergeSession": api.MergeSessionRequest(user_id="7", session_id="s"),
    "ListSimilarItems": api.ListSimilarItemsRequest(item_id="item-01"),
    "ListBoughtTogether": api.ListBoughtTogetherRequest(item_id="item-01"),
    "ListHistory": api.ListHistoryRequest(user_id="7"),
    "LookUpItems": api.LookUpItemsRequest(item_ids=["item-01"]),
    "EraseUser": api.EraseUserRequest(user_id="7"),
    "GetErasure": api.GetErasureRequest(user_id="7"),
}


@pytest.mark.parametrize("method", OPERATIONS)
async def test_a_method_asks_for_its_key(keyed: FastAPI, over_grpc: Api, method: str) -> None:
    request = SMALL.get(method) or OPERATIONS[method].request()
    right = SCOPES.get(method, READ)
    wrong = ADMIN if right != ADMIN else READ
    for key, code, words in [
        ("", grpc.StatusCode.UNAUTHENTICATED, "expected an API key: Authorization: Bearer KEY"),
        ("rk_nobodys", grpc.StatusCode.UNAUTHENTICATED, "this API key is unknown or has expired"),
        (wrong, grpc.StatusCode.PERMISSION_DENIED, "this API key does not have the scope"),
    ]:
        error = await over_grpc.refusal(method, request, key)
        assert error.code() is code
        assert (error.details() or "").startswith(words)
    # let in, and the request is looked at
    assert await over_grpc.code(method, request, right) in (OK, INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


async def test_a_key_s_rate_is_one_for_both_apis(keyed: FastAPI, over_grpc: Api, client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/items/popular", headers={"Authorization": f"Bearer {SLOW}"})).status_code == 200
    error = await over_grpc.refusal("ListPopularItems", api.ListPopularItemsRequest(), SLOW)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "this API key asks more often than it may"
    assert 0 < details_of(error)[RetryInfo].retry_delay.seconds <= 3600


@pytest.mark.parametrize(
    "failing", [["Rerank"], ["GetCandidates", "GetSimilarItems", "GetPopularItems", "Rerank", "GetItems"]]
)
@pytest.mark.parametrize("learned", [True, False])
async def test_a_service_that_fails_has_the_fallback_of_rest(
    app: FastAPI, over_grpc: Api, client: httpx.AsyncClient, failures: Failures, failing: list[str], learned: bool
) -> None:
    if learned:
        popular: PopularList = app.state.parts.popular
        await popular.learn(app.state.parts.clients)
    failures.update(dict.fromkeys(failing, UNAVAILABLE))
    for method, request, http, path, body in (READING[0], READING[6], READING[7]):
        rest = (await over_http(client, http, path, body)).json()
        if "level" in rest:
            found = await over_grpc.call(method, request)
            assert found.level == rest["level"] != "full"
            assert [item.item_id for item in found.items] == [item["item_id"] for item in rest["items"]]
        else:
            error = await over_grpc.refusal(method, request)
            assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, rest["detail"])
            assert details_of(error)[RetryInfo].retry_delay.seconds == 2


async def test_a_call_has_its_id_and_one_line_in_the_log(
    over_grpc: Api, request_ids: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.http.request_context")
    call = over_grpc.call("ListSimilarItems", api.ListSimilarItemsRequest(item_id="item-01"), x_request_id="abc")
    await call
    assert ("x-request-id", "abc") in tuple(await call.trailing_metadata())
    assert set(request_ids) == {"abc"}
    [line] = [record for record in caplog.records if record.getMessage() == "request"]
    assert vars(line)["rpc"] == f"/{SERVICE}/ListSimilarItems"
    assert (vars(line)["route"], vars(line)["status"]) == ("/v1/items/{item_id}/similar", 200)


async def test_too_many_at_once_are_refused_and_what_a_caller_left_is_done_to_its_end() -> None:
    go_on, began, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        began.set()
        await go_on.wait()
        ended.set()

    async for over_grpc in served(AdmissionMiddleware(waits, max_in_flight=1)):
        left = over_grpc.call("ListPopularItems", api.ListPopularItemsRequest())
        await began.wait()
        error = await over_grpc.refusal("ListPopularItems", api.ListPopularItemsRequest())
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == "too many requests are being answered already"
        left.cancel()
        go_on.set()
        await asyncio.wait_for(ended.wait(), 20)


async def test_a_call_in_flight_ends_before_the_server() -> None:
    go_on, began = asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        began.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"artifact_version": "v9", "items": [], "level": "full"}'})

    server = GrpcServer(waits, tls=None, max_bytes=MOST_BYTES, max_in_flight=1)
    port = await server.start(host="127.0.0.1", port=0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = asyncio.ensure_future(Api(channel).answer("ListPopularItems", api.ListPopularItemsRequest()))
        await began.wait()
        stopping = asyncio.ensure_future(server.stop(grace_s=20))
        await asyncio.sleep(0)
        go_on.set()
        assert (await call).artifact_version == "v9"
        await stopping


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValueError, match="grpc_tls_certificate and grpc_tls_key: expected both or none, found one"):
        Settings(grpc_tls_certificate=Path("server.pem"))


async def test_a_port_that_is_taken_is_said(app: FastAPI) -> None:
    first, second = (GrpcServer(app, tls=None, max_bytes=MOST_BYTES, max_in_flight=1) for _ in range(2))
    port = await first.start(host="127.0.0.1", port=0)
    with pytest.raises(InvalidArgumentError, match=f"expected a free address to listen on, found 127.0.0.1:{port}"):
        await second.start(host="127.0.0.1", port=port)
    await first.stop(grace_s=0)


async def test_the_server_says_that_it_serves(over_grpc: Api) -> None:
    health: Any = health_pb2_grpc.HealthStub(over_grpc.channel)
    for service in ("", SERVICE):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


PAIRS: list[tuple[Any, type[Message]]] = [
    (schemas.Recommendations, api.RecommendResponse),
    (schemas.SubjectOut, api.RecommendResponse.Subject),
    (schemas.Fill, api.RecommendResponse.Fill),
    (schemas.ArmOut, api.RecommendResponse.Experiment),
    (schemas.RankedItems, api.ItemList),
    (schemas.RankedItem, api.ListedItem),
    (schemas.Explanation, api.PlaceExplanation),
    (schemas.SourceRank, api.PlaceExplanation.SourceRank),
    (schemas.BlendTerm, item_pb2.BlendTerm),
    (schemas.Contribution, item_pb2.Contribution),
    (schemas.EventOutcome, api.PostEventsResponse),
    (schemas.RejectedEvent, api.PostEventsResponse.Rejected),
    (schemas.MergedSession, api.MergeSessionResponse),
    (schemas.History, api.ListHistoryResponse),
    (schemas.HistoryItem, api.ListHistoryResponse.HadItem),
    (schemas.RecentlyViewed, api.ListRecentlyViewedResponse),
    (schemas.Lists, api.RecommendListsResponse),
    (schemas.NamedList, api.RecommendListsResponse.NamedList),
    (schemas.CategoryPage, api.CategoryPage),
    (schemas.Category, api.CategoryPage.Category),
    (schemas.ItemPage, api.ItemPage),
    (schemas.Item, item_pb2.Item),
    (schemas.ItemChangesDone, api.ChangeItemsResponse),
    (schemas.ChangedItem, api.ChangeItemsResponse.Changed),
    (schemas.ErasureReport, api.ErasureReport),
    (requests.RecommendationRequest, api.RecommendRequest),
    (requests.Filter, item_pb2.Filter),
    (requests.Blend, api.RecommendRequest.Blend),
    (requests.Diversity, api.RecommendRequest.Diversity),
    (requests.Rule, api.RecommendRequest.Rule),
    (requests.ListsRequest, api.RecommendListsRequest),
    (requests.WantedList, api.RecommendListsRequest.WantedList),
    (requests.EventIn, api.ShopEvent),
    (requests.ItemPut, CHANGES.Put),
    (requests.ItemPatch, CHANGES.Patch),
    (requests.SessionToMerge, api.MergeSessionRequest),
]
# a name of a version before; a list in place of a switch; what JSON says with null; what stands in a path
ONLY_IN_REST = {"ShopEvent.request_id"}
ONLY_IN_GRPC = {
    "RecommendRequest.exclude_seen_types",
    "Patch.clear",
    "Patch.clear_attributes",
    "MergeSessionRequest.user_id",
}


@pytest.mark.parametrize(("model", "message"), PAIRS)
async def test_a_message_has_the_fields_of_its_json(model: Any, message: type[Message]) -> None:
    """Where this fails, the field is to be added to protos/recsys/v1/recommendation_service.proto: `make protos`."""
    kind = message.DESCRIPTOR.name
    in_rest = {f"{kind}.{name}" for name in model.model_fields} - ONLY_IN_REST
    assert in_rest == {f"{kind}.{name}" for name in message.DESCRIPTOR.fields_by_name} - ONLY_IN_GRPC
