"""`recsys.v1.RerankerService`: wire → scorer → wire."""

from typing import cast

import grpc

from recsys.artifact.watcher import Watcher
from recsys.rpc.requests import check_at_least_one, check_at_most, check_given
from recsys.v1.item_pb2 import CandidateSource
from recsys.v1.item_pb2 import RankedItem as WireRankedItem
from recsys.v1.reranker_service_pb2 import RerankRequest, RerankResponse
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceServicer
from reranker.scorer import Candidate, RankedItem, Scorer
from reranker.wire import item_to_wire


class RerankerServicer(RerankerServiceServicer):
    """Answers from the version that the candidates came from, and from no other."""

    def __init__(self, watcher: Watcher[Scorer], *, max_candidates: int) -> None:
        self._watcher = watcher
        self._max_candidates = max_candidates

    def Rerank(self, request: RerankRequest, context: grpc.ServicerContext) -> RerankResponse:  # noqa: N802
        check_given("artifact_version", request.artifact_version)
        check_at_least_one("count", request.count)
        check_at_most("candidates", len(request.candidates), at_most=self._max_candidates)
        scorer = self._watcher.get(request.artifact_version)
        return RerankResponse(
            artifact_version=scorer.manifest.version,
            items=[_to_wire(ranked) for ranked in _rank(scorer, request)],
        )


def _rank(scorer: Scorer, request: RerankRequest) -> list[RankedItem]:
    candidates = [Candidate(each.item_id, each.score, each.source) for each in request.candidates]
    match request.WhichOneof("query"):
        case "user_id":
            return scorer.rank_for_user(request.user_id, candidates, count=request.count)
        case "item_id":
            return scorer.rank_for_item(request.item_id, candidates, count=request.count)
        case _:
            return scorer.rank_as_given(candidates, count=request.count)


def _to_wire(ranked: RankedItem) -> WireRankedItem:
    sources = cast("list[CandidateSource]", ranked.sources)  # plain numbers in the domain, and on the wire
    return WireRankedItem(item=item_to_wire(ranked.item), score=ranked.score, sources=sources)
