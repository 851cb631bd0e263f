"""`recsys.v1.CandidateGenService`: wire → retriever → wire."""

from typing import Final

import grpc

from candidate_gen.retriever import Candidates, Retriever, Source
from recsys.artifact.watcher import Watcher
from recsys.rpc.requests import check_count, check_given
from recsys.v1.candidate_gen_service_pb2 import (
    GetCandidatesRequest,
    GetCandidatesResponse,
    GetPopularItemsRequest,
    GetPopularItemsResponse,
    GetSimilarItemsRequest,
    GetSimilarItemsResponse,
)
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceServicer
from recsys.v1.item_pb2 import (
    CANDIDATE_SOURCE_ANN,
    CANDIDATE_SOURCE_POPULAR,
    CANDIDATE_SOURCE_SIMILAR,
    Candidate,
    CandidateSource,
)

_WIRE_SOURCE: Final[dict[Source, CandidateSource]] = {
    Source.ANN: CANDIDATE_SOURCE_ANN,
    Source.POPULAR: CANDIDATE_SOURCE_POPULAR,
    Source.SIMILAR: CANDIDATE_SOURCE_SIMILAR,
}


class CandidateGenServicer(CandidateGenServiceServicer):
    """Answers from the version that a request names, or from the current one."""

    def __init__(self, watcher: Watcher[Retriever], *, max_count: int) -> None:
        self._watcher = watcher
        self._max_count = max_count

    def GetCandidates(  # noqa: N802
        self, request: GetCandidatesRequest, context: grpc.ServicerContext
    ) -> GetCandidatesResponse:
        check_given("user_id", request.user_id)
        check_count("count", request.count, at_most=self._max_count)
        retriever = self._watcher.get(request.artifact_version)
        user_row = retriever.user_row(request.user_id)
        if user_row is None:
            candidates = retriever.popular(count=request.count)
        else:
            candidates = retriever.for_user(user_row, count=request.count, include_seen=request.include_seen)
        return GetCandidatesResponse(
            artifact_version=retriever.manifest.version,
            candidates=_to_wire(candidates),
            user_known=user_row is not None,
        )

    def GetSimilarItems(  # noqa: N802
        self, request: GetSimilarItemsRequest, context: grpc.ServicerContext
    ) -> GetSimilarItemsResponse:
        check_given("item_id", request.item_id)
        check_count("count", request.count, at_most=self._max_count)
        retriever = self._watcher.get(request.artifact_version)
        candidates = retriever.similar(request.item_id, count=request.count)
        return GetSimilarItemsResponse(artifact_version=retriever.manifest.version, candidates=_to_wire(candidates))

    def GetPopularItems(  # noqa: N802
        self, request: GetPopularItemsRequest, context: grpc.ServicerContext
    ) -> GetPopularItemsResponse:
        check_count("count", request.count, at_most=self._max_count)
        retriever = self._watcher.get(request.artifact_version)
        candidates = retriever.popular(count=request.count)
        return GetPopularItemsResponse(artifact_version=retriever.manifest.version, candidates=_to_wire(candidates))


def _to_wire(candidates: Candidates) -> list[Candidate]:
    source = _WIRE_SOURCE[candidates.source]
    return [
        Candidate(item_id=item_id, score=score, source=source)
        for item_id, score in zip(candidates.item_ids, candidates.scores, strict=True)
    ]
