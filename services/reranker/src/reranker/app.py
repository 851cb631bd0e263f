"""What the process is made of: a watcher that holds rankers, and a server with the services that ask it."""

from functools import partial

from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.rpc.server import RpcServer
from recsys.rpc.service import assemble
from recsys.v1.catalog_service_pb2_grpc import add_CatalogServiceServicer_to_server
from recsys.v1.reranker_service_pb2_grpc import add_RerankerServiceServicer_to_server
from reranker.catalog_servicer import CatalogServicer
from reranker.ranker import Ranker
from reranker.servicer import RerankerServicer
from reranker.settings import Settings


def create(settings: Settings, live: LiveState, metrics: Metrics) -> tuple[RpcServer, Watcher[Ranker]]:
    """The server and what it answers from, beside the shop's live state; neither is started.

    Raises: CertificateError.
    """
    server, watcher = assemble(settings, metrics, load=partial(Ranker, live=live))
    rerank = RerankerServicer(watcher, max_candidates=settings.max_candidates)
    server.add(add_RerankerServiceServicer_to_server, rerank)
    server.add(add_CatalogServiceServicer_to_server, CatalogServicer(watcher, max_page_size=settings.max_page_size))
    return server, watcher
