"""The application over two fake services: real grpc.aio servers on loopback, with answers that can be told beforehand.

The fakes keep what a test may change or look at in plain lists and dictionaries, each a fixture of its own.
"""

import asyncio
import math
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from packed_candidates import candidate_set, rows_of
from pydantic import SecretStr
from waiting import WITHIN_S

from gateway.app import create_app
from gateway.clients import Clients, connect
from gateway.http.access import Access
from gateway.http.metrics import GatewayMetrics
from gateway.lists.popular_list import PopularList
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop, go_live
from recsys.shop.item_wire import scores_of, sources_of
from recsys.v1 import (
    candidate_gen_service_pb2,
    candidate_gen_service_pb2_grpc,
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    item_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    reranker_service_pb2,
    reranker_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)

Failure = tuple[grpc.StatusCode, str]
Context = grpc.aio.ServicerContext[Message, Message]

SERVICES = ("candidate_gen", "reranker")
ITEM_IDS = [f"item-{number:02}" for number in range(30)]


@dataclass
class Script:
    """What both fakes answer, and what they were asked."""

    received: list[Message] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    remaining_s: list[float] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    held: dict[str, list[str]] = field(
        default_factory=lambda: {"candidate_gen": ["v2", "v1"], "reranker": ["v2", "v1"]}
    )
    trained_up_to: dict[str, int] = field(default_factory=dict)
    health: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERVICES, 1))

    async def take(self, request: Message, context: Context) -> None:
        """Note a request, and fail it if the test said so (by the request's name)."""
        self.received.append(request)
        metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        self.request_ids.append(metadata.get("x-request-id", ""))
        self.remaining_s.append(context.time_remaining() or math.inf)
        if failure := self.failures.get(type(request).__name__.removesuffix("Request")):
            await context.abort(*failure)

    async def version(self, service: str, wanted: str, context: Context) -> str:
        """The version that answers, as the contract has it."""
        if wanted and wanted not in self.held[service]:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{wanted} is not held")
        return wanted or self.held[service][0]


@dataclass
class FakeCandidateGen:
    """Knows every user but "nobody", and every item but "missing"."""

    script: Script

    async def GetCandidates(  # noqa: N802 - the contract's name, here and below
        self, request: candidate_gen_service_pb2.GetCandidatesRequest, context: Context
    ) -> candidate_gen_service_pb2.GetCandidatesResponse:
        await self.script.take(request, context)
        version = await self.script.version("candidate_gen", request.artifact_version, context)
        trained_up_to = self.script.trained_up_to.get(version, 0)
        if request.events_after > trained_up_to:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "needs all events")
        return candidate_gen_service_pb2.GetCandidatesResponse(
            artifact_version=version,
            stream_sequence=trained_up_to,
            candidates=_candidates(request.count, source=item_pb2.CANDIDATE_SOURCE_ANN),
            item_ids=ITEM_IDS[: request.count] if request.with_item_ids else [],
            vector_origin=self._origin(request),
            query_vector=b"" if self._origin(request) == candidate_gen_service_pb2.VECTOR_ORIGIN_NONE else b"vector",
            matching_items=len(ITEM_IDS),
            dropped=[candidate_gen_service_pb2.DroppedItems(reason="seen", count=3)] if request.explain else [],
        )

    def _origin(
        self,
        request: candidate_gen_service_pb2.GetCandidatesRequest,
    ) -> candidate_gen_service_pb2.VectorOrigin:
        if request.events or request.basket_item_ids:
            return candidate_gen_service_pb2.VECTOR_ORIGIN_FOLDED_IN
        if request.user_id in ("", "nobody") or request.erased_sequence > self.script.trained_up_to.get("v2", 0):
            return candidate_gen_service_pb2.VECTOR_ORIGIN_NONE
        return candidate_gen_service_pb2.VECTOR_ORIGIN_TRAINED

    async def GetSimilarItems(  # noqa: N802
        self, request: candidate_gen_service_pb2.GetSimilarItemsRequest, context: Context
    ) -> candidate_gen_service_pb2.GetSimilarItemsResponse:
        await self.script.take(request, context)
        if request.item_id == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no item 'missing' in the model")
        return candidate_gen_service_pb2.GetSimilarItemsResponse(
            artifact_version=await self.script.version("candidate_gen", request.artifact_version, context),
            candidates=_candidates(request.count, source=item_pb2.CANDIDATE_SOURCE_SIMILAR),
            item_ids=ITEM_IDS[: request.count] if request.with_item_ids else [],
        )

    async def GetPopularItems(  # noqa: N802
        self, request: candidate_gen_service_pb2.GetPopularItemsRequest, context: Context
    ) -> candidate_gen_service_pb2.GetPopularItemsResponse:
        await self.script.take(request, context)
        return candidate_gen_service_pb2.GetPopularItemsResponse(
            artifact_version=await self.script.version("candidate_gen", request.artifact_version, context),
            candidates=_candidates(request.count, source=item_pb2.CANDIDATE_SOURCE_POPULAR),
            item_ids=ITEM_IDS[: request.count] if request.with_item_ids else [],
        )

    async def GetHistory(  # noqa: N802
        self, request: user_service_pb2.GetHistoryRequest, context: Context
    ) -> user_service_pb2.GetHistoryResponse:
        await self.script.take(request, context)
        day = Timestamp(seconds=1_700_000_000)
        bought = user_service_pb2.HistoryItem(item_id="item-04", event_type="purchase", last_event_at=day)
        gone = user_service_pb2.HistoryItem(item_id="missing", event_type="view", last_event_at=day)
        trained = {f"item-0{number}" for number in range(6)} | {"missing"}
        return user_service_pb2.GetHistoryResponse(
            artifact_version="v2",
            items=[bought, gone],
            user_known=True,
            stream_sequence=self.script.trained_up_to.get("v2", 0),
            total=len(trained),
            known_live_items=len(trained & set(request.live_item_ids)),
        )

    async def ListUsers(  # noqa: N802
        self, request: user_service_pb2.ListUsersRequest, context: Context
    ) -> user_service_pb2.ListUsersResponse:
        await self.script.take(request, context)
        ids = [user_id for user_id in ("a/b", "ß", "ä") if user_id > request.after_user_id]
        return user_service_pb2.ListUsersResponse(
            artifact_version="v2",
            users=[user_service_pb2.User(user_id=user_id, history_size=2) for user_id in ids[: request.page_size]],
            has_more=len(ids) > request.page_size,
            stream_sequence=self.script.trained_up_to.get("v2", 0),
        )


