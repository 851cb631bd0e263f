"""Request ids, from the caller through both hops into every log line; one line a request."""

import io
import json
import logging
from collections.abc import Iterator

import httpx
import pytest

from recsys.observability.logging import JsonFormatter

pytestmark = pytest.mark.anyio


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the gateway's loggers write, as the process would write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(service="gateway"))
    logger = logging.getLogger("gateway")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


async def test_the_callers_request_id_comes_back_and_goes_through_both_hops(
    client: httpx.AsyncClient, request_ids: list[str]
) -> None:
    response = await client.get("/v1/users/7/recommendations", headers={"X-Request-ID": "order-4711"})

    assert response.headers["x-request-id"] == "order-4711"
    assert request_ids == ["order-4711", "order-4711"]


@pytest.mark.parametrize("given", [b"", b"a" * 129, b"two words", b"\xff\xfe", b"tab\there", b"\x00"])
async def test_a_request_id_that_could_do_harm_is_replaced(
    client: httpx.AsyncClient, request_ids: list[str], given: bytes
) -> None:
    response = await client.get("/v1/items/popular", headers={b"X-Request-ID": given})

    made = response.headers["x-request-id"]
    assert len(made) == 32
    assert made != given.decode("latin-1")
    assert request_ids == [made, made]


async def test_every_request_has_its_own_id(client: httpx.AsyncClient) -> None:
    first = await client.get("/healthz")
    second = await client.get("/healthz")

    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_a_request_is_one_log_line(client: httpx.AsyncClient, log: io.StringIO) -> None:
    await client.get("/v1/items/a%0Ab", headers={"X-Request-ID": "abc"})

    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert line["message"] == "request"
    assert (line["request_id"], line["method"], line["path"], line["status"]) == ("abc", "GET", "/v1/items/a\nb", 200)
    assert line["latency_ms"] >= 0
