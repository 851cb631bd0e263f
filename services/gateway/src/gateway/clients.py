"""Every call that leaves the gateway.

In: a request, or the plain values of one, and a timeout in seconds, which is never optional. Out: the service's
protobuf answer. A call that fails raises `grpc.aio.AioRpcError`. Each service has a breaker, which questions of health
go past.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.breaker import Breaker
from gateway.call_metrics import CallMetrics
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
    run_service_pb2,
    run_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)

_PACKAGE: Final = "/recsys.v1."

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Asked = TypeVar("Asked", contravariant=True)
Answered = TypeVar("Answered", covariant=True)


class Call(Protocol[Asked, Answered]):
    """A call whose request the caller makes."""

    async def __call__(self, request: Asked, *, timeout_s: float) -> Answered:
        """The service's answer."""
        ...


class _ServiceClient:
    """What both services are asked alike, and the ways to them."""

    def __init__(
        self, service: str, channel: grpc.aio.Channel, streams: CallStreams | None, calls: CallMetrics | None
    ) -> None:
        """Lists travel over the call streams, where there are some; they are of the same channel."""
        self.breaker = Breaker(service)
        self._calls = calls or CallMetrics()
        self._streams = streams or CallStreams(channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(channel)
        self._health = health_pb2_grpc.HealthStub(channel)

    @property
    def is_unavailable(self) -> bool:
        """Whether a call would fail at once: it failed again and again."""
        return self.breaker.is_open

    async def get_model(self, *, timeout_s: float) -> model_service_pb2.GetModelResponse:
        """The model that the service answers with."""
        return await self._call(
            "ModelService/GetModel", self._model.GetModel, model_service_pb2.GetModelRequest(), timeout_s=timeout_s
        )

    async def get_health(self, *, timeout_s: float) -> str:
        """The name of the service's serving status."""
        check: grpc.aio.UnaryUnaryMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
        check = self._health.Check  # type: ignore[attr-defined] # set in its __init__, which its type stub leaves out
        response = await call_unary(check, health_pb2.HealthCheckRequest(), timeout_s=timeout_s)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)

    async def _call(
        self,
        name: str,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout_s: float,
    ) -> Response:
        with self.breaker.call(timeout_s=timeout_s):
            return await self._calls.timed(_PACKAGE + name, call_unary(method, request, timeout_s=timeout_s))

    def _streamed(
        self, name: str, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], response: type[Response]
    ) -> Call[Request, Response]:
        carried = UnaryMethod(_PACKAGE + name, method, response)

        async def call(request: Request, *, timeout_s: float) -> Response:
            with self.breaker.call(timeout_s=timeout_s):
                return await self._calls.timed(carried.name, self._streams.call(carried, request, timeout_s=timeout_s))

        return call


class CandidateGenClient(_ServiceClient):
    """Calls to candidate_gen: candidates for somebody, candidates like an item, the most popular items; users."""

    def __init__(
        self, channel: grpc.aio.Channel, streams: CallStreams | None = None, calls: CallMetrics | None = None
    ) -> None:
        super().__init__("candidate_gen", channel, streams, calls)
        stub, of = candidate_gen_service_pb2_grpc.CandidateGenServiceStub(channel), candidate_gen_service_pb2
        self.get_candidates = self._streamed(
            "CandidateGenService/GetCandidates", stub.GetCandidates, of.GetCandidatesResponse
        )
        self.get_similar_items = self._streamed(
            "CandidateGenService/GetSimilarItems", stub.GetSimilarItems, of.GetSimilarItemsResponse
        )
        self.get_popular_items = self._streamed(
            "CandidateGenService/GetPopularItems", stub.GetPopularItems, of.GetPopularItemsResponse
        )
        self._users = user_service_pb2_grpc.UserServiceStub(channel)
        self._runs = run_service_pb2_grpc.RunServiceStub(channel)

    async def get_history(
        self, user_id: str, *, count: int, live_item_ids: Iterable[str], packed: str, timeout_s: float
    ) -> user_service_pb2.GetHistoryResponse:
        """What a user has seen in training, and how many of the items seen live are among it.

        `packed` is the profile's history, for a version that holds no users.
        """
        request = user_service_pb2.GetHistoryRequest(
            user_id=user_id, count=count, live_item_ids=live_item_ids, history=packed
        )
        return await self._call("UserService/GetHistory", self._users.GetHistory, request, timeout_s=timeout_s)

    async def list_users(
        self, *, prefix: str, after_user_id: str, page_size: int, timeout_s: float
    ) -> user_service_pb2.ListUsersResponse:
        """A page of the users that the model knows."""
        request = user_service_pb2.ListUsersRequest(prefix=prefix, after_user_id=after_user_id, page_size=page_size)
        return await self._call("UserService/ListUsers", self._users.ListUsers, request, timeout_s=timeout_s)

    async def list_runs(self, *, count: int, timeout_s: float) -> run_service_pb2.ListRunsResponse:
        """The newest runs of the trainer."""
        request = run_service_pb2.ListRunsRequest(count=count)
        return await self._call("RunService/ListRuns", self._runs.ListRuns, request, timeout_s=timeout_s)

    async def get_report(self, version: str, *, timeout_s: float) -> run_service_pb2.GetReportResponse:
        """What the run of a version measured."""
        request = run_service_pb2.GetReportRequest(artifact_version=version)
        return await self._call("RunService/GetReport", self._runs.GetReport, request, timeout_s=timeout_s)

    async def activate_version(self, version: str, *, timeout_s: float) -> run_service_pb2.ActivateVersionResponse:
        """Make a kept version the live one."""
        request = run_service_pb2.ActivateVersionRequest(artifact_version=version)
        return await self._call("RunService/ActivateVersion", self._runs.ActivateVersion, request, timeout_s=timeout_s)