@dataclass
class FakeReranker:
    """Turns the candidates' order around, and has every item but "missing" in its catalogue."""

    script: Script

    async def Rerank(  # noqa: N802
        self, request: reranker_service_pb2.RerankRequest, context: Context
    ) -> reranker_service_pb2.RerankResponse:
        await self.script.take(request, context)
        found = request.candidates
        ranked = [
            item_pb2.RankedItem(
                item=_item(ITEM_IDS[row]), score=-score, sources=[bits.bit_length() - 1], propensity=1.0
            )
            for row, score, bits in reversed(
                list(zip(rows_of(found), scores_of(found), sources_of(found), strict=True))
            )
        ]
        rest = ranked[request.count :] if request.with_remainder else []
        return reranker_service_pb2.RerankResponse(
            artifact_version=await self.script.version("reranker", request.artifact_version, context),
            items=ranked[: request.count],
            remainder=reranker_service_pb2.Remainder(
                item_ids=[one.item.item_id for one in rest],
                scores=[one.score for one in rest],
                sources=[1 << one.sources[0] for one in rest],
                propensities=[one.propensity for one in rest],
            ),
            candidates_read=len(rows_of(found)),
        )

    async def FindUnknownItems(  # noqa: N802
        self, request: catalog_service_pb2.FindUnknownItemsRequest, context: Context
    ) -> catalog_service_pb2.FindUnknownItemsResponse:
        await self.script.take(request, context)
        unknown = [item_id for item_id in request.item_ids if item_id not in ITEM_IDS]
        return catalog_service_pb2.FindUnknownItemsResponse(artifact_version="v2", item_ids=unknown)

    async def GetItems(  # noqa: N802
        self, request: catalog_service_pb2.GetItemsRequest, context: Context
    ) -> catalog_service_pb2.GetItemsResponse:
        await self.script.take(request, context)
        items = [_item(item_id) for item_id in request.item_ids if item_id != "missing"]
        return catalog_service_pb2.GetItemsResponse(artifact_version="v2", items=items)

    async def SearchItems(  # noqa: N802
        self, request: catalog_service_pb2.SearchItemsRequest, context: Context
    ) -> catalog_service_pb2.SearchItemsResponse:
        await self.script.take(request, context)
        ids = [item_id for item_id in ITEM_IDS if item_id > request.after_item_id]
        return catalog_service_pb2.SearchItemsResponse(
            artifact_version="v2",
            items=[_item(item_id) for item_id in ids[: request.page_size]],
            has_more=len(ids) > request.page_size,
        )

    async def ListCategories(  # noqa: N802
        self, request: catalog_service_pb2.ListCategoriesRequest, context: Context
    ) -> catalog_service_pb2.ListCategoriesResponse:
        await self.script.take(request, context)
        names = [name for name in ("Garden", "Home", "ß/1") if name > request.after_category]
        return catalog_service_pb2.ListCategoriesResponse(
            artifact_version="v2",
            categories=[catalog_service_pb2.Category(category=name, item_count=2) for name in names][
                : request.page_size
            ],
            has_more=len(names) > request.page_size,
        )


