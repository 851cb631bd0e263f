"""Items that the shop changes: at once in this process, whatever the follower and the services know."""

from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from gateway.shop.live_shop import LiveShop
from recsys.item_vector import packed
from recsys.shop.item import ItemChange, ItemRecord
from recsys.v1.catalog_service_pb2 import FindUnknownItemsRequest
from recsys.v1.reranker_service_pb2 import RerankRequest

pytestmark = pytest.mark.anyio

Failures = dict[str, tuple[grpc.StatusCode, str]]


async def item(client: httpx.AsyncClient, item_id: str) -> Any:
    response = await client.get(f"/v1/items/{item_id}")
    return response.json() if response.status_code == 200 else response.status_code


async def test_an_item_is_what_was_put_at_once(client: httpx.AsyncClient) -> None:
    await client.put("/v1/items/item-04", json={"title": "New", "attributes": {"brand": "A"}})

    assert await item(client, "item-04") == {
        "item_id": "item-04",
        "title": "New",
        "category": None,
        "price": None,
        "image_url": None,
        "available": True,
        "attributes": {"brand": "A"},
        "artifact_version": "v2",
    }


async def test_of_a_patched_item_what_was_not_given_stays_and_null_takes_away(client: httpx.AsyncClient) -> None:
    before = await item(client, "item-04")
    await client.patch("/v1/items/item-04", json={"price": None, "title": "New", "attributes": {"brand": "B"}})

    assert await item(client, "item-04") == before | {"price": None, "title": "New", "attributes": {"brand": "B"}}


async def test_a_deleted_item_is_not_found_in_no_page_and_cannot_be_patched_until_it_is_put_again(
    client: httpx.AsyncClient,
) -> None:
    await client.delete("/v1/items/item-04")

    assert await item(client, "item-04") == 404
    listed = (await client.get("/v1/items", params={"page_size": 30})).json()
    assert "item-04" not in [each["item_id"] for each in listed["items"]]
    named = (await client.get("/v1/items", params={"ids": ["item-04", "item-05"]})).json()
    assert [each["item_id"] for each in named["items"]] == ["item-05"]
    assert (await client.patch("/v1/items/item-04", json={"available": True})).status_code == 404
    await client.put("/v1/items/item-04", json={"title": "Back"})
    assert (await item(client, "item-04"))["title"] == "Back"


async def test_an_item_can_be_taken_off_sale_while_the_catalogue_cannot_be_asked(
    client: httpx.AsyncClient, failures: Failures, live: LiveShop
) -> None:
    failures["FindUnknownItems"] = (grpc.StatusCode.UNAVAILABLE, "")

    assert (await client.patch("/v1/items/item-04", json={"available": False})).status_code == 200
    assert live.is_hidden("item-04")


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ([("patch", "fresh")], ["fresh"]),
        ([("put", "fresh"), ("patch", "fresh")], []),
        ([("put", "fresh"), ("delete", "fresh"), ("patch", "fresh")], ["fresh"]),
        ([("delete", "item-04"), ("patch", "item-04")], ["item-04"]),
        ([("patch", "item-04"), ("delete", "item-04")], []),
        ([("patch", "item-04"), ("patch", "fresh"), ("patch", "other")], ["fresh", "other"]),
    ],
)
async def test_a_bulk_that_patches_what_does_not_exist_changes_nothing(
    client: httpx.AsyncClient, live: LiveShop, changes: list[tuple[str, str]], lacking: list[str]
) -> None:
    body = {"changes": [{"op": op, "item_id": item_id} for op, item_id in changes]}
    response = await client.post("/v1/items/bulk", json=body)

    assert response.status_code == (404 if lacking else 200)
    assert live.store is not None
    written = await live.store.item_changes(after_sequence=0, limit=10)
    assert bool(written) == (not lacking)
    if lacking:
        assert ", ".join(map(repr, lacking)) in response.json()["detail"]


