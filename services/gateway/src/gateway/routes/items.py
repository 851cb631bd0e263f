"""The catalogue: search, several items by id, one item."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from gateway import presentation, schemas
from gateway.problems import OF_BAD_INPUT, OF_THE_SERVICES, documented
from gateway.routes.dependencies import TheClients, TheSettings
from gateway.routes.parameters import MAX_COUNT, AfterId, ItemId, PageSize

router = APIRouter(prefix="/v1/items", tags=["items"], responses=documented(*OF_BAD_INPUT, *OF_THE_SERVICES))


@router.get("")
async def list_items(
    clients: TheClients,
    settings: TheSettings,
    after_id: AfterId,
    query: Annotated[
        str, Query(max_length=200, description="Every word must stand somewhere in the title, whatever the case.")
    ] = "",
    category: Annotated[str, Query(description="Exactly this category.")] = "",
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
