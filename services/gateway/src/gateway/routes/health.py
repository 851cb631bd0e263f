"""For supervisors: is the process up, and can it answer."""

import asyncio
from http import HTTPStatus

import grpc
from fastapi import APIRouter, HTTPException

from gateway import schemas
from gateway.clients import CandidateGenClient, RerankerClient
from gateway.http.known_parameters import KnownParametersRoute
from gateway.http.problems import documented
from gateway.routes.dependencies import TheParts

router = APIRouter(
    tags=["health"], responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY), route_class=KnownParametersRoute
)


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def get_health() -> schemas.Health:
    """The process is up, whatever the services do."""
    return schemas.Health(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=documented(HTTPStatus.SERVICE_UNAVAILABLE))
async def get_readiness(parts: TheParts) -> schemas.Readiness:
    """Both services are serving, or there is a list to answer from; otherwise 503 says which one is not."""
    candidate_gen, reranker = await asyncio.gather(
        _status(parts.clients.candidate_gen, timeout_s=parts.settings.readiness_timeout_s),
        _status(parts.clients.reranker, timeout_s=parts.settings.readiness_timeout_s),
    )
    statuses = {"candidate_gen": candidate_gen, "reranker": reranker}
    lacking = [f"{service} ({status})" for service, status in statuses.items() if status != "SERVING"]
    if lacking and parts.popular:  # to be taken out of rotation now would make every answer an error
        return schemas.Readiness(status="degraded")
    if lacking:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, f"not serving: {', '.join(lacking)}", {"Retry-After": "2"})
    return schemas.Readiness(status="ready")


async def _status(client: CandidateGenClient | RerankerClient, *, timeout_s: float) -> str:
    """The service's own word, or the code of the failure to get it."""
    try:
        return await client.get_health(timeout_s=timeout_s)
    except grpc.aio.AioRpcError as error:
        return error.code().name
