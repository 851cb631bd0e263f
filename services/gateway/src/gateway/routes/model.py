"""Which model is live."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter

from gateway import answers
from gateway.http.access import KeyedRoute, needs
from gateway.http.problems import OF_THE_KEY, OF_THE_SERVICES, documented
from gateway.routes.dependencies import TheClients, TheSettings
from gateway.shop import shop_json as presentation

router = APIRouter(
    prefix="/v1/model",
    tags=["model"],
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY, *OF_THE_KEY, *OF_THE_SERVICES),
    route_class=KeyedRoute,
)


@router.get("", openapi_extra=needs("read"))
async def get_model(clients: TheClients, settings: TheSettings) -> answers.Model:
    """The live model with its offline metrics, and which versions each service holds or refused."""
    candidate_gen, reranker = await asyncio.gather(
        clients.candidate_gen.get_model(timeout_s=settings.timeout_s),
        clients.reranker.get_model(timeout_s=settings.timeout_s),
    )
    return presentation.model(candidate_gen, reranker)
