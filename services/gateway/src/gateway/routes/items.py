"""The catalogue: search, several items by id, one item; and what the shop changes of it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Query
from pydantic import AfterValidator

from gateway import schemas
from gateway.http.access import needs
from gateway.http.problems import documented
from gateway.requests import MAX_COUNT, ItemChanges, ItemPatch, ItemPut, Words
from gateway.routes.dependencies import Parts, TheParts, TheStore, keyed_router
from gateway.routes.parameters import AfterId, ItemId, PageSize, cursor_after
from gateway.shop.items import as_now, change, change_of, item_json, missing
from recsys.feature_store.interface import FeatureStore
from recsys.rpc.requests import MOST_WORDS
from recsys.shop.item import ItemChange
from recsys.v1.item_pb2 import Item


def _of_few_words(query: str) -> str:
    if (found := len(query.split())) > MOST_WORDS:
        raise ValueError(f"expected at most {MOST_WORDS} words, found {found}")
    return query


router = keyed_router("/v1/items", tag="items")


@router.get("", openapi_extra=needs("read"))
async def list_items(
    parts: TheParts,
    after_id: AfterId,
    query: Annotated[
        str,
        Query(
            max_length=200,
            description=f"Every word must stand somewhere in the title, whatever the case; at most {MOST_WORDS} words.",
        ),
        AfterValidator(_of_few_words),
    ] = "",
    category: Annotated[Words, Query(description="Exactly this category.")] = "",
    ids: Annotated[
        list[str] | None,
        Query(max_length=MAX_COUNT, description="These items, in this order, without those that do not exist."),
    ] = None,
    page_size: PageSize = 20,
) -> schemas.ItemPage:
    """Search by words of the title and by category, page by page; or look several items up by id.

    `ids` stands alone. It also reaches an item whose id this API's paths cannot name, such as `popular`.
    """
    if ids is not None:
        if query or category or after_id:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "ids cannot be combined with query, category or cursor")
        version, items = await _items_of(ids, parts)
        return _page(version, items)
    found = await parts.clients.reranker.search_items(
        query=query,
        category=category,
        after_item_id=after_id,
        page_size=page_size,
        timeout_s=parts.settings.timeout_s,
    )
    now = [item for each in found.items if (item := as_now(each.item_id, each, parts.live)) is not None]
    return _page(found.artifact_version, now, cursor_after(found.items[-1].item_id) if found.has_more else None)


@router.get("/{item_id:id}", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("read"))
async def get_item(item_id: ItemId, parts: TheParts) -> schemas.SingleItem:
    """One item."""
    version, items = await _items_of([item_id], parts)
    if not items:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no item {item_id!r} in the model")
    return schemas.SingleItem.model_validate(item_json(items[0]) | {"artifact_version": version})


@router.post("/bulk", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def change_items(body: ItemChanges, store: TheStore, parts: TheParts) -> schemas.ItemChangesDone:
    """Create, update and delete up to 1,000 items, in order, all or none."""
    return await _change([change_of(each.item_id, each) for each in body.changes], store, parts)


@router.put("/{item_id:id}", openapi_extra=needs("admin"))
async def put_item(item_id: ItemId, body: ItemPut, store: TheStore, parts: TheParts) -> schemas.ItemChangesDone:
    """Create an item, or say anew all that there is to say of it. It may be recommended within two seconds."""
    return await _change([change_of(item_id, body)], store, parts)


@router.patch("/{item_id:id}", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def patch_item(item_id: ItemId, body: ItemPatch, store: TheStore, parts: TheParts) -> schemas.ItemChangesDone:
    """Change a part of an item: what is not given stays. Taken off sale, it is gone from every answer."""
    return await _change([change_of(item_id, body)], store, parts)


@router.delete("/{item_id:id}", openapi_extra=needs("admin"))
async def delete_item(item_id: ItemId, store: TheStore, parts: TheParts) -> schemas.ItemChangesDone:
    """An item that is no more: in no answer, and not found. Once more changes nothing."""
    return await _change([ItemChange(item_id, "delete")], store, parts)


async def _change(changes: list[ItemChange], store: FeatureStore, parts: Parts) -> schemas.ItemChangesDone:
    """Raises: HTTPException: 404 where an item to be patched does not exist."""
    absent = await missing(changes, live=parts.live, clients=parts.clients, timeout_s=parts.settings.timeout_s)
    if absent:
        named = ", ".join(map(repr, absent[:10]))
        raise HTTPException(HTTPStatus.NOT_FOUND, f"nothing was changed: no item {named} to patch; a put creates it")
    return await change(changes, store=store, live=parts.live)


async def _items_of(item_ids: list[str], parts: Parts) -> tuple[str, list[Item]]:
    """The artifact version that answered, and those of the items that exist now, in the order asked for."""
    found = await parts.clients.reranker.get_items(item_ids, timeout_s=parts.settings.timeout_s)
    described = {item.item_id: item for item in found.items}
    now = (as_now(item_id, described.get(item_id), parts.live) for item_id in item_ids)
    return found.artifact_version, [item for item in now if item is not None]


def _page(artifact_version: str, items: list[Item], next_cursor: str | None = None) -> schemas.ItemPage:
    return schemas.ItemPage(
        artifact_version=artifact_version,
        items=[schemas.Item.model_validate(item_json(item)) for item in items],
        next_cursor=next_cursor,
    )
