"""Pages of a list: neither repeat nor gap whatever changes in between, and nothing but our own cursors."""

import base64
import hmac
import zlib
from collections.abc import Iterator
from itertools import count, islice
from random import Random
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import requests
from gateway.lists.list_cursors import ListCursors, ListFacts, RestOfList
from gateway.lists.ranked import RankedList
from gateway.schemas import ArmOut, SubjectOut
from gateway.shop.live_shop import LiveShop
from recsys.errors import InvalidArgumentError
from recsys.feature_store.interface import Exposure
from recsys.v1.catalog_service_pb2 import GetItemsRequest
from recsys.v1.item_pb2 import Item, RankedItem
from recsys.v1.reranker_service_pb2 import Remainder

pytestmark = pytest.mark.anyio

RANKED = [f"item-{number:02}" for number in range(19, -1, -1)]  # as the two fakes have it, of 20 candidates
FACTS = ListFacts(
    artifact_version="v1",
    subject=SubjectOut(user_id="7"),
    vector="folded_in",
    matching=2**64 - 1,
    experiment=ArmOut(name="exp", arm="fresh", version_not_held=None),
    level="full",
)
KEY = "of the test's application"
CURSORS = ListCursors(KEY)
VERSIONS = (f"v{number}" for number in count(3))

# What may happen between two pages: somebody does something, an item goes off sale or comes back, a model goes live.
one_step = st.one_of(
    st.tuples(st.just("event"), st.sampled_from(RANKED)),
    st.tuples(st.just("off"), st.sampled_from(RANKED)),
    st.tuples(st.just("on"), st.sampled_from(RANKED)),
    st.tuples(st.just("deleted"), st.sampled_from(RANKED)),
    st.tuples(st.just("model"), st.just("")),
)


