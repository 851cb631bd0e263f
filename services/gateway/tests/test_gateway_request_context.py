"""Request ids, from the caller through both hops into every log line; one line a request."""

import io
import json
import logging
from collections.abc import Iterator

import grpc
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from gateway.http.request_context import RequestContextMiddleware
from recsys.observability.logging import JsonFormatter
from recsys.shop.item import ItemRecord

pytestmark = pytest.mark.anyio

ITEM_IDS = [f"item-{number:02}" for number in range(30)]
INTERNAL = grpc.StatusCode.INTERNAL


@pytest.fixture
def registry(app: FastAPI) -> CollectorRegistry:
    """What the application counts."""
    [metrics] = [each.kwargs["metrics"] for each in app.user_middleware if each.cls is RequestContextMiddleware]
    return metrics.registry


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
    assert (line["request_id"], line["method"], line["route"]) == ("abc", "GET", "/v1/items/{item_id}")
    assert line["status"] == 200
    assert line["latency_ms"] >= 0


async def test_no_id_of_a_user_no_path_and_no_search_is_in_the_log(
    client: httpx.AsyncClient, app: FastAPI, log: io.StringIO, failures: dict[str, tuple[grpc.StatusCode, str]]
) -> None:
    for way in ("well", "badly"):
        if way == "badly":
            failures.update(dict.fromkeys(("GetCandidates", "GetHistory", "SearchItems"), (INTERNAL, "words")))
        await client.get("/v1/users/MARK/recommendations")
        await client.get("/v1/users/MARK/history?count=0")
        await client.get("/v1/users/MARK/history")
        await client.get("/v1/user/MARK")
        await client.get("/v1/items", params={"query": "MARK", "category": "MARK"})
        await client.post("/v1/recommendations", json={"session_id": "MARK", "cuont": "MARK"})
        await client.post("/v1/recommendations", json={"session_id": "MARK"})
        await client.post("/v1/events", json={"user_id": "MARK", "item_id": "item-01", "type": "MARK"})
        await client.post("/v1/users/MARK/sessions", json={"session_id": "MARK"})
        await client.delete("/v1/users/MARK")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert len([line for line in lines if line["message"] == "request"]) == 20
    assert "MARK" not in log.getvalue()


async def test_a_list_s_level_and_length_are_in_its_line_and_counted(
    client: httpx.AsyncClient,
    app: FastAPI,
    registry: CollectorRegistry,
    log: io.StringIO,
    failures: dict[str, tuple[grpc.StatusCode, str]],
) -> None:
    first = (await client.post("/v1/recommendations", json={"user_id": "7", "paginate": True, "count": 3})).json()
    second = (await client.post("/v1/recommendations", json={"cursor": first["next_cursor"], "count": 2})).json()
    await client.get("/v1/items/popular?count=4")
    await client.get("/v1/users/7/history")
    await client.get("/v1/users/7/recommendations?count=0")  # no list
    failures["Rerank"] = (grpc.StatusCode.UNAVAILABLE, "unavailable")
    await client.get("/v1/items/item-04/similar?count=1")
    off_sale = {"available": False}
    app.state.parts.live.take(ItemRecord(item_id, 1, False, False, off_sale, 1, 1) for item_id in ITEM_IDS)
    last = (await client.get("/v1/users/7/recommendations")).json()

    lines = [json.loads(line) for line in log.getvalue().splitlines() if json.loads(line)["message"] == "request"]
    assert [(line.get("list_level"), line.get("returned")) for line in lines] == [
        ("full", 3),
        ("full", 2),
        ("full", 4),
        ("full", 2),
        (None, None),
        ("without_rerank", 1),
        ("without_rerank", 0),
    ]
    ids = [each["list_id"] for each in (first, second, last)]
    assert [line.get("list_id") for line in lines] == [*ids[:2], None, None, None, None, ids[2]]
    counted = registry.get_sample_value
    assert counted("recsys_lists_total", {"operation": "recommend", "level": "full"}) == 2
    labels = {"operation": "get_recommendations", "level": "without_rerank"}
    assert (counted("recsys_lists_total", labels), counted("recsys_empty_lists_total", labels)) == (1, 1)


async def test_what_becomes_of_events_of_lists_of_calls_and_of_circuits_is_counted(
    client: httpx.AsyncClient, registry: CollectorRegistry, failures: dict[str, tuple[grpc.StatusCode, str]]
) -> None:
    event = {"user_id": "7", "item_id": "item-01", "type": "view", "event_id": "e1"}
    await client.post("/v1/events", json={"events": [event, event, event | {"type": "hover"}]})
    await client.post("/v1/events", json=event | {"type": "hover"})
    await client.get("/v1/users/7/recommendations?count=4")
    counted = registry.get_sample_value
    events = {
        outcome: counted("recsys_events_total", {"outcome": outcome})
        for outcome in ("accepted", "repeated", "rejected", "unconfirmed")
    }
    assert events == {"accepted": 1, "repeated": 1, "rejected": 2, "unconfirmed": 0}
    of_list = {"operation": "get_recommendations"}
    assert counted("recsys_list_items_asked_total", of_list) == 4
    assert counted("recsys_list_items_total", of_list) == 4
    assert counted("recsys_list_vectors_total", {"vector": "folded_in"}) == 1  # by the event

    failures["GetCandidates"] = (grpc.StatusCode.UNAVAILABLE, "unavailable")
    assert counted("recsys_circuit_open", {"service": "candidate_gen"}) == 0
    for _ in range(6):
        await client.get("/v1/users/7/recommendations")
    assert counted("recsys_circuit_open", {"service": "candidate_gen"}) == 1
    assert counted("recsys_circuit_openings_total", {"service": "candidate_gen"}) == 1
    assert counted("recsys_circuit_open", {"service": "reranker"}) == 0
