"""Both gRPC services, as a test of the two together sees them."""

from dataclasses import dataclass
from pathlib import Path

from in_process import TIMEOUT_S

from candidate_gen.retriever import Retriever
from recsys.artifact.watcher import Watcher
from recsys.observability.metrics import Metrics
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, GetCandidatesResponse
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.model_service_pb2 import GetModelRequest, GetModelResponse
from recsys.v1.model_service_pb2_grpc import ModelServiceStub
from recsys.v1.reranker_service_pb2 import RerankRequest, RerankResponse
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceStub
from reranker.ranker import Ranker


@dataclass(frozen=True)
class System:
    """The services' stubs, and the watchers, which look at the volume only when the test says so."""

    volume: Path
    candidate_gen: CandidateGenServiceStub
    reranker: RerankerServiceStub
    models: tuple[ModelServiceStub, ModelServiceStub]
    retrievers: Watcher[Retriever]
    rankers: Watcher[Ranker]
    metrics: tuple[Metrics, Metrics]

    def candidates(self, user_id: str, *, count: int = 5, version: str = "") -> GetCandidatesResponse:
        request = GetCandidatesRequest(user_id=user_id, count=count, artifact_version=version, packed=True)
        response: GetCandidatesResponse = self.candidate_gen.GetCandidates(request, timeout=TIMEOUT_S)
        return response

    def rerank(self, found: GetCandidatesResponse, *, count: int = 5) -> RerankResponse:
        request = RerankRequest(
            artifact_version=found.artifact_version,
            query_vector=found.query_vector,
            candidates=found.candidates,
            count=count,
        )
        response: RerankResponse = self.reranker.Rerank(request, timeout=TIMEOUT_S)
        return response

    def model_infos(self) -> list[GetModelResponse]:
        """What both services say about their model."""
        return [model.GetModel(GetModelRequest(), timeout=TIMEOUT_S) for model in self.models]

    def poll(self) -> None:
        """Let both services look for a new version."""
        self.retrievers.poll()
        self.rankers.poll()
