"""What the process is made of: a watcher that holds rankers, and a server with the services that ask it."""

from functools import partial

from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.rpc.model_servicer import ModelServicer
from recsys.rpc.server import RpcServer
from recsys.v1 import catalog_service_pb2, model_service_pb2, reranker_service_pb2
from recsys.v1.catalog_service_pb2_grpc import add_CatalogServiceServicer_to_server
from recsys.v1.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from recsys.v1.reranker_service_pb2_grpc import add_RerankerServiceServicer_to_server
from reranker.catalog_servicer import CatalogServicer
from reranker.ranker import Ranker
from reranker.servicer import RerankerServicer
from reranker.settings import Settings


def create(settings: Settings, live: LiveState, metrics: Metrics) -> tuple[RpcServer, Watcher[Ranker]]:
    """The server and what it answers from, beside the shop's live state; neither is started.

    Raises: CertificateError.
    """
    server = RpcServer(settings.limits(), metrics=metrics, tls=settings.tls_files())
    watcher = Watcher(
        settings.artifact_dir,
        load=partial(Ranker, live=live),
        warm=Ranker.warm,
        poll_interval_s=settings.poll_interval_s,
        metrics=metrics.artifact,
        on_loaded=server.set_serving,
    )
    rerank = RerankerServicer(watcher, max_candidates=settings.max_candidates)
    catalog = CatalogServicer(watcher, max_page_size=settings.max_page_size)
    model = ModelServicer(watcher)
    server.add(reranker_service_pb2.DESCRIPTOR, partial(add_RerankerServiceServicer_to_server, rerank))
    server.add(catalog_service_pb2.DESCRIPTOR, partial(add_CatalogServiceServicer_to_server, catalog))
    server.add(model_service_pb2.DESCRIPTOR, partial(add_ModelServiceServicer_to_server, model))
    return server, watcher
