"""What the process is made of: a watcher that holds retrievers, and a server with the services that ask it."""

from functools import partial

import faiss

from candidate_gen.campaigns.campaign_servicer import CampaignServicer
from candidate_gen.retriever import Retriever, SourceCounts
from candidate_gen.servicer import CandidateGenServicer
from candidate_gen.settings import Settings
from candidate_gen.user_servicer import UserServicer
from recsys.artifact.verdict import newest_verdict
from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.rpc.model_servicer import ModelServicer
from recsys.rpc.server import RpcServer
from recsys.v1 import campaign_service_pb2, candidate_gen_service_pb2, model_service_pb2, user_service_pb2
from recsys.v1.campaign_service_pb2_grpc import add_CampaignServiceServicer_to_server
from recsys.v1.candidate_gen_service_pb2_grpc import add_CandidateGenServiceServicer_to_server
from recsys.v1.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from recsys.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server


def create(settings: Settings, live: LiveState, metrics: Metrics) -> tuple[RpcServer, Watcher[Retriever]]:
    """The server and what it answers from, beside the shop's live state; neither is started.

    Raises: CertificateError.
    """
    # OpenMP keeps its number of threads by thread: set in the main thread, it would not hold for the workers
    server = RpcServer(
        settings.limits(),
        prepare_worker=partial(faiss.omp_set_num_threads, 1),
        metrics=metrics,
        tls=settings.tls_files(),
    )
    counts = SourceCounts(
        session=settings.session_count,
        popular=settings.popular_count,
        trending=settings.trending_count,
        new=settings.new_count,
    )
    watcher = Watcher(
        settings.artifact_dir,
        load=partial(Retriever, live=live, counts=counts),
        warm=Retriever.warm,
        poll_interval_s=settings.poll_interval_s,
        # candidates of a version can be ranked where the reranker holds it: by then every replica does
        take_after_s=settings.take_after_s,
        metrics=metrics.artifact,
        on_loaded=server.set_serving,
    )
    candidates = CandidateGenServicer(watcher, max_count=settings.max_count)
    campaigns = CampaignServicer(watcher, max_count=settings.max_count, threads=settings.campaign_threads)
    users = UserServicer(watcher, live=live, max_count=settings.max_count)
    last_run = partial(newest_verdict, settings.artifact_dir)
    metrics.artifact.follow_training(lambda: (verdict := last_run()) is not None and not verdict.passed)
    model = ModelServicer(watcher, last_run=last_run)
    server.add(candidate_gen_service_pb2.DESCRIPTOR, partial(add_CandidateGenServiceServicer_to_server, candidates))
    server.add(campaign_service_pb2.DESCRIPTOR, partial(add_CampaignServiceServicer_to_server, campaigns))
    server.add(user_service_pb2.DESCRIPTOR, partial(add_UserServiceServicer_to_server, users))
    server.add(model_service_pb2.DESCRIPTOR, partial(add_ModelServiceServicer_to_server, model))
    return server, watcher
