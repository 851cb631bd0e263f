"""Users: who the model knows, what they had, sessions that turn out to be theirs, and their right to be forgotten."""

import asyncio
from http import HTTPStatus
from typing import Annotated

import grpc
from fastapi import APIRouter, HTTPException, Query, Request

from gateway import answers
from gateway.clients import Clients
from gateway.http.access import KeyedRoute, needs
from gateway.http.problems import OF_BAD_INPUT, OF_THE_KEY, OF_THE_SERVICES, documented
from gateway.http.request_context import AnsweredList, tell
from gateway.requests import SessionToMerge, Words
from gateway.routes.dependencies import TheClients, TheLive, TheSettings, TheStore
from gateway.routes.parameters import AfterId, Count, PageSize, UserId
from gateway.shop import events, history
from gateway.shop import shop_json as presentation
from gateway.shop.live_shop import now_ms
from recsys.v1.model_service_pb2 import GetModelResponse

router = APIRouter(
    prefix="/v1/users",
    tags=["users"],
    responses=documented(*OF_BAD_INPUT, *OF_THE_KEY, *OF_THE_SERVICES),
    route_class=KeyedRoute,
)


@router.get("", openapi_extra=needs("read"))
async def list_users(
    clients: TheClients,
    settings: TheSettings,
    live: TheLive,
    after_id: AfterId,
    prefix: Annotated[Words, Query(description="Only ids that start with this.")] = "",
    page_size: PageSize = 20,
) -> answers.UserPage:
    """Users that the model knows, page by page."""
    found = await clients.candidate_gen.list_users(
        prefix=prefix, after_user_id=after_id, page_size=page_size, timeout_s=settings.timeout_s
    )
    return presentation.user_page(found, erased_sequence=live.erased_sequence)


@router.get("/{user_id:id}/history", openapi_extra=needs("read"))
async def get_history(
    request: Request, user_id: UserId, clients: TheClients, settings: TheSettings, live: TheLive, count: Count = 20
) -> answers.History:
    """What a user already had, most recent first, live events too. A stranger has no history, and no error."""
    past = await history.of_user(user_id, count=count, live=live, clients=clients, settings=settings)
    tell(request, AnsweredList("without_live_state" if past.is_degraded else "full", len(past.latest)))
    return presentation.history(past)


@router.post("/{user_id:id}/sessions", openapi_extra=needs("events"))
async def merge_session(user_id: UserId, body: SessionToMerge, store: TheStore, live: TheLive) -> answers.MergedSession:
    """Somebody signed in: what the session did, and what it will do, is the user's."""
    moved = await events.merge(body.session_id, user_id=user_id, store=store, exposures=live.exposures)
    return answers.MergedSession(user_id=user_id, session_id=body.session_id, moved_events=moved)


@router.get("/{user_id:id}/erasure", responses=documented(HTTPStatus.NOT_FOUND), openapi_extra=needs("admin"))
async def get_erasure(
    user_id: UserId, store: TheStore, clients: TheClients, settings: TheSettings
) -> answers.ErasureReport:
    """How far the erasure of a user has come: store, lake, model."""
    found = await store.erasure(user_id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"user {user_id!r} was never erased")
    return presentation.erasure(found, model=await _oldest_model(clients, timeout_s=settings.timeout_s))


@router.delete("/{user_id:id}", status_code=HTTPStatus.ACCEPTED, openapi_extra=needs("admin"))
async def erase_user(
    user_id: UserId, store: TheStore, live: TheLive, clients: TheClients, settings: TheSettings
) -> answers.ErasureReport:
    """Forget a user: gone from log and features now, masked in the live model, then gone from lake and next model."""
    found = await store.erase_user(user_id, now_ms=now_ms())
    live.forget(found)
    return presentation.erasure(found, model=await _oldest_model(clients, timeout_s=settings.timeout_s))


async def _oldest_model(clients: Clients, *, timeout_s: float) -> GetModelResponse | None:
    """Of what the two services answer with, the one that knows less of the stream; none: one did not say."""
    try:
        models = await asyncio.gather(
            clients.candidate_gen.get_model(timeout_s=timeout_s), clients.reranker.get_model(timeout_s=timeout_s)
        )
    except grpc.aio.AioRpcError:
        return None
    return min(models, key=lambda model: model.stream_sequence)
