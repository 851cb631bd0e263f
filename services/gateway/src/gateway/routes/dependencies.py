"""The parts of the application that routes work with, as `create_app` left them in its state.

Asynchronous although they wait for nothing: FastAPI runs other dependencies in a thread.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from gateway.clients import Clients
from gateway.experiments.live import Experiments
from gateway.lists.list_cursors import ListCursors
from gateway.lists.recommend import Recommender
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop
from recsys.feature_store.interface import FeatureStore


async def _recommender(request: Request) -> Recommender:
    recommender: Recommender = request.app.state.recommender
    return recommender


async def _clients(request: Request) -> Clients:
    clients: Clients = request.app.state.clients
    return clients


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _live(request: Request) -> LiveShop:
    live: LiveShop = request.app.state.live
    return live


TheLive = Annotated[LiveShop, Depends(_live)]


async def _store(live: TheLive) -> FeatureStore:
    if live.store is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "no feature store: set GATEWAY_FEATURE_STORE_URL")
    return live.store


async def _experiments(live: TheLive) -> Experiments:
    return live.experiments


async def _cursors(request: Request) -> ListCursors:
    cursors: ListCursors = request.app.state.cursors
    return cursors


TheRecommender = Annotated[Recommender, Depends(_recommender)]
TheClients = Annotated[Clients, Depends(_clients)]
TheSettings = Annotated[Settings, Depends(_settings)]
TheStore = Annotated[FeatureStore, Depends(_store)]
TheExperiments = Annotated[Experiments, Depends(_experiments)]
TheCursors = Annotated[ListCursors, Depends(_cursors)]
