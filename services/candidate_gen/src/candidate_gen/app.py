"""What the process is made of: a watcher that holds retrievers, and a server with the services that ask it."""

from functools import partial

import faiss

from candidate_gen.campaigns.campaign_servicer import CampaignServicer
from candidate_gen.metrics import CandidateMetrics
from candidate_gen.retriever import Retriever
from candidate_gen.run_servicer import RunServicer
from candidate_gen.search.gpu_index import index_class
from candidate_gen.search.recall_sample import RecallSample
from candidate_gen.servicer import CandidateGenServicer
from candidate_gen.settings import Settings
from candidate_gen.sources import SourceCounts
from candidate_gen.user_servicer import UserServicer
from recsys.artifact.model_metrics import LastTraining
from recsys.artifact.reader import newest_manifest
from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.rpc.server import RpcServer
from recsys.rpc.service import assemble, opened_store
from recsys.v1.campaign_service_pb2_grpc import add_CampaignServiceServicer_to_server
from recsys.v1.candidate_gen_service_pb2_grpc import add_CandidateGenServiceServicer_to_server
from recsys.v1.run_service_pb2_grpc import add_RunServiceServicer_to_server
from recsys.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server


def create(settings: Settings, live: LiveState, metrics: Metrics) -> tuple[RpcServer, Watcher[Retriever]]:
    """The server and what it answers from, beside the shop's live state; neither is started.

    Raises: CertificateError.
    """
    counts = SourceCounts(
        session=settings.session_count,
        popular=settings.popular_count,
        trending=settings.trending_count,
        new=settings.new_count,
        transitions=settings.transitions_count,
        content=settings.content_count,
    )
    last_run = partial(newest_manifest, settings.artifact_dir)
    metrics.artifact.follow(LastTraining(settings.artifact_dir))
    recall = RecallSample(every_s=settings.recall_every_s)
    candidate_metrics = CandidateMetrics(recall)
    metrics.registry.register(candidate_metrics)
    server, watcher = assemble(
        settings,
        metrics,
        load=partial(
            Retriever, live=live, counts=counts, recall=recall, index_class=index_class(settings.index_device)
        ),
        # OpenMP keeps its number of threads by thread: set in the main thread, it would not hold for the workers
        prepare_worker=partial(faiss.omp_set_num_threads, 1),
        # candidates of a version can be ranked where the reranker holds it: by then every replica does
        take_after_s=settings.take_after_s,
        last_run=last_run,
    )
    candidates = CandidateGenServicer(watcher, max_count=settings.max_count, metrics=candidate_metrics)
    campaigns = CampaignServicer(watcher, max_count=settings.max_count, threads=settings.campaign_threads)
    server.add(add_CandidateGenServiceServicer_to_server, candidates)
    server.add(add_CampaignServiceServicer_to_server, campaigns)
    server.add(add_UserServiceServicer_to_server, UserServicer(watcher, live=live, max_count=settings.max_count))
    runs = RunServicer(settings.artifact_dir, opened_store=partial(opened_store, settings))
    server.add(add_RunServiceServicer_to_server, runs)
    return server, watcher
