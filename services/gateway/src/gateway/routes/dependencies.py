"""The parts of the application that routes work with, as `create_app` left them in its state.

Asynchronous although they wait for nothing: FastAPI runs other dependencies in a thread.
"""

from typing import Annotated

from fastapi import Depends, Request

from gateway.clients import Clients
from gateway.recommend import Recommender
from gateway.settings import Settings


async def _recommender(request: Request) -> Recommender:
    recommender: Recommender = request.app.state.recommender
    return recommender


async def _clients(request: Request) -> Clients:
    clients: Clients = request.app.state.clients
    return clients


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


TheRecommender = Annotated[Recommender, Depends(_recommender)]
TheClients = Annotated[Clients, Depends(_clients)]
TheSettings = Annotated[Settings, Depends(_settings)]
