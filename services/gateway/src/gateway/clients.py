"""Every call that leaves the gateway, one short method each.

In: plain values and a timeout in seconds, which is never optional. Out: the service's protobuf answer.
A call that fails raises `grpc.aio.AioRpcError`. Each service has a breaker, which questions of health go past.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.breaker import Breaker
from gateway.settings import Settings
from recsys.rpc.call_streams import CallStreams, UnaryMethod, open_call_streams
from recsys.rpc.channel import call_unary, open_channel
from recsys.v1 import (
    candidate_gen_service_pb2,
    candidate_gen_service_pb2_grpc,
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
    reranker_service_pb2,
    reranker_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)

Request = TypeVar("Request")
Response = TypeVar("Response")


class CandidateGenClient:
    """Calls to candidate_gen."""

    def __init__(self, channel: grpc.aio.Channel, call_streams: CallStreams | None = None) -> None:
        """Lists travel over the call streams, where there are some; they are of the same channel."""
        self._breaker = Breaker("candidate_gen")
        self._call_streams = call_streams or CallStreams(channel)
        stub = candidate_gen_service_pb2_grpc.CandidateGenServiceStub(channel)
        self._get_candidates = UnaryMethod(
            "/recsys.v1.CandidateGenService/GetCandidates",
            stub.GetCandidates,
            candidate_gen_service_pb2.GetCandidatesResponse,
        )
        self._get_similar_items = UnaryMethod(
            "/recsys.v1.CandidateGenService/GetSimilarItems",
            stub.GetSimilarItems,
            candidate_gen_service_pb2.GetSimilarItemsResponse,
        )
        self._get_popular_items = UnaryMethod(
            "/recsys.v1.CandidateGenService/GetPopularItems",
            stub.GetPopularItems,
            candidate_gen_service_pb2.GetPopularItemsResponse,
        )
        self._users = user_service_pb2_grpc.UserServiceStub(channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(channel)
        self._health = health_pb2_grpc.HealthStub(channel)

    async def get_candidates(
        self, request: candidate_gen_service_pb2.GetCandidatesRequest, *, timeout_s: float
    ) -> candidate_gen_service_pb2.GetCandidatesResponse:
        """Candidates for a user, a session or a list of items."""
        with self._breaker.call(timeout_s=timeout_s):
            return await self._call_streams.call(self._get_candidates, request, timeout_s=timeout_s)

    async def get_similar_items(
        self, request: candidate_gen_service_pb2.GetSimilarItemsRequest, *, timeout_s: float
    ) -> candidate_gen_service_pb2.GetSimilarItemsResponse:
        """Candidates that are like an item."""
        with self._breaker.call(timeout_s=timeout_s):
            return await self._call_streams.call(self._get_similar_items, request, timeout_s=timeout_s)

    async def get_popular_items(
        self, request: candidate_gen_service_pb2.GetPopularItemsRequest, *, timeout_s: float
    ) -> candidate_gen_service_pb2.GetPopularItemsResponse:
        """The most popular items."""
        with self._breaker.call(timeout_s=timeout_s):
            return await self._call_streams.call(self._get_popular_items, request, timeout_s=timeout_s)

    async def get_history(
        self, user_id: str, *, count: int, live_item_ids: Iterable[str], timeout_s: float
    ) -> user_service_pb2.GetHistoryResponse:
        """What a user already had, and how many of the items had live are among it."""
        request = user_service_pb2.GetHistoryRequest(user_id=user_id, count=count, live_item_ids=live_item_ids)
        return await _call(self._breaker, self._users.GetHistory, request, timeout_s=timeout_s)

    async def list_users(
        self, *, prefix: str, after_user_id: str, page_size: int, timeout_s: float
    ) -> user_service_pb2.ListUsersResponse:
        """A page of the users that the model knows."""
        request = user_service_pb2.ListUsersRequest(prefix=prefix, after_user_id=after_user_id, page_size=page_size)
        return await _call(self._breaker, self._users.ListUsers, request, timeout_s=timeout_s)

    async def get_model(self, *, timeout_s: float) -> model_service_pb2.GetModelResponse:
        """The model that candidate_gen answers with."""
        request = model_service_pb2.GetModelRequest()
        return await _call(self._breaker, self._model.GetModel, request, timeout_s=timeout_s)

    async def get_health(self, *, timeout_s: float) -> str:
        """The name of candidate_gen's serving status."""
        return await _get_health(self._health, timeout_s=timeout_s)


