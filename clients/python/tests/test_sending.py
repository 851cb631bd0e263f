"""How calls are sent: retries, errors, keys, ids in paths, and what is made of an answer."""

import json
from collections.abc import Callable
from datetime import datetime, timezone

import httpx
import pytest

from recsys_client import (
    AccessError,
    AsyncClient,
    Client,
    Event,
    InvalidRequestError,
    NoAnswerError,
    NotFoundError,
    ProblemError,
    Retries,
    TooManyRequestsError,
    UnavailableError,
    UnexpectedAnswerError,
)
from recsys_client.testing import FakeGateway

Handler = Callable[[httpx.Request], httpx.Response]
PROBLEM = {"type": "about:blank", "title": "T", "detail": "D", "instance": "/v1/x", "request_id": "r-1"}
POPULAR = {"artifact_version": "v1", "items": [], "level": "full", "degraded": False}


class Script:
    """Answers in turn, the last one again and again; what was asked and how long was waited."""

    def __init__(self, *answers: httpx.Response | httpx.RequestError) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits_s: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.RequestError):
            raise answer
        return answer

    def client(self, **options: object) -> Client:
        transport = httpx.MockTransport(self)
        return Client("http://api", transport=transport, sleep=self.waits_s.append, **options)  # type: ignore[arg-type]


def problem(status: int, headers: dict[str, str] | None = None, **more: object) -> httpx.Response:
    return httpx.Response(status, json=PROBLEM | {"status": status} | more, headers=headers)


def good() -> httpx.Response:
    return httpx.Response(200, json=POPULAR)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_help_is_asked_again_under_the_same_request_id(status: int) -> None:
    script = Script(problem(status), problem(status), good())
    assert script.client().get_popular_items().level == "full"
    assert len(script.requests) == 3
    assert len({request.headers["X-Request-ID"] for request in script.requests}) == 1
    first, second = script.waits_s
    assert 0.05 <= first <= 0.1 <= second <= 0.2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422, 500])
def test_what_will_not_help_is_not_asked_again(status: int) -> None:
    script = Script(problem(status))
    with pytest.raises(ProblemError) as raised:
        script.client().get_popular_items()
    assert raised.value.status == status
    assert len(script.requests) == 1


def test_retry_after_is_waited_for() -> None:
    script = Script(problem(503, {"Retry-After": "2"}), good())
    script.client().get_popular_items()
    (waited_s,) = script.waits_s
    assert 2 < waited_s <= 2.1


def test_a_retry_after_that_is_too_long_is_told_at_once() -> None:
    script = Script(problem(429, {"Retry-After": "60"}))
    with pytest.raises(TooManyRequestsError) as raised:
        script.client().get_popular_items()
    assert raised.value.retry_after_s == 60
    assert not script.waits_s


def test_a_broken_connection_is_tried_again_and_in_the_end_told_with_the_request_id() -> None:
    script = Script(httpx.ReadTimeout("slow"))
    with pytest.raises(NoAnswerError, match=r"GET http://api/v1/items/popular.*: slow") as raised:
        script.client(retries=Retries(attempts=4)).get_popular_items()
    assert len(script.requests) == 4
    assert raised.value.request_id == script.requests[0].headers["X-Request-ID"]


def test_no_retries_is_one_attempt() -> None:
    script = Script(problem(503))
    with pytest.raises(UnavailableError):
        script.client(retries=Retries(attempts=1)).get_popular_items()
    assert len(script.requests) == 1


def test_an_event_is_sent_again_with_its_own_id_also_by_the_caller() -> None:
    script = Script(problem(503, event_ids=["given by the gateway"]))
    events = [Event(user_id="u", item_id="i", type="view")]
    for _ in range(2):
        with pytest.raises(UnavailableError) as raised:
            script.client().post_events(events)
        assert raised.value.problem.event_ids == ("given by the gateway",)
    sent = [json.loads(request.content)["events"] for request in script.requests]
    assert sent == [[{"item_id": "i", "type": "view", "user_id": "u", "event_id": events[0].event_id}]] * 6


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, AccessError),
        (403, AccessError),
        (404, NotFoundError),
        (413, InvalidRequestError),
        (422, InvalidRequestError),
        (429, TooManyRequestsError),
        (500, ProblemError),
        (503, UnavailableError),
    ],
)
def test_an_error_carries_what_the_api_said(status: int, kind: type[ProblemError]) -> None:
    field = {"location": "query.count", "message": "too many"}
    event = {"index": 3, "event_id": None, "reason": "no type"}
    script = Script(problem(status, errors=[field], rejected=[event]))
    with pytest.raises(ProblemError, match=f"{status} T: D \\(request r-1\\)") as raised:
        script.client().get_popular_items()
    assert type(raised.value) is kind
    said = raised.value.problem
    assert (said.detail, said.instance, said.request_id) == ("D", "/v1/x", "r-1")
    assert said.errors is not None
    assert said.errors[0].location == "query.count"
    assert said.rejected is not None
    assert (said.rejected[0].index, said.rejected[0].reason) == (3, "no type")


def test_an_error_of_a_proxy_is_told_too() -> None:
    script = Script(httpx.Response(502, text="<h1>Bad Gateway</h1>"))
    with pytest.raises(UnavailableError, match="502 Bad Gateway: <h1>"):
        script.client().get_popular_items()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"artifact_version": "v1", "level": "full", "degraded": False}, "expected items, found nothing"),
        (POPULAR | {"degraded": "no"}, "RankedItems.degraded: expected bool, found 'no'"),
        (POPULAR | {"items": [7]}, "RankedItems.items: expected dict, found 7"),
        ([], "expected dict"),
    ],
)
def test_an_answer_that_is_not_the_documented_one_is_told_by_its_field(answer: object, said: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=said):
        Script(httpx.Response(200, json=answer)).client().get_popular_items()