@given(pages=st.lists(st.tuples(st.integers(1, 9), st.lists(one_step, max_size=3)), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_neither_repeat_nor_skip_while_everything_changes(
    client: httpx.AsyncClient, held: dict[str, list[str]], pages: list[tuple[int, list[tuple[str, str]]]]
) -> None:
    await restore(client)
    hidden: set[str] = set()
    expected, remaining = [], list(RANKED)
    shown: list[str] = []
    request: dict[str, Any] = {"user_id": "7", "paginate": True}
    for size, steps in [*pages, (100, [])]:
        page = await ask(client, **request, count=size)
        shown += ids(page)
        on_sale = (item_id for item_id in remaining if item_id not in hidden)
        taken = list(islice(on_sale, size))
        expected += taken
        assert page["fill"] == {"asked": size, "returned": len(taken), "matching": 30}
        if page["next_cursor"] is None:
            break
        remaining = remaining[remaining.index(taken[-1]) + 1 :] if taken else remaining
        for step, item_id in steps:
            await happen(client, held, step, item_id)
            hidden = (
                hidden | {item_id} if step in ("off", "deleted") else hidden - {item_id} if step == "on" else hidden
            )
        request = {"cursor": page["next_cursor"]}
    assert shown == expected
    assert page["next_cursor"] is None


async def ask(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post("/v1/recommendations", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


async def restore(client: httpx.AsyncClient) -> None:
    """Everything on sale again."""
    changes = [{"op": "put", "item_id": item_id} for item_id in RANKED]
    await client.post("/v1/items/bulk", json={"changes": changes})


async def happen(client: httpx.AsyncClient, held: dict[str, list[str]], step: str, item_id: str) -> None:
    if step == "event":
        await client.post("/v1/events", json={"user_id": "7", "item_id": item_id, "type": "purchase"})
    elif step == "off":
        await client.put(f"/v1/items/{item_id}", json={"available": False})
    elif step == "on":
        await client.put(f"/v1/items/{item_id}", json={})
    elif step == "deleted":
        await client.delete(f"/v1/items/{item_id}")
    else:
        held["candidate_gen"] = held["reranker"] = [next(VERSIONS)]


async def test_a_further_page_says_of_the_list_what_the_first_one_said(client: httpx.AsyncClient) -> None:
    first = await ask(client, user_id="7", count=19, paginate=True)
    page = await ask(client, cursor=first["next_cursor"])

    assert [(item["item_id"], item["score"], item["sources"]) for item in page["items"]] == [("item-00", 0.0, ["ann"])]
    assert page["fill"] == {"asked": 10, "returned": 1, "matching": 30}
    assert page["next_cursor"] is None
    of_the_page = {"items", "fill", "next_cursor", "list_id", "request_id"}
    assert {key: page[key] for key in page.keys() - of_the_page} == {
        key: first[key] for key in first.keys() - of_the_page
    }
    assert page["list_id"] != first["list_id"]


async def test_a_further_page_is_an_exposure_of_its_own(client: httpx.AsyncClient, live: LiveShop) -> None:
    first = await ask(client, user_id="7", count=2, paginate=True)
    page = await ask(client, cursor=first["next_cursor"], count=2)
    await live.exposures.flush()

    assert live.store is not None
    stream = [each.entry for each in await live.store.read_stream(after_sequence=0, limit=5)]
    (exposure,) = [each for each in stream if isinstance(each, Exposure) and each.list_id == page["list_id"]]
    assert (exposure.list_id, exposure.request_id) == (page["list_id"], page["request_id"])
    assert (exposure.item_ids, exposure.propensities) == (
        ("item-17", "item-16"),
        (1.0, 1.0),
    )
    assert exposure.subject is not None
    assert exposure.subject.id == "7"


async def test_a_page_of_nothing_but_hidden_items_asks_nobody_and_ends_the_list(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    first = await ask(client, user_id="7", count=18, paginate=True)
    for item_id in ("item-01", "item-00"):
        await client.delete(f"/v1/items/{item_id}")
    page = await ask(client, cursor=first["next_cursor"])

    assert (page["items"], page["next_cursor"]) == ([], None)
    assert not [request for request in received if isinstance(request, GetItemsRequest)]


async def test_a_list_without_paginate_has_no_cursor(client: httpx.AsyncClient) -> None:
    assert (await ask(client, user_id="7", count=3))["next_cursor"] is None


async def test_a_page_that_the_catalogue_refuses_is_refused(
    client: httpx.AsyncClient, failures: dict[str, tuple[StatusCode, str]]
) -> None:
    first = await ask(client, user_id="7", count=3, paginate=True)
    failures["GetItems"] = (StatusCode.INVALID_ARGUMENT, "")

    assert (await client.post("/v1/recommendations", json={"cursor": first["next_cursor"]})).status_code == 400


one_list = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), min_size=1), st.floats(-9, 9), st.integers(0, 255), st.floats(0, 1)
    ),
    min_size=1,
)


@given(rows=one_list)
def test_a_cursor_carries_a_list_unchanged(rows: list[tuple[str, float, int, float]]) -> None:
    whole = rest(*rows)
    cursor = CURSORS.encode(whole)

    assert cursor is not None
    assert CURSORS.decode(cursor) == whole


def test_a_list_of_very_long_ids_is_cut_rather_than_given_a_cursor_that_would_be_refused() -> None:
    draw = Random(1)
    long_ids = ["".join(chr(0x4E00 + draw.randrange(20_000)) for _ in range(512)) for _ in range(1000)]
    cursor = CURSORS.encode(rest(*((item_id, 1.0, 2, 1.0) for item_id in long_ids)))

    assert cursor is not None
    assert len(cursor) <= requests.MAX_CURSOR_LENGTH
    kept = CURSORS.decode(cursor).item_ids
    assert kept == long_ids[: len(kept)]
    assert len(kept) >= 100


def rest(*rows: tuple[str, float, int, float]) -> RestOfList:
    item_ids, scores, sources, propensities = (list(column) for column in zip(*rows, strict=True))
    return RestOfList(facts=FACTS, item_ids=item_ids, scores=scores, sources=sources, propensities=propensities)


def packed(content: Any, *, key: str = KEY) -> str:
    """As a cursor is packed and signed."""
    return signed(zlib.compress(orjson.dumps(content)), key=key)


def signed(content: bytes, *, key: str = KEY) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key.encode(), content, "sha256") + content).decode()