class RerankerClient(_ServiceClient):
    """Calls to the reranker: the best of candidates; the catalogue."""

    def __init__(
        self, channel: grpc.aio.Channel, streams: CallStreams | None = None, calls: CallMetrics | None = None
    ) -> None:
        super().__init__("reranker", channel, streams, calls)
        stub = reranker_service_pb2_grpc.RerankerServiceStub(channel)
        self.rerank = self._streamed("RerankerService/Rerank", stub.Rerank, reranker_service_pb2.RerankResponse)
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(channel)

    async def find_unknown_items(self, item_ids: Sequence[str], *, timeout_s: float) -> list[str]:
        """Those of the items that the catalogue does not have."""
        request = catalog_service_pb2.FindUnknownItemsRequest(item_ids=item_ids)
        name, method = "CatalogService/FindUnknownItems", self._catalog.FindUnknownItems
        return list((await self._call(name, method, request, timeout_s=timeout_s)).item_ids)

    async def get_items(self, item_ids: Sequence[str], *, timeout_s: float) -> catalog_service_pb2.GetItemsResponse:
        """Those of the items that the catalogue has, in the order asked for."""
        request = catalog_service_pb2.GetItemsRequest(item_ids=item_ids)
        return await self._call("CatalogService/GetItems", self._catalog.GetItems, request, timeout_s=timeout_s)

    async def search_items(
        self, *, query: str, category: str, after_item_id: str, page_size: int, timeout_s: float
    ) -> catalog_service_pb2.SearchItemsResponse:
        """A page of the items that match."""
        request = catalog_service_pb2.SearchItemsRequest(
            query=query, category=category, after_item_id=after_item_id, page_size=page_size
        )
        return await self._call("CatalogService/SearchItems", self._catalog.SearchItems, request, timeout_s=timeout_s)

    async def list_categories(
        self, *, after_category: str, page_size: int, timeout_s: float
    ) -> catalog_service_pb2.ListCategoriesResponse:
        """A page of the categories that have items on sale."""
        request = catalog_service_pb2.ListCategoriesRequest(after_category=after_category, page_size=page_size)
        name, method = "CatalogService/ListCategories", self._catalog.ListCategories
        return await self._call(name, method, request, timeout_s=timeout_s)


@dataclass(frozen=True)
class Clients:
    """Both services."""

    candidate_gen: CandidateGenClient
    reranker: RerankerClient


@asynccontextmanager
async def connect(settings: Settings, calls: CallMetrics | None = None) -> AsyncIterator[Clients]:
    """Clients over one channel to each service and its call streams, closed in the end. They connect by themselves.

    `calls` counts theirs.
    """
    async with (
        open_channel(settings.candidate_gen_target, tls=settings.tls_files()) as first,
        open_channel(settings.reranker_target, tls=settings.tls_files()) as second,
        open_call_streams(first, count=settings.call_streams) as to_first,
        open_call_streams(second, count=settings.call_streams) as to_second,
    ):
        yield Clients(
            candidate_gen=CandidateGenClient(first, to_first, calls),
            reranker=RerankerClient(second, to_second, calls),
        )