class RerankerClient:
    """Calls to the reranker."""

    def __init__(self, channel: grpc.aio.Channel, call_streams: CallStreams | None = None) -> None:
        """Lists travel over the call streams, where there are some; they are of the same channel."""
        self._breaker = Breaker("reranker")
        self._call_streams = call_streams or CallStreams(channel)
        self._rerank = UnaryMethod(
            "/recsys.v1.RerankerService/Rerank",
            reranker_service_pb2_grpc.RerankerServiceStub(channel).Rerank,
            reranker_service_pb2.RerankResponse,
        )
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(channel)
        self._health = health_pb2_grpc.HealthStub(channel)

    @property
    def is_away(self) -> bool:
        """Whether a call would fail at once: it failed again and again."""
        return self._breaker.is_open

    async def rerank(
        self, request: reranker_service_pb2.RerankRequest, *, timeout_s: float
    ) -> reranker_service_pb2.RerankResponse:
        """The best of the candidates."""
        with self._breaker.call(timeout_s=timeout_s):
            return await self._call_streams.call(self._rerank, request, timeout_s=timeout_s)

    async def find_unknown_items(self, item_ids: Sequence[str], *, timeout_s: float) -> list[str]:
        """Those of the items that the catalogue does not have."""
        request = catalog_service_pb2.FindUnknownItemsRequest(item_ids=item_ids)
        return list((await _call(self._breaker, self._catalog.FindUnknownItems, request, timeout_s=timeout_s)).item_ids)

    async def get_items(self, item_ids: Sequence[str], *, timeout_s: float) -> catalog_service_pb2.GetItemsResponse:
        """Those of the items that the catalogue has, in the order asked for."""
        request = catalog_service_pb2.GetItemsRequest(item_ids=item_ids)
        return await _call(self._breaker, self._catalog.GetItems, request, timeout_s=timeout_s)

    async def search_items(
        self, *, query: str, category: str, after_item_id: str, page_size: int, timeout_s: float
    ) -> catalog_service_pb2.SearchItemsResponse:
        """A page of the items that match."""
        request = catalog_service_pb2.SearchItemsRequest(
            query=query, category=category, after_item_id=after_item_id, page_size=page_size
        )
        return await _call(self._breaker, self._catalog.SearchItems, request, timeout_s=timeout_s)

    async def get_model(self, *, timeout_s: float) -> model_service_pb2.GetModelResponse:
        """The model that the reranker answers with."""
        request = model_service_pb2.GetModelRequest()
        return await _call(self._breaker, self._model.GetModel, request, timeout_s=timeout_s)

    async def get_health(self, *, timeout_s: float) -> str:
        """The name of the reranker's serving status."""
        return await _get_health(self._health, timeout_s=timeout_s)


@dataclass(frozen=True)
class Clients:
    """Both services."""

    candidate_gen: CandidateGenClient
    reranker: RerankerClient


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Clients]:
    """Clients over one channel to each service and its call streams, closed in the end. They connect by themselves."""
    async with (
        open_channel(settings.candidate_gen_target, tls=settings.tls_files()) as first,
        open_channel(settings.reranker_target, tls=settings.tls_files()) as second,
        open_call_streams(first, count=settings.lanes) as to_first,
        open_call_streams(second, count=settings.lanes) as to_second,
    ):
        yield Clients(
            candidate_gen=CandidateGenClient(first, to_first),
            reranker=RerankerClient(second, to_second),
        )


async def _get_health(stub: health_pb2_grpc.HealthStub, *, timeout_s: float) -> str:
    check: grpc.aio.UnaryUnaryMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
    check = stub.Check  # type: ignore[attr-defined] # set in its __init__, which its type stub leaves out
    response = await call_unary(check, health_pb2.HealthCheckRequest(), timeout_s=timeout_s)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


async def _call(
    breaker: Breaker,
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    *,
    timeout_s: float,
) -> Response:
    with breaker.call(timeout_s=timeout_s):
        return await call_unary(method, request, timeout_s=timeout_s)
