"""The quick way to a list answers as FastAPI's own way through the documented route does, byte for byte."""

import json
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.routes.quick_lists import QuickList, QuickUserList

pytestmark = pytest.mark.anyio

LIST_ID = re.compile(rb'"list_id":"[0-9a-f]{32}"')
QUERIES = [
    "",
    "count=3",
    "count=100",
    "count=007",
    "count=0",
    "count=101",
    "count=-1",
    "count=1.0",
    "count=%31",
    "count=",
    "count",
    "count=3&count=4",
    "count=3&include_seen=true&preview=true",
    "include_seen=1",
    "include_seen=yes",
    "include_seen=TRUE",
    "preview=false&",
    "cuont=3",
    "count=٣",
]
BODIES = [
    b"{}",
    b'{"user_id": "7"}',
    b'{"session_id": "s", "count": 3, "preview": true}',
    b'{"user_id": "7", "filter": {"categories": ["Home"], "max_price": 5}, "exclude_seen": ["purchase"]}',
    b'{"item_ids": ["item-03"], "paginate": true}',
    b'{"user_id": "7", "blend": {"popularity": 1}, "rules": [{"name": "a", "category": "Home", "boost": 2}]}',
    b'{"user_id": "7", "session_id": "s"}',
    b'{"user_id": 7}',
    b'{"count": "3"}',
    b'{"count": 3.0}',
    b'{"count": 1e999}',
    b'{"cuont": 3}',
    b'{"user_id": "7", "user_id": "8"}',
    b'{"user_id": "\\ud800"}',
    b'{"user_id": "7"',
    b'{"count": NaN}',
    b"[]",
    b"null",
    b"",
    b"\xff",
    b"\xef\xbb\xbf{}",
]
JSON = {"content-type": "application/json"}


def quick(app: FastAPI) -> list[Any]:
    return [route for route in app.router.routes if isinstance(route, QuickList | QuickUserList)]


async def both_ways(app: FastAPI, method: str, path: str, **request: Any) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body, of the quick way first. The id of a list is drawn, and is made alike."""
    answers = []
    all_routes = list(app.router.routes)
    for routes in (all_routes, [route for route in all_routes if route not in quick(app)]):
        app.router.routes[:] = routes
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"x-request-id": "both"} | request.get("headers", {})
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.request(method, path, **request | {"headers": headers})
        answers.append((answer.status_code, dict(answer.headers), LIST_ID.sub(b'"list_id":""', answer.content)))
    app.router.routes[:] = all_routes
    return [
        (status, {k: v for k, v in headers.items() if k != "content-length"}, body) for status, headers, body in answers
    ]


@pytest.mark.parametrize("query", QUERIES)
async def test_a_users_list_is_the_same_both_ways(app: FastAPI, query: str) -> None:
    assert len(quick(app)) == 2
    for user_id in ("7", "a/b", "nobody", "ä\n", "x" * 512, "x" * 513, "recommendations"):
        first, second = await both_ways(app, "GET", f"/v1/users/{quote(user_id, safe='')}/recommendations?{query}")
        assert first == second


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("headers", [JSON, {}, {"content-type": "application/json; charset=utf-8"}])
async def test_a_list_is_the_same_both_ways(app: FastAPI, body: bytes, headers: dict[str, str]) -> None:
    first, second = await both_ways(app, "POST", "/v1/recommendations", content=body, headers=headers)
    assert first == second


NAMES = [
    "user_id",
    "session_id",
    "item_ids",
    "count",
    "filter",
    "exclude_seen",
    "diversity",
    "explain",
    "paginate",
    "x",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 200) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["categories", "min_price", "max_price", "mmr_lambda"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(body=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_body_is_answered_the_same_both_ways(app: FastAPI, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    first, second = await both_ways(app, "POST", "/v1/recommendations", content=content, headers=JSON)
    assert first == second


async def test_a_failing_service_and_a_wrong_path_are_the_same_both_ways(app: FastAPI) -> None:
    for method, path in (
        ("HEAD", "/v1/users/7/recommendations"),
        ("POST", "/v1/users/7/recommendations"),
        ("GET", "/v1/users//recommendations"),
        ("GET", "/v1/recommendations"),
        ("POST", "/v1/recommendations?x=1"),
    ):
        first, second = await both_ways(app, method, path)
        assert first == second
