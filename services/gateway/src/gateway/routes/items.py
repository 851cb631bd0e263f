"""The catalogue: search, several items by id, one item; and what the shop changes of it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from gateway import presentation, schemas
from gateway.live import now_ms
from gateway.problems import OF_BAD_INPUT, OF_THE_SERVICES, documented
from gateway.requests import (
    MAX_COUNT,
    DeleteChange,
    ItemChanges,
    ItemPatch,
    ItemPut,
    PatchChange,
    PutChange,
    Words,
)
from gateway.routes.dependencies import TheClients, TheLive, TheSettings, TheStore
from gateway.routes.parameters import AfterId, ItemId, PageSize
from recsys.feature_store.interface import ItemChange, JsonScalar

router = APIRouter(prefix="/v1/items", tags=["items"], responses=documented(*OF_BAD_INPUT, *OF_THE_SERVICES))


@router.get("")
async def list_items(
    clients: TheClients,
    settings: TheSettings,
    after_id: AfterId,
    query: Annotated[
        str, Query(max_length=200, description="Every word must stand somewhere in the title, whatever the case.")
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
    if ids is None:
        found = await clients.reranker.search_items(
            query=query,
            category=category,
            after_item_id=after_id,
            page_size=page_size,
            timeout_s=settings.timeout_s,
        )
        return presentation.item_page(found)
    if query or category or after_id:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "ids cannot be combined with query, category or cursor")
    named = await clients.reranker.get_items(ids, timeout_s=settings.timeout_s)
    return schemas.ItemPage(
        artifact_version=named.artifact_version, items=presentation.items(named.items), next_cursor=None
    )


@router.get(
    "/{item_id:id}",
    responses=documented(HTTPStatus.NOT_FOUND),
)
async def get_item(item_id: ItemId, clients: TheClients, settings: TheSettings) -> schemas.SingleItem:
    """One item."""
    found = await clients.reranker.get_items([item_id], timeout_s=settings.timeout_s)
    if not found.items:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no item {item_id!r} in the model")
    return presentation.single_item(found.items[0], artifact_version=found.artifact_version)


@router.post("/bulk")
async def change_items(body: ItemChanges, store: TheStore, live: TheLive) -> schemas.ItemChangesDone:
    """Create, update and delete up to 1,000 items, in order, all or none."""
    return await _changed([_change_of(one) for one in body.changes], store=store, live=live)


@router.put("/{item_id:id}")
async def put_item(item_id: ItemId, body: ItemPut, store: TheStore, live: TheLive) -> schemas.ItemChangesDone:
    """Create an item, or say anew all that there is to say of it. It may be recommended within two seconds."""
    return await _changed([ItemChange(item_id, "put", _fields(body))], store=store, live=live)


@router.patch("/{item_id:id}", responses=documented(HTTPStatus.NOT_FOUND))
async def patch_item(
    item_id: ItemId, body: ItemPatch, store: TheStore, live: TheLive, clients: TheClients, settings: TheSettings
) -> schemas.ItemChangesDone:
    """Change a part of an item: what is not given stays. Taken off sale, it is gone from every answer."""
    if item_id not in live.state.items:
        unknown = await clients.reranker.find_unknown_items([item_id], timeout_s=settings.timeout_s)
        if unknown:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no item {item_id!r} to change; PUT creates it")
    return await _changed([ItemChange(item_id, "patch", _fields(body))], store=store, live=live)


@router.delete("/{item_id:id}")
async def delete_item(item_id: ItemId, store: TheStore, live: TheLive) -> schemas.ItemChangesDone:
    """An item that is no more: in no answer, and not found. Once more changes nothing."""
    return await _changed([ItemChange(item_id, "delete")], store=store, live=live)


async def _changed(changes: list[ItemChange], *, store: TheStore, live: TheLive) -> schemas.ItemChangesDone:
    records = await store.change_items(changes, now_ms=now_ms())
    live.take(records)
    return presentation.item_changes(records)


def _change_of(one: PutChange | PatchChange | DeleteChange) -> ItemChange:
    if isinstance(one, DeleteChange):
        return ItemChange(one.item_id, "delete")
    return ItemChange(one.item_id, one.op, _fields(one))


def _fields(body: ItemPut | ItemPatch) -> dict[str, JsonScalar]:
    """What was given, in the feature store's names; of a patch, no more than that."""
    given = body.model_dump(exclude={"op", "item_id", "attributes"}, exclude_unset=True)
    return given | {f"attributes.{name}": value for name, value in body.attributes.items()}