@dataclass
class FakeRuns:
    """v2 is live, v1 was removed and left a report."""

    script: Script

    async def ListRuns(  # noqa: N802
        self, request: run_service_pb2.ListRunsRequest, context: Context
    ) -> run_service_pb2.ListRunsResponse:
        await self.script.take(request, context)
        baseline = run_service_pb2.RunBaseline(name="popularity", metrics={"recall@20": 0.05})
        live = run_service_pb2.Run(
            artifact_version="v2",
            state=run_service_pb2.RUN_STATE_LIVE,
            trained_at=Timestamp(seconds=1735689600),
            model="als",
            user_count=3,
            item_count=30,
            metrics={"recall@20": 0.1},
            baselines=[baseline],
            users_judged=77,
            earned=[run_service_pb2.EarnedByList(order="served", outcome="bought", value=0.5, low=0.25, high=0.75)],
            has_report=False,
        )
        gone = run_service_pb2.Run(artifact_version="v1", state=run_service_pb2.RUN_STATE_REMOVED, refusal="worse")
        rejected = run_service_pb2.RejectedRows(reason="item_id: missing", rows=2)
        rows = run_service_pb2.FileRows(name="events", read=10, kept=7, ignored=1, rejected=[rejected])
        reading = run_service_pb2.Reading(read_at=Timestamp(seconds=1735689600), files=[rows])
        return run_service_pb2.ListRunsResponse(runs=[live, gone][: request.count], last_reading=reading)

    async def GetReport(  # noqa: N802
        self, request: run_service_pb2.GetReportRequest, context: Context
    ) -> run_service_pb2.GetReportResponse:
        await self.script.take(request, context)
        return run_service_pb2.GetReportResponse(html="<p>of v1" if request.artifact_version == "v1" else None)

    async def ActivateVersion(  # noqa: N802
        self, request: run_service_pb2.ActivateVersionRequest, context: Context
    ) -> run_service_pb2.ActivateVersionResponse:
        await self.script.take(request, context)
        return run_service_pb2.ActivateVersionResponse(refusal="worse" if request.artifact_version == "v3" else "")


@dataclass
class FakeModel(health_pb2_grpc.HealthServicer):
    """What either service says of itself: its model and its health."""

    script: Script
    service: str

    async def GetModel(  # noqa: N802
        self, request: model_service_pb2.GetModelRequest, context: Context
    ) -> model_service_pb2.GetModelResponse:
        await self.script.take(request, context)
        held = self.script.held[self.service]
        return model_service_pb2.GetModelResponse(
            artifact_version=held[0],
            model="als",
            dim=64,
            user_count=3,
            item_count=30,
            trained_at="2025-01-01T00:00:00Z",
            metrics=[
                model_service_pb2.Metric(name="recall@20", value=0.1, low=0.05, high=0.2),
                model_service_pb2.Metric(name="ndcg@20", value=0.05),
            ],
            held_versions=held,
            stream_sequence=self.script.trained_up_to.get(held[0], 0),
            refused="v3: users.arrow: sha256" if self.service == "reranker" else "",
            last_run=model_service_pb2.TrainingRun(
                artifact_version="v4", passed=False, reasons=["failed: worse"], users_judged=77
            ),
        )

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        await self.script.take(request, context)
        return health_pb2.HealthCheckResponse(status=self.script.health[self.service])


def _candidates(count: int, *, source: item_pb2.CandidateSource) -> item_pb2.CandidateSet:
    rows = range(min(count, len(ITEM_IDS)))
    return candidate_set(rows, scores=[-float(row) for row in rows], sources=[1 << source for _ in rows])


def _item(item_id: str) -> item_pb2.Item:
    """Of even items the shop gave everything, of odd ones nothing but the id."""
    if item_id in ITEM_IDS[1::2]:
        return item_pb2.Item(item_id=item_id, available=True)
    return item_pb2.Item(
        item_id=item_id,
        title=f"Title of {item_id}",
        category="Home",
        price=2.5,
        image_url=f"https://shop.example/{item_id}.jpg",
        available=True,
    )