async def test_a_bulk_without_patches_asks_the_catalogue_nothing(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    await client.post("/v1/items/bulk", json={"changes": [{"op": "put", "item_id": "x"}]})

    assert not [request for request in received if isinstance(request, FindUnknownItemsRequest)]


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"op": "put"}, "body.changes.0.put.item_id"),
        ({"op": "put", "item_id": "x", "price": -1}, "body.changes.0.put.price"),
        ({"op": "put", "item_id": "x", "attributes": {"a": None}}, "body.changes.0.put.attributes.a"),
        ({"op": "put", "item_id": "x", "vector": []}, "body.changes.0.put.vector"),
        ({"op": "put", "item_id": "x", "vector": [1.0] * 4097}, "body.changes.0.put.vector"),
        ({"op": "patch", "item_id": "x", "vector": [1.0, "2"]}, "body.changes.0.patch.vector.1"),
        ({"op": "delete", "item_id": "x", "price": 1}, "body.changes.0.delete.price"),
        ({"op": "upsert", "item_id": "x"}, "body.changes.0"),
    ],
)
async def test_a_change_that_cannot_be_names_its_row_and_nothing_is_changed(
    client: httpx.AsyncClient, live: LiveShop, change: dict[str, Any], location: str
) -> None:
    response = await client.post("/v1/items/bulk", json={"changes": [change, {"op": "put", "item_id": "y"}]})

    assert response.status_code == 422
    assert [error["location"] for error in response.json()["errors"]] == [location]
    assert live.store is not None
    assert await live.store.item_changes(after_sequence=0, limit=10) == []


async def test_a_vector_is_kept_and_in_no_answer(client: httpx.AsyncClient, live: LiveShop) -> None:
    await client.put("/v1/items/x", json={"title": "T", "vector": [3, 0.0, 4e30]})
    record = live.record("x")
    assert record is not None
    assert record.fields == {"title": "T", "vector": packed([3, 0.0, 4e30])}
    assert "vector" not in (await client.get("/v1/items/x")).json()
    for patch, vector in (({"price": 1.0}, record.fields["vector"]), ({"vector": None}, None)):
        await client.patch("/v1/items/x", json=patch)
        patched = live.record("x")
        assert patched is not None
        assert patched.fields["vector"] == vector


async def test_vectors_of_one_request_are_of_one_length(client: httpx.AsyncClient, live: LiveShop) -> None:
    lengths = {"a": 3, "b": 3, "c": 2}
    changes = [{"op": "put", "item_id": name, "vector": [1.0] * length} for name, length in lengths.items()]
    response = await client.post("/v1/items/bulk", json={"changes": [*changes, {"op": "put", "item_id": "d"}]})
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["message"].endswith("vector of item 'c': expected 3 numbers, as item 'a' has, found 2")
    assert live.store is not None
    assert await live.store.item_changes(after_sequence=0, limit=10) == []


async def test_a_follower_that_lags_behind_does_not_bring_back_what_was_just_taken_off_sale(live: LiveShop) -> None:
    assert live.store is not None
    [before] = await live.store.change_items([ItemChange("a", "put", {"available": True})], now_ms=1)
    [after] = await live.store.change_items([ItemChange("a", "patch", {"available": False})], now_ms=2)
    live.take([after])
    live.state.items = {"a": before}  # a page that was read before the change

    assert live.is_hidden("a")
    live.state.items = {"a": after}
    live.take([])  # has arrived: no longer this process's own to know
    live.state.items = {"a": ItemRecord("a", after.sequence + 1, True, False, {"available": True}, 1, 3)}
    assert not live.is_hidden("a")


async def test_a_list_is_filled_up_for_what_the_services_do_not_know_yet(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    for item_id in ("item-19", "item-17", "item-09"):
        await client.delete(f"/v1/items/{item_id}")
    received.clear()
    answer = (await client.post("/v1/recommendations", json={"user_id": "7", "count": 10})).json()

    assert [each["item_id"] for each in answer["items"]] == [
        f"item-{number:02}" for number in (18, 16, 15, 14, 13, 12, 11, 10, 8, 7)
    ]
    # ten, then two more for the two that had to go, then one more for the one among those
    assert [request.count for request in received if isinstance(request, RerankRequest)] == [10, 12, 13]


async def test_a_list_that_cannot_be_filled_says_how_much_of_it_there_is(client: httpx.AsyncClient) -> None:
    await client.delete("/v1/items/item-19")
    answer = (await client.post("/v1/recommendations", json={"user_id": "7", "count": 20})).json()

    assert (len(answer["items"]), answer["fill"]["asked"], answer["fill"]["returned"]) == (19, 20, 19)
