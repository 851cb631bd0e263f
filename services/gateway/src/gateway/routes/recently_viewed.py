"""What somebody looked at lately."""

from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Query, Request

from gateway import schemas
from gateway.http.access import needs
from gateway.http.request_context import AnsweredList, tell
from gateway.requests import Id, Name
from gateway.routes.dependencies import TheParts, keyed_router
from gateway.routes.parameters import Count
from gateway.shop import history
from recsys.feature_store.interface import Subject

router = keyed_router("/v1/recently-viewed", tag="recommendations")

_Id = Annotated[Id | None, Query(description="One of user_id and session_id.")]


@router.get("", openapi_extra=needs("read"))
async def list_recently_viewed(
    request: Request,
    parts: TheParts,
    user_id: _Id = None,
    session_id: _Id = None,
    event_type: Annotated[Name, Query(description="What the shop calls a view.")] = "view",
    count: Count = 10,
) -> schemas.RecentlyViewed:
    """What a user or a session looked at, each item once, latest first, without what is not on sale.

    Logged as shown nowhere. A stranger looked at nothing, and is no error.
    """
    if user_id is not None and session_id is None:
        subject = Subject("user", user_id)
    elif session_id is not None and user_id is None:
        subject = Subject("session", session_id)
    else:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "expected one of user_id and session_id")
    found = await history.viewed(
        subject,
        event_type=event_type,
        count=count,
        live=parts.live,
        clients=parts.clients,
        settings=parts.settings,
    )
    tell(request.scope, AnsweredList("without_live_state" if found.degraded else "full", len(found.items)))
    return found
