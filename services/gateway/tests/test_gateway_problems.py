"""Every error is one shape, says what it may and hides what it must."""

from dataclasses import replace

import grpc
import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message
from grpc import StatusCode

from gateway.clients import Clients, RerankerClient
from gateway.deadline import Deadline

pytestmark = pytest.mark.anyio

SECRET = "ipv4:10.0.0.7:50051 /srv/model"


@pytest.mark.parametrize(
    ("code", "status", "retry_after"),
    [
        (StatusCode.INVALID_ARGUMENT, 400, None),
        (StatusCode.NOT_FOUND, 404, None),
        (StatusCode.RESOURCE_EXHAUSTED, 429, "1"),
        (StatusCode.INTERNAL, 500, None),
        (StatusCode.UNKNOWN, 500, None),
        (StatusCode.UNIMPLEMENTED, 500, None),
        (StatusCode.FAILED_PRECONDITION, 503, "1"),
        (StatusCode.UNAVAILABLE, 503, "2"),
        (StatusCode.DEADLINE_EXCEEDED, 504, None),
    ],
)
@pytest.mark.parametrize("call", ["GetCandidates", "GetHistory"])
async def test_a_failed_call_becomes_its_http_status(
    client: httpx.AsyncClient,
    failures: dict[str, tuple[StatusCode, str]],
    call: str,
    code: StatusCode,
    status: int,
    retry_after: str | None,
) -> None:
    failures[call] = (code, SECRET)

    path = "recommendations" if call == "GetCandidates" else "history"
    response = await client.get(f"/v1/users/7/{path}")

    assert response.status_code == status
    assert response.headers.get("retry-after") == retry_after
    assert_is_problem(response)
    # Only of what the caller did wrong are the service's own words passed on.
    assert (SECRET in response.text) == (status in (400, 404))


async def test_services_that_cannot_be_reached_are_unavailable(client: httpx.AsyncClient, app: FastAPI) -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nobody:
        app.state.parts = replace(
            app.state.parts, clients=replace(app.state.parts.clients, reranker=RerankerClient(nobody))
        )

        response = await client.get("/v1/items/7")

    assert response.status_code == 503
    assert "127.0.0.1" not in response.text


async def test_no_time_left_is_a_deadline_exceeded_without_a_call(app: FastAPI, received: list[Message]) -> None:
    clients: Clients = app.state.parts.clients

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await clients.candidate_gen.get_model(timeout_s=Deadline.after(-0.001).remaining_s())

    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert received == []


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/v1/users/7/recommendations?count=0", "query.count"),
        ("/v1/users/7/recommendations?count=101", "query.count"),
        ("/v1/users/7/recommendations?count=many", "query.count"),
        ("/v1/users/7/recommendations?include_seen=perhaps", "query.include_seen"),
        ("/v1/items/popular?count=-1", "query.count"),
        ("/v1/items?page_size=1e9", "query.page_size"),
        ("/v1/users/7/history?count=99999999999999999999", "query.count"),
    ],
)
async def test_a_parameter_that_cannot_be_is_named(
    client: httpx.AsyncClient, received: list[Message], path: str, location: str
) -> None:
    response = await client.get(path)

    assert response.status_code == 422
    assert_is_problem(response)
    assert [field["location"] for field in response.json()["errors"]] == [location]
    assert location in response.json()["detail"]
    assert received == []


