"""Requests and candidates as the wire has them; whole arrays at a time."""

from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from candidate_gen.candidates import Candidates
from candidate_gen.excluded import NOT_SEEN, Seen
from candidate_gen.retriever import Asker, Conditions, Retriever
from recsys.shop.filter import filter_from_wire
from recsys.v1 import item_pb2
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, HistoryVectors

_NO_FILTER: Final = item_pb2.Filter()


def asker_of(request: GetCandidatesRequest) -> Asker:
    """Who asks; the messages of the events are read as they are."""
    return Asker(
        user_id=request.user_id,
        erased_sequence=request.erased_sequence,
        events=request.events,
        events_after=request.events_after,
        basket_item_ids=request.basket_item_ids,
        history=request.history,
    )


def conditions_of(wanted: item_pb2.Filter, *, seen: Seen = NOT_SEEN) -> Conditions:
    """What an answer must be. Raises: InvalidArgumentError (the bounds exclude each other, or are no numbers)."""
    if wanted == _NO_FILTER:
        return Conditions(seen=seen)
    return Conditions(filter=filter_from_wire(wanted), exclude_item_ids=wanted.exclude_item_ids, seen=seen)


def seen_of(request: GetCandidatesRequest) -> Seen:
    """What counts as seen."""
    return Seen(is_included=request.include_seen, event_types=request.seen_event_types, item_ids=request.seen_item_ids)


def put_candidates(wire: item_pb2.CandidateSet, candidates: Candidates) -> None:
    """Parallel arrays, and the lists of the sources where there are any; into a message that would be copied else."""
    wire.rows = candidates.rows.astype("<u4", copy=False).tobytes()
    wire.scores = candidates.scores.astype("<f4", copy=False).tobytes()
    wire.sources = candidates.sources.astype("<u4", copy=False).tobytes()
    wire.new_item_ids.extend(candidates.new_item_ids)
    for each in candidates.lists:
        wire.lists.add(
            source=cast("item_pb2.CandidateSource", int(each.source)),  # numbered alike; a test sees to it
            rows=[row for row, _ in each.ranked],
            scores=[score for _, score in each.ranked],
        )


def item_ids_of(candidates: Candidates, retriever: Retriever) -> list[str]:
    """The ids of the candidates, in their order."""
    items, rows = retriever.artifact.items, candidates.rows.tolist()
    return [items.id_of(row) if row < len(items) else candidates.new_item_ids[row - len(items)] for row in rows]


def history_to_wire(rows: NDArray[np.int64], vectors: NDArray[np.float32], retriever: Retriever) -> HistoryVectors:
    """Items of the history, and what each adds to the query vector."""
    return HistoryVectors(
        item_ids=[retriever.artifact.items.id_of(row) for row in rows.tolist()], vectors=vector_to_wire(vectors)
    )


def vector_to_wire(vectors: NDArray[np.float32]) -> bytes:
    """float32, little-endian, C order."""
    return vectors.astype("<f4", copy=False).tobytes()
