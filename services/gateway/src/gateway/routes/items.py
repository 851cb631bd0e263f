"""The catalogue: search, several items by id, one item; and what the shop changes of it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import AfterValidator

from gateway import answers
from gateway.http.access import KeyedRoute, needs
from gateway.http.problems import OF_BAD_INPUT, OF_THE_KEY, OF_THE_SERVICES, documented
from gateway.requests import MAX_COUNT, ItemChanges, ItemPatch, ItemPut, Words
from gateway.routes.dependencies import TheClients, TheLive, TheSettings, TheStore
from gateway.routes.parameters import AfterId, ItemId, PageSize
from gateway.shop import items as catalogue
from gateway.shop import shop_json as presentation
from recsys.rpc.limits import MOST_WORDS
from recsys.shop.item import ItemChange


def _of_few_words(query: str) -> str:
    if (found := len(query.split())) > MOST_WORDS:
        raise ValueError(f"expected at most {MOST_WORDS} words, found {found}")
    return query


router = APIRouter(
    prefix="/v1/items",
    tags=["items"],
    responses=documented(*OF_BAD_INPUT, *OF_THE_KEY, *OF_THE_SERVICES),
    route_class=KeyedRoute,
)


@router.get("", openapi_extra=needs("read"))
async def list_items(
    clients: TheClients,
    settings: TheSettings,
    live: TheLive,
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
) -> answers.ItemPage:
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
        now = [catalogue.as_now(item.item_id, item, live) for item in found.items]
        return presentation.item_page(
            found.artifact_version,
            [item for item in now if item is not None],
            next_after=found.items[-1].item_id if found.has_more else None,
        )
    if query or category or after_id:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "ids cannot be combined with query, category or cursor")
    version, items = await catalogue.items_of(ids, live=live, clients=clients, timeout_s=settings.timeout_s)
    return presentation.item_page(version, items)


@router.get("/{item_id:id}", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("read"))
async def get_item(item_id: ItemId, clients: TheClients, settings: TheSettings, live: TheLive) -> answers.SingleItem:
    """One item."""
    version, items = await catalogue.items_of([item_id], live=live, clients=clients, timeout_s=settings.timeout_s)
    if not items:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no item {item_id!r} in the model")
    return presentation.single_item(items[0], artifact_version=version)


@router.post("/bulk", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def change_items(
    body: ItemChanges, store: TheStore, live: TheLive, clients: TheClients, settings: TheSettings
) -> answers.ItemChangesDone:
    """Create, update and delete up to 1,000 items, in order, all or none."""
    changes = catalogue.changes_of(body.changes)
    await _expect_existing(changes, live, clients, timeout_s=settings.timeout_s)
    return presentation.item_changes(await catalogue.change(changes, store=store, live=live))


@router.put("/{item_id:id}", openapi_extra=needs("admin"))
async def put_item(item_id: ItemId, body: ItemPut, store: TheStore, live: TheLive) -> answers.ItemChangesDone:
    """Create an item, or say anew all that there is to say of it. It may be recommended within two seconds."""
    changes = [catalogue.change_of(item_id, body)]
    return presentation.item_changes(await catalogue.change(changes, store=store, live=live))


@router.patch("/{item_id:id}", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def patch_item(
    item_id: ItemId, body: ItemPatch, store: TheStore, live: TheLive, clients: TheClients, settings: TheSettings
) -> answers.ItemChangesDone:
    """Change a part of an item: what is not given stays. Taken off sale, it is gone from every answer."""
    changes = [catalogue.change_of(item_id, body)]
    await _expect_existing(changes, live, clients, timeout_s=settings.timeout_s)
    return presentation.item_changes(await catalogue.change(changes, store=store, live=live))


@router.delete("/{item_id:id}", openapi_extra=needs("admin"))
async def delete_item(item_id: ItemId, store: TheStore, live: TheLive) -> answers.ItemChangesDone:
    """An item that is no more: in no answer, and not found. Once more changes nothing."""
    changes = [ItemChange(item_id, "delete")]
    return presentation.item_changes(await catalogue.change(changes, store=store, live=live))


async def _expect_existing(changes: list[ItemChange], live: TheLive, clients: TheClients, *, timeout_s: float) -> None:
    missing = await catalogue.missing(changes, live=live, clients=clients, timeout_s=timeout_s)
    if missing:
        named = ", ".join(map(repr, missing[:10]))
        raise HTTPException(HTTPStatus.NOT_FOUND, f"nothing was changed: no item {named} to patch; a put creates it")
