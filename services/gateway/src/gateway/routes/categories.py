"""The categories of the catalogue, as it is now."""

from gateway import schemas
from gateway.http.access import needs
from gateway.routes.dependencies import TheParts, keyed_router
from gateway.routes.parameters import AfterId, PageSize, cursor_after

router = keyed_router("/v1/categories", tag="items")


@router.get("", openapi_extra=needs("read"))
async def list_categories(parts: TheParts, after_id: AfterId, page_size: PageSize = 20) -> schemas.CategoryPage:
    """Categories that have items on sale, with how many, page by page."""
    found = await parts.clients.reranker.list_categories(
        after_category=after_id, page_size=page_size, timeout_s=parts.settings.timeout_s
    )
    return schemas.CategoryPage(
        artifact_version=found.artifact_version,
        categories=[schemas.Category(category=each.category, item_count=each.item_count) for each in found.categories],
        next_cursor=cursor_after(found.categories[-1].category) if found.has_more else None,
    )