@asynccontextmanager
async def _serving(script: Script, service: str) -> AsyncIterator[str]:
    """A service on a free port; gives its address."""
    server = grpc.aio.server()
    model = FakeModel(script, service)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    health_pb2_grpc.add_HealthServicer_to_server(model, server)
    if service == "candidate_gen":
        first = FakeCandidateGen(script)
        candidate_gen_service_pb2_grpc.add_CandidateGenServiceServicer_to_server(first, server)
        user_service_pb2_grpc.add_UserServiceServicer_to_server(first, server)
        run_service_pb2_grpc.add_RunServiceServicer_to_server(FakeRuns(script), server)
    else:
        second = FakeReranker(script)
        reranker_service_pb2_grpc.add_RerankerServiceServicer_to_server(second, server)
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(second, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """One event loop for all tests: grpc.aio has one poller a process, which may still hold an event for the loop of a
    test that is over, and fails in the next one where that loop is closed."""
    yield  # noqa: PT022 # the loop lives as long as this


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def received(script: Script) -> list[Message]:
    """Every request that a fake service got, in order."""
    return script.received


@pytest.fixture
def request_ids(script: Script) -> list[str]:
    """The request id that each of them carried."""
    return script.request_ids


@pytest.fixture
def remaining_s(script: Script) -> list[float]:
    """The seconds to its deadline when it came."""
    return script.remaining_s


@pytest.fixture
def failures(script: Script) -> dict[str, Failure]:
    """Calls that fail, by name: `failures["Rerank"] = (StatusCode.INTERNAL, "words")`."""
    return script.failures


@pytest.fixture
def held(script: Script) -> dict[str, list[str]]:
    """The versions that a service holds, the live one first."""
    return script.held


@pytest.fixture
def trained_up_to(script: Script) -> dict[str, int]:
    """The place in the stream up to which a version was trained; 0 where none is told."""
    return script.trained_up_to


@pytest.fixture
def health(script: Script) -> dict[str, int]:
    """The serving status of each service."""
    return script.health


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """Of the embedded feature store."""
    return f"sqlite://{tmp_path}/features.db"


@pytest.fixture
async def live(store_url: str) -> AsyncIterator[LiveShop]:
    """A fresh embedded store and what is followed from it."""
    async with go_live(Settings(feature_store_url=store_url)) as live:
        yield live


def application(settings: Settings, clients: Clients, live: LiveShop) -> FastAPI:
    """Open to everybody, without a list of its own."""
    return create_app(
        settings,
        clients,
        live,
        guard=Access(),
        metrics=GatewayMetrics(),
        popular=PopularList(),
    )


@pytest.fixture
async def app(script: Script, live: LiveShop, store_url: str) -> AsyncIterator[FastAPI]:
    """The application over both fakes and a real embedded store."""
    async with _serving(script, "candidate_gen") as candidate_gen, _serving(script, "reranker") as reranker:
        settings = Settings(
            candidate_gen_target=candidate_gen,
            reranker_target=reranker,
            call_streams=0,  # the fakes have none
            timeout_s=10,
            candidates=20,
            store_timeout_s=10,
            feature_store_url=store_url,
            cursor_key=SecretStr("of the test's application"),
        )
        async with connect(settings) as clients:
            yield application(settings, clients, live)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


class _AnnouncingServer(uvicorn.Server):
    """Says its address when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.address: Future[str] = Future()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        self.address.set_result(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the application over both fakes and a real embedded store, served over HTTP from a thread of its own."""
    store_url = f"sqlite://{tmp_path_factory.mktemp('served')}/features.db"
    ready: Future[_AnnouncingServer] = Future()

    async def serve() -> None:
        script = Script()
        async with _serving(script, "candidate_gen") as candidate_gen, _serving(script, "reranker") as reranker:
            settings = Settings(
                candidate_gen_target=candidate_gen,
                reranker_target=reranker,
                call_streams=0,  # the fakes have none
                timeout_s=10,
                store_timeout_s=10,
                feature_store_url=store_url,
            )
            async with connect(settings) as clients, go_live(settings) as live:
                app = application(settings, clients, live)
                server = _AnnouncingServer(
                    uvicorn.Config(app, port=0, http="httptools", ws="none", lifespan="off", log_config=None)
                )
                ready.set_result(server)
                await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="gateway", daemon=True)
    thread.start()
    server = ready.result(timeout=WITHIN_S)
    yield server.address.result(timeout=WITHIN_S)
    server.should_exit = True
    thread.join()
