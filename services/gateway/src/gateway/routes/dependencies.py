"""The parts of the application that routes work with, as `create_app` left them in its state, and routers.

Asynchronous although they wait for nothing: FastAPI runs other dependencies in a thread.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request

from gateway.clients import Clients
from gateway.http.access import KeyedRoute
from gateway.http.metrics import EventMetrics
from gateway.http.problems import OF_BAD_INPUT, OF_THE_KEY, OF_THE_SERVICES, documented
from gateway.lists.list_cursors import ListCursors
from gateway.lists.popular_list import PopularList
from gateway.lists.recommend import Recommender
from gateway.lists.rules import ShopRules
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop
from recsys.feature_store.interface import FeatureStore


@dataclass(frozen=True)
class Parts:
    """What the routes of one application work with."""

    settings: Settings
    clients: Clients
    live: LiveShop
    popular: PopularList
    recommender: Recommender
    cursors: ListCursors
    rules: ShopRules
    events: EventMetrics


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


TheParts = Annotated[Parts, Depends(_parts)]


async def _store(parts: TheParts) -> FeatureStore:
    if parts.live.store is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "no feature store: set GATEWAY_FEATURE_STORE_URL")
    return parts.live.store


TheStore = Annotated[FeatureStore, Depends(_store)]


def keyed_router(prefix: str, *, tag: str, bad_input: tuple[HTTPStatus, ...] = OF_BAD_INPUT) -> APIRouter:
    """A router whose routes each ask for an API key."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        responses=documented(*bad_input, *OF_THE_KEY, *OF_THE_SERVICES),
        route_class=KeyedRoute,
    )
