"""Users: who the model knows, what they have seen, sessions that become theirs, and their right to be forgotten."""

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

import grpc
from fastapi import HTTPException, Query, Request

from gateway import schemas
from gateway.http.access import needs
from gateway.http.problems import documented
from gateway.http.request_context import AnsweredList, tell
from gateway.requests import SessionToMerge, Words
from gateway.routes.dependencies import Parts, TheParts, TheStore, keyed_router
from gateway.routes.parameters import AfterId, Count, PageSize, UserId, cursor_after
from gateway.shop import events, history
from gateway.shop.live_shop import now_ms
from recsys.feature_store.interface import Erasure

router = keyed_router("/v1/users", tag="users")


@router.get("", openapi_extra=needs("read"))
async def list_users(
    parts: TheParts,
    after_id: AfterId,
    prefix: Annotated[Words, Query(description="Only ids that start with this.")] = "",
    page_size: PageSize = 20,
) -> schemas.UserPage:
    """Users that the model knows, page by page."""
    found = await parts.clients.candidate_gen.list_users(
        prefix=prefix, after_user_id=after_id, page_size=page_size, timeout_s=parts.settings.timeout_s
    )
    return schemas.UserPage(
        artifact_version=found.artifact_version,
        users=[
            schemas.User(user_id=user.user_id, history_size=user.history_size)
            for user in found.users
            if parts.live.erased_sequence(user.user_id) <= found.stream_sequence  # a later erasure hides the user
        ],
        next_cursor=cursor_after(found.users[-1].user_id) if found.has_more else None,
    )


@router.get("/{user_id:id}/history", openapi_extra=needs("read"))
async def get_history(request: Request, user_id: UserId, parts: TheParts, count: Count = 20) -> schemas.History:
    """What a user already had, most recent first, live events too. A stranger has no history, and no error."""
    past = await history.of_user(user_id, count=count, live=parts.live, clients=parts.clients, settings=parts.settings)
    tell(request.scope, AnsweredList("without_live_state" if past.degraded else "full", len(past.items)))
    return past


@router.post("/{user_id:id}/sessions", openapi_extra=needs("events"))
async def merge_session(
    user_id: UserId, body: SessionToMerge, store: TheStore, parts: TheParts
) -> schemas.MergedSession:
    """Somebody signed in: what the session did, and what it will do, is the user's."""
    moved = await events.merge(body.session_id, user_id=user_id, store=store, exposures=parts.live.exposures)
    return schemas.MergedSession(user_id=user_id, session_id=body.session_id, moved_events=moved)


@router.get("/{user_id:id}/erasure", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def get_erasure(user_id: UserId, store: TheStore, parts: TheParts) -> schemas.ErasureReport:
    """How far the erasure of a user has come: store, lake, model."""
    found = await store.erasure(user_id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"user {user_id!r} was never erased")
    return await _report(found, parts)


@router.delete("/{user_id:id}", status_code=HTTPStatus.ACCEPTED, openapi_extra=needs("admin"))
async def erase_user(user_id: UserId, store: TheStore, parts: TheParts) -> schemas.ErasureReport:
    """Forget a user: gone from log and features now, masked in the live model, then gone from lake and next model."""
    found = await store.erase_user(user_id, now_ms=now_ms())
    parts.live.forget(found)
    return await _report(found, parts)


async def _report(found: Erasure, parts: Parts) -> schemas.ErasureReport:
    """How far an erasure has come. The model is the one of the two services' that knows less of the stream."""
    services, timeout_s = parts.clients, parts.settings.timeout_s
    try:
        models = await asyncio.gather(
            services.candidate_gen.get_model(timeout_s=timeout_s), services.reranker.get_model(timeout_s=timeout_s)
        )
        model = min(models, key=lambda each: each.stream_sequence)
    except grpc.aio.AioRpcError:  # nothing is claimed of it
        model = None
    lake_erased_at = None if found.lake_erased_ms is None else datetime.fromtimestamp(found.lake_erased_ms / 1000, UTC)
    return schemas.ErasureReport(
        user_hash=found.user_hash,
        erased_at=datetime.fromtimestamp(found.erased_ms / 1000, UTC),
        store_entries=found.store_entries,
        lake_rows=found.lake_rows,
        lake_erased_at=lake_erased_at,
        model_is_newer=None if model is None else model.stream_sequence >= found.sequence,
        artifact_version=None if model is None else model.artifact_version,
    )
