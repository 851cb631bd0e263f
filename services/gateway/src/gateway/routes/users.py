"""Users that the model knows, and what they already had."""

from typing import Annotated

from fastapi import APIRouter, Query

from gateway import presentation, schemas
from gateway.deadline import Deadline
from gateway.problems import OF_BAD_INPUT, OF_THE_SERVICES, documented
from gateway.routes.dependencies import TheClients, TheSettings
from gateway.routes.parameters import AfterId, Count, PageSize, UserId

router = APIRouter(prefix="/v1/users", tags=["users"], responses=documented(*OF_BAD_INPUT, *OF_THE_SERVICES))


@router.get("")
async def list_users(
    clients: TheClients,
    settings: TheSettings,
    after_id: AfterId,
    prefix: Annotated[str, Query(description="Only ids that start with this.")] = "",
    page_size: PageSize = 20,
) -> schemas.UserPage:
    """Users that the model knows, page by page."""
    found = await clients.candidate_gen.list_users(
        prefix=prefix, after_user_id=after_id, page_size=page_size, timeout_s=settings.timeout_s
    )
    return presentation.user_page(found)


@router.get("/{user_id:id}/history")
async def get_history(
    user_id: UserId, clients: TheClients, settings: TheSettings, count: Count = 20
) -> schemas.History:
    """What a user already had, most recent first. A user that the model does not know has no history, and no error."""
    deadline = Deadline.after(settings.timeout_s)
    had = await clients.candidate_gen.get_history(user_id, count=count, timeout_s=deadline.remaining_s())
    item_ids = [entry.item_id for entry in had.items]
    described = await clients.reranker.get_items(item_ids, timeout_s=deadline.remaining_s())
    return presentation.history(had, described)
