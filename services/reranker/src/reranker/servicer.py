"""`recsys.v1.RerankerService`: wire → ranker → wire."""

import grpc

from recsys.artifact.watcher import Watcher
from recsys.rpc.requests import check_at_least_one, check_at_most, check_given
from recsys.v1.reranker_service_pb2 import RerankRequest, RerankResponse
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceServicer
from reranker.ranker import Ranker
from reranker.wire import ROW_BYTES, page_to_wire, remainder_to_wire, request_of


class RerankerServicer(RerankerServiceServicer):
    """Answers from the version that the candidates came from, and from no other."""

    def __init__(self, watcher: Watcher[Ranker], *, max_candidates: int) -> None:
        self._watcher = watcher
        self._max_candidates = max_candidates

    def Rerank(self, request: RerankRequest, context: grpc.ServicerContext) -> RerankResponse:  # noqa: N802
        check_given("artifact_version", request.artifact_version)
        check_at_least_one("count", request.count)
        candidates = len(request.candidates.rows) // ROW_BYTES
        check_at_most("candidates.rows", candidates, at_most=self._max_candidates)
        ranker = self._watcher.get(request.artifact_version)
        ranking = ranker.rank(request_of(request))
        response = RerankResponse(
            artifact_version=ranker.manifest.version,
            candidates_read=candidates,
            remainder=remainder_to_wire(list(ranking.rest)) if request.with_remainder else None,
        )
        response.MergeFromString(page_to_wire(ranking.items))
        return response
