"""A list to look at only, for consoles and tests: the same answer, and nothing of it is stored."""

import hashlib
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from gateway.api_keys import ApiKeys
from gateway.http.access import Access
from gateway.shop.live_shop import LiveShop

pytestmark = pytest.mark.anyio


async def stored(live: LiveShop) -> list[object]:
    assert live.store is not None
    await live.exposures.flush()
    return [each.entry for each in await live.store.read_stream(after_sequence=0, limit=10)]


async def test_a_preview_is_the_same_list_says_what_it_is_and_stores_nothing(
    client: httpx.AsyncClient, live: LiveShop
) -> None:
    body = {"user_id": "7", "count": 3}
    preview = (await client.post("/v1/recommendations", json=body | {"preview": True})).json()
    got = (await client.get("/v1/users/7/recommendations", params={"count": 3, "preview": True})).json()
    assert [preview["preview"], got["preview"]] == [True, True]
    assert await stored(live) == []

    shown = (await client.post("/v1/recommendations", json=body)).json()
    assert shown["preview"] is False
    assert shown["items"] == preview["items"] == got["items"]
    assert len(await stored(live)) == 1


async def test_further_pages_of_a_preview_store_nothing_either(client: httpx.AsyncClient, live: LiveShop) -> None:
    body = {"user_id": "7", "count": 3, "paginate": True, "preview": True}
    first = (await client.post("/v1/recommendations", json=body)).json()
    second = (await client.post("/v1/recommendations", json={"cursor": first["next_cursor"]})).json()
    assert second["preview"] is True
    assert len(second["items"]) > 0
    assert await stored(live) == []


PREVIEW, READ = "rk_preview", "rk_read"


@pytest.fixture
def keyed(app: FastAPI, tmp_path: Path) -> None:
    """The application, now with a key that only looks and one that reads."""
    path = tmp_path / "keys.yaml"
    digests = {name: hashlib.sha256(secret.encode()).hexdigest() for name, secret in (("a", PREVIEW), ("b", READ))}
    path.write_text(
        f"keys:\n- {{name: console, sha256: {digests['a']}, scopes: [preview]}}\n"
        f"- {{name: shop, sha256: {digests['b']}, scopes: [read]}}\n"
    )
    app.state.access = Access(ApiKeys(path))


@pytest.mark.usefixtures("keyed")
async def test_a_key_that_only_looks_stores_nothing_whatever_it_asks_for(
    client: httpx.AsyncClient, live: LiveShop
) -> None:
    looks, reads = ({"Authorization": f"Bearer {secret}"} for secret in (PREVIEW, READ))
    body = {"user_id": "7", "count": 3, "paginate": True}
    lists = {"user_id": "7", "lists": [{"name": "top", "kind": "popular", "count": 3}]}

    first = (await client.post("/v1/recommendations", json=body, headers=looks)).json()
    got = (await client.get("/v1/users/7/recommendations", headers=looks)).json()
    several = (await client.post("/v1/lists", json=lists, headers=looks)).json()
    assert [first["preview"], got["preview"], several["preview"]] == [True, True, True]
    assert await stored(live) == []

    shown = (await client.post("/v1/recommendations", json=body, headers=reads)).json()
    asked = {"cursor": shown["next_cursor"]}
    further = (await client.post("/v1/recommendations", json=asked, headers=looks)).json()
    assert (shown["preview"], further["preview"]) == (False, True)
    assert len(await stored(live)) == 1


@pytest.mark.usefixtures("keyed")
async def test_a_key_that_only_looks_changes_nothing(client: httpx.AsyncClient) -> None:
    looks = {"Authorization": f"Bearer {PREVIEW}"}
    event = {"user_id": "7", "item_id": "item-01", "type": "view"}
    assert (await client.get("/v1/model", headers=looks)).status_code == 200
    assert (await client.post("/v1/events", json=event, headers=looks)).status_code == 403
    assert (await client.put("/v1/rules", json={"rules": []}, headers=looks)).status_code == 403
