"""Both gRPC services in this process, over one volume."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import NEVER_S, serving
from two_services import System

import candidate_gen.app
import candidate_gen.settings
import reranker.app
import reranker.settings
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.model_service_pb2_grpc import ModelServiceStub
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceStub


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    volume = tmp_path / "volume"
    metrics = (Metrics(), Metrics())
    first = candidate_gen.app.create(
        candidate_gen.settings.Settings(artifact_dir=volume, poll_interval_s=NEVER_S, take_after_s=0),
        LiveState(),
        metrics[0],
    )
    second = reranker.app.create(
        reranker.settings.Settings(artifact_dir=volume, poll_interval_s=NEVER_S), LiveState(), metrics[1]
    )
    with serving(*first) as to_candidate_gen, serving(*second) as to_reranker:
        yield System(
            volume=volume,
            candidate_gen=CandidateGenServiceStub(to_candidate_gen),  # type: ignore[no-untyped-call] # generated
            reranker=RerankerServiceStub(to_reranker),  # type: ignore[no-untyped-call] # generated
            models=(
                ModelServiceStub(to_candidate_gen),  # type: ignore[no-untyped-call] # generated
                ModelServiceStub(to_reranker),  # type: ignore[no-untyped-call] # generated
            ),
            retrievers=first[1],
            rankers=second[1],
            metrics=metrics,
        )