def test_text_in_place_of_json_is_unexpected() -> None:
    with pytest.raises(UnexpectedAnswerError):
        Script(httpx.Response(200, text="<html>")).client().get_popular_items()


def test_new_fields_and_levels_of_a_newer_api_do_no_harm() -> None:
    newer = POPULAR | {"level": "stale", "shelf": {"a": 1}}
    assert Script(httpx.Response(200, json=newer)).client().get_popular_items().level == "stale"


def test_the_key_is_shown_and_a_path_in_front_is_kept() -> None:
    script = Script(good())
    with Client("https://shop.example/recs/", api_key="rk_1", transport=httpx.MockTransport(script)) as client:
        client.get_popular_items(count=3, category=["Home & Garden", "Toys"])
    (request,) = script.requests
    assert request.headers["Authorization"] == "Bearer rk_1"
    expected = "https://shop.example/recs/v1/items/popular?count=3&category=Home+%26+Garden&category=Toys"
    assert str(request.url) == expected


@pytest.mark.parametrize("item_id", ["a/b", "..", "a%2Fb", "?x=1#y", "日本語", "line\nbreak", " 7 "])
def test_an_id_travels_as_one_segment_of_the_path(item_id: str) -> None:
    script = Script(problem(404))
    with pytest.raises(NotFoundError):
        script.client().get_similar_items(item_id)
    path = script.requests[0].url.raw_path.partition(b"?")[0].decode()
    assert path.count("/") == 4
    assert ".." not in path
    assert script.requests[0].url.path == f"/v1/items/{item_id}/similar"


@pytest.mark.parametrize("item_id", ["popular", "x/similar", "x/bought-together", ""])
def test_an_id_without_a_path_of_its_own_is_told_before_it_is_sent(item_id: str) -> None:
    script = Script(good())
    with pytest.raises(ValueError, match=r"item|id"):
        script.client().get_item(item_id)
    assert not script.requests


def test_more_than_an_address_can_hold_is_told_before_it_is_sent() -> None:
    script = Script(good())
    with pytest.raises(ValueError, match=r"GET /v1/items: .*; ask for fewer ids at once"):
        script.client().get_items(["🛒" * 512] * 100)
    assert not script.requests


def test_an_answer_that_cannot_be_unpacked_is_no_answer() -> None:
    broken = httpx.DecodingError("not gzip")
    with pytest.raises(NoAnswerError, match="not gzip"):
        Script(broken).client().get_popular_items()


def test_a_patch_says_what_it_was_given_and_none_takes_away() -> None:
    script = Script(httpx.Response(200, json={"changed": 0, "items": []}))
    script.client().patch_item("a", price=None, attributes={"brand": None})
    script.client().patch_item("a", available=False)
    script.client().put_item("a", title="Mug", price=2)
    assert [json.loads(request.content) for request in script.requests] == [
        {"price": None, "attributes": {"brand": None}},
        {"available": False},
        {"title": "Mug", "price": 2},
    ]


def test_a_moment_is_read_and_sent_with_its_zone() -> None:
    report = {"changed": 1, "items": [{"item_id": "a", "deleted": False, "updated_at": "2025-01-02T03:04:05.000006Z"}]}
    script = Script(httpx.Response(200, json=report))
    done = script.client().put_item("a")
    assert done.items[0].updated_at == datetime(2025, 1, 2, 3, 4, 5, 6, timezone.utc)


@pytest.mark.anyio
async def test_the_asyncio_client_retries_and_waits_alike() -> None:
    gateway = FakeGateway()
    gateway.fail(503, retry_after_s=1)
    waits_s: list[float] = []

    async def wait(seconds: float) -> None:
        waits_s.append(seconds)

    async with AsyncClient("http://api", transport=gateway.transport, sleep=wait) as client:
        assert (await client.get_popular_items()).items == ()
    assert len(gateway.requests) == 2
    assert 1 < waits_s[0] <= 1.1


@pytest.mark.anyio
async def test_the_asyncio_client_raises_alike() -> None:
    gateway = FakeGateway()
    gateway.fail(503, times=3)
    client = gateway.async_client()
    with pytest.raises(UnavailableError):
        await client.get_popular_items()
    with pytest.raises(NotFoundError):
        await client.get_item("nothing")
    assert len(gateway.requests) == 4
    await client.close()


@pytest.mark.anyio
async def test_the_asyncio_client_turns_pages() -> None:
    async with FakeGateway().async_client() as client:
        for number in range(5):
            await client.put_item(f"item-{number}")
        pages = [page async for page in client.item_pages(page_size=2)]
        lists = [page async for page in client.recommendation_pages(count=3)]
    assert [[item.item_id for item in page.items] for page in pages] == [
        ["item-0", "item-1"],
        ["item-2", "item-3"],
        ["item-4"],
    ]
    assert [len(page.items) for page in lists] == [3, 2]


@pytest.mark.parametrize("kind", [Client, AsyncClient], ids=["sync", "async"])
@pytest.mark.parametrize("address", ["nonsense", "localhost:8000", "http://", "http://shop:port", "ftp://shop"])
def test_an_address_that_is_none_is_refused_at_once(kind: type[Client | AsyncClient], address: str) -> None:
    with pytest.raises(ValueError, match=rf"expected an address such as http://127.0.0.1:8000, found '{address}'"):
        kind(address)
