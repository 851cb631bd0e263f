"""A list to look at only, for consoles and tests: the same answer, and nothing of it is stored."""

import httpx
import pytest

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