def made_up() -> Iterator[Any]:
    """Contents packed and signed as we do it, each wrong in one way; and what was signed otherwise, or not at all."""
    good = rest(("a", 1.0, 2, 1.0), ("b", 0.5, 2, 0.5)).model_dump()
    yield pytest.param(packed(good, key="of another shop"), id="signed with another key")
    yield pytest.param(base64.urlsafe_b64encode(zlib.compress(orjson.dumps(good))).decode(), id="not signed")
    genuine = base64.urlsafe_b64decode(packed(good))
    for place in (0, 31, 32, len(genuine) - 1):
        altered = bytearray(genuine)
        altered[place] ^= 1
        yield pytest.param(base64.urlsafe_b64encode(altered).decode(), id=f"byte {place} altered")
    yield pytest.param(signed(b"no zlib"), id="signed garbage")
    yield pytest.param(packed(good | {"propensities": [1.0, 1.5]}), id="a propensity that is none")
    yield pytest.param(packed(good | {"format": 2}), id="another format")
    yield pytest.param(packed(good | {"scores": [1.0]}), id="lists of different lengths")
    yield pytest.param(packed(good | {"scores": ["1", "2"]}), id="scores that are no numbers")
    yield pytest.param(packed(good | {"item_ids": ["a", 2]}), id="ids that are no text")
    yield pytest.param(packed(good | {"sources": [-1, 2]}), id="sources that are no bit set")
    yield pytest.param(packed(good | {"sources": [2**32, 2]}), id="sources of too many bits")
    yield pytest.param(packed(good | {"facts": {}}), id="no facts")
    yield pytest.param(packed(good | {"surprise": 1}), id="something more")
    yield pytest.param(packed([good]), id="a list")
    many = {"item_ids": ["a"] * 2001, "scores": [1.0] * 2001, "sources": [2] * 2001, "propensities": [1.0] * 2001}
    yield pytest.param(packed(good | many), id="too many items")
    yield pytest.param(packed(good)[:40], id="a torso")
    cursor = base64.urlsafe_b64decode(packed(good))
    yield pytest.param(base64.urlsafe_b64encode(cursor + b"tail").decode(), id="a tail")
    yield from ("", "a", "!", "ä", "\x00", "MTAw", "eJwDAAAAAAE=", "A" * 100_000)


@pytest.mark.parametrize("cursor", [*made_up()])
async def test_a_cursor_that_is_not_ours_is_a_bad_request_and_nothing_is_logged(
    client: httpx.AsyncClient, live: LiveShop, received: list[Message], cursor: str
) -> None:
    response = await client.post("/v1/recommendations", json={"cursor": cursor})

    assert response.status_code == 400
    assert response.json()["detail"] == "the cursor is not one that this API gave out"
    assert received == []
    await live.exposures.flush()
    assert live.store is not None
    assert await live.store.read_stream(after_sequence=0, limit=1) == []


async def test_a_further_page_says_how_probable_each_item_was(app: FastAPI, client: httpx.AsyncClient) -> None:
    cursor = app.state.parts.cursors.encode(rest(("item-03", 1.0, 2, 0.25), ("item-02", 0.5, 2, 1.0)))
    page = await ask(client, cursor=cursor)
    await app.state.parts.live.exposures.flush()
    [entry] = await app.state.parts.live.store.read_stream(after_sequence=0, limit=5)

    assert [item["propensity"] for item in page["items"]] == [0.25, 1.0]
    assert entry.entry.propensities == (0.25, 1.0)


@pytest.mark.parametrize(("said", "carried"), [([0.5], 0.5), ([], 1.0)])
def test_a_cursor_carries_what_the_reranker_said_of_chance(said: list[float], carried: float) -> None:
    beyond = RankedItem(item=Item(item_id="a"), score=2.0, sources=[1], propensity=0.25)
    remainder = Remainder(item_ids=["b"], scores=[1.0], sources=[2], propensities=said)

    assert RankedList("v1", [], [beyond], remainder).rest(FACTS).propensities == [0.25, carried]


async def test_replicas_of_one_key_read_each_others_cursors_and_those_of_none_do_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = rest(("a", 1.0, 2, 1.0))
    cursor = ListCursors("key").encode(whole)
    assert cursor is not None
    assert ListCursors("key").decode(cursor) == whole
    assert caplog.messages == []

    cursor = ListCursors().encode(whole)
    assert cursor is not None
    with pytest.raises(InvalidArgumentError):
        ListCursors().decode(cursor)
    assert caplog.messages == ["cursors hold in this process only: GATEWAY_CURSOR_KEY is not set"] * 2


@given(cursor=st.text(max_size=200))
@settings(max_examples=200)
def test_garbage_is_no_cursor(cursor: str) -> None:
    with pytest.raises(InvalidArgumentError):
        CURSORS.decode(cursor)