@pytest.mark.parametrize(
    ("body", "content_type", "detail"),
    [
        (
            "count=1",
            "application/x-www-form-urlencoded",
            "header.Content-Type: expected application/json, found application/x-www-form-urlencoded",
        ),
        ('{"count": 1}', "", "header.Content-Type: expected application/json, found none"),
        ('{"count": 1', None, "body: expected JSON, found \"Expecting ',' delimiter\" at character 11"),
        ("", None, "body: expected a value, found none"),
        ("[]", None, "body: expected keys with values, found []"),
        ('{"count": 0}', None, "body.count: Input should be greater than or equal to 1, found 0"),
        ('{"count": "2"}', None, "body.count: Input should be a valid integer, found '2'"),
        ('{"user": "7"}', None, "body.user: expected one of user_id, session_id,"),
        (
            '{"filter": {"category": "Home"}}',
            None,
            "body.filter.category: expected one of categories, exclude_categories,",
        ),
        (
            '{"exclude_seen": "yes"}',
            None,
            "body.exclude_seen: expected true, false, or 1 to 20 types of events, found 'yes'",
        ),
        ('{"user_id": "a", "session_id": "b"}', None, "body: give one of user_id and session_id"),
        ("[" * 100_000, None, "body: expected JSON, found lists or objects too deep within each other"),
        (b'{"user_id": "M\xfcller"}', None, "body: expected JSON in UTF-8, found other bytes"),
    ],
    ids=[
        "form",
        "no_content_type",
        "half",
        "nothing",
        "list",
        "too_few",
        "text",
        "unknown",
        "unknown_below",
        "union",
        "both",
        "deep",
        "latin_1",
    ],
)
async def test_a_body_that_cannot_be_is_told_with_what_was_expected_and_found(
    client: httpx.AsyncClient, body: str | bytes, content_type: str | None, detail: str
) -> None:
    headers = {"Content-Type": "application/json" if content_type is None else content_type}

    response = await client.post("/v1/recommendations", content=body, headers=headers)

    assert response.status_code in (400, 422)
    assert_is_problem(response)
    assert response.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("method", "path", "location"),
    [
        ("GET", "/v1/users/M%FCller/recommendations", "path"),
        ("GET", "/v1/users/M%FCller/history", "path"),
        ("DELETE", "/v1/users/M%FCller", "path"),
        ("PUT", "/v1/items/M%FCller", "path"),
        ("GET", "/v1/items?ids=M%FCller", "query"),
        ("GET", "/v1/recently-viewed?user_id=M%FCller", "query"),
    ],
)
async def test_an_id_in_another_encoding_than_utf_8_is_refused_and_not_taken_for_another(
    client: httpx.AsyncClient, method: str, path: str, location: str
) -> None:
    response = await client.request(method, path)

    assert response.status_code == 422
    assert_is_problem(response)
    assert response.json()["detail"].startswith(f"{location}: expected UTF-8, percent-encoded, found %FC at byte ")


@pytest.mark.parametrize("path", ["/v1/users/%EF%BF%BD/recommendations", "/v1/users/%EF%BF%BD/history"])
async def test_the_replacement_character_itself_is_an_id_like_any_other(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_probe_may_ask_for_the_head_alone(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.head(path)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/users/7", "/v1/users/", "/v1/items/", "/readyz/"])
async def test_a_route_that_does_not_exist_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert_is_problem(response)


async def test_a_method_that_is_not_allowed_says_which_one_is(client: httpx.AsyncClient) -> None:
    response = await client.delete("/v1/model")

    assert response.status_code == 405
    assert response.headers["allow"] == "GET"
    assert response.json()["detail"] == "/v1/model: expected GET, found DELETE"
    assert_is_problem(response)


async def test_an_unexpected_error_tells_nothing_but_its_id(client: httpx.AsyncClient, app: FastAPI) -> None:
    async def broken() -> None:
        raise RuntimeError(SECRET)

    app.add_api_route("/broken", broken)
    response = await client.get("/broken", headers={"X-Request-ID": "abc"})

    assert response.status_code == 500
    assert_is_problem(response)
    assert response.json()["request_id"] == "abc"
    assert SECRET not in response.text


async def test_the_instance_is_the_path_as_it_was_asked_for(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/items/missing%2F%C3%A4/similar?count=0")

    assert response.json()["instance"] == "/v1/items/missing%2F%C3%A4/similar"


def assert_is_problem(response: httpx.Response) -> None:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail", "instance", "request_id"}
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.url.raw_path.decode().partition("?")[0]
    assert problem["request_id"] == response.headers["x-request-id"]
