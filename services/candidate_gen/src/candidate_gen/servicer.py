"""`recsys.v1.CandidateGenService`: wire → retriever → wire."""

from typing import cast

import grpc

from candidate_gen.metrics import CandidateMetrics
from candidate_gen.query.query_vectors import VectorOrigin
from candidate_gen.retriever import Retrieved, Retriever
from candidate_gen.search.recall_sample import RecallSample
from candidate_gen.wire import (
    asker_of,
    conditions_of,
    history_to_wire,
    item_ids_of,
    put_candidates,
    seen_of,
    vector_to_wire,
)
from recsys.artifact.watcher import Watcher
from recsys.rpc.requests import check_count, check_given
from recsys.v1.candidate_gen_service_pb2 import (
    DroppedItems,
    GetCandidatesRequest,
    GetCandidatesResponse,
    GetPopularItemsRequest,
    GetPopularItemsResponse,
    GetSimilarItemsRequest,
    GetSimilarItemsResponse,
)
from recsys.v1.candidate_gen_service_pb2 import VectorOrigin as WireVectorOrigin
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceServicer


class CandidateGenServicer(CandidateGenServiceServicer):
    """Answers from the version that a request names, or from the current one."""

    def __init__(self, watcher: Watcher[Retriever], *, max_count: int, metrics: CandidateMetrics | None = None) -> None:
        self._watcher = watcher
        self._max_count = max_count
        self._metrics = metrics or CandidateMetrics(RecallSample())

    def GetCandidates(  # noqa: N802
        self, request: GetCandidatesRequest, context: grpc.ServicerContext
    ) -> GetCandidatesResponse:
        check_count("count", request.count, at_most=self._max_count)
        conditions = conditions_of(request.filter, seen=seen_of(request))
        retriever = self._watcher.get(request.artifact_version)
        retrieved = retriever.candidates(asker_of(request), conditions, count=request.count, explain=request.explain)
        query = retrieved.query
        self._metrics.retrieved(query.origin, retrieved.nearest, retrieved.others)
        response = GetCandidatesResponse(
            artifact_version=retriever.manifest.version,
            vector_origin=cast("WireVectorOrigin", int(query.origin)),  # numbered alike; a test sees to it
            query_vector=b"" if query.origin is VectorOrigin.NONE else vector_to_wire(query.vector),
            matching_items=retrieved.matching_items,
            stream_sequence=retriever.manifest.stream_sequence,
            item_ids=item_ids_of(retrieved.candidates, retriever) if request.with_item_ids else (),
        )
        put_candidates(response.candidates, retrieved.candidates)
        response.candidates.transitions = vector_to_wire(retrieved.transitions)
        response.candidates.history_rows = retrieved.taken_up.rows.astype("<u4").tobytes()
        response.candidates.history_times = retrieved.taken_up.times.astype("<i8").tobytes()
        if request.explain:
            _explain(response, retrieved, retriever)
        return response

    def GetSimilarItems(  # noqa: N802
        self, request: GetSimilarItemsRequest, context: grpc.ServicerContext
    ) -> GetSimilarItemsResponse:
        check_given("item_id", request.item_id)
        check_count("count", request.count, at_most=self._max_count)
        conditions = conditions_of(request.filter)
        retriever = self._watcher.get(request.artifact_version)
        candidates = retriever.similar(
            request.item_id, conditions, count=request.count, bought_together=request.bought_together
        )
        response = GetSimilarItemsResponse(
            artifact_version=retriever.manifest.version,
            item_ids=item_ids_of(candidates, retriever) if request.with_item_ids else (),
        )
        put_candidates(response.candidates, candidates)
        return response

    def GetPopularItems(  # noqa: N802
        self, request: GetPopularItemsRequest, context: grpc.ServicerContext
    ) -> GetPopularItemsResponse:
        check_count("count", request.count, at_most=self._max_count)
        conditions = conditions_of(request.filter)
        retriever = self._watcher.get(request.artifact_version)
        candidates = retriever.popular(conditions, count=request.count, trending=request.trending)
        response = GetPopularItemsResponse(
            artifact_version=retriever.manifest.version,
            item_ids=item_ids_of(candidates, retriever) if request.with_item_ids else (),
        )
        put_candidates(response.candidates, candidates)
        return response


def _explain(response: GetCandidatesResponse, retrieved: Retrieved, retriever: Retriever) -> None:
    """Add what an answer is made of. The sources' lists are there already."""
    response.dropped.extend(DroppedItems(reason=reason, count=count) for reason, count in retrieved.dropped.items())
    rows, vectors = retriever.queries.contributions(retrieved.query)
    response.history.CopyFrom(history_to_wire(rows, vectors, retriever))
    transitions, times = retriever.artifact.transitions, retrieved.query.history.times[: len(rows)]
    if transitions is not None:
        response.history.transition_factors.extend(transitions.factors(times).tolist())
