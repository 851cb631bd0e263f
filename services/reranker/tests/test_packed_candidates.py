"""Candidates are read as the wire's comment says that they are packed: little-endian numbers of four bytes."""

from hypothesis import given
from hypothesis import strategies as st
from packed_candidates import candidate_set

from recsys.v1.reranker_service_pb2 import RerankRequest
from reranker.wire import request_of

uint32 = st.integers(0, 2**32 - 1)
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(uint32, float32, uint32), max_size=300), st.lists(st.text(), max_size=5))
def test_what_was_packed_is_what_is_ranked(candidates: list[tuple[int, float, int]], new_item_ids: list[str]) -> None:
    rows, scores, sources = (list(column) for column in zip(*candidates, strict=True)) if candidates else ([], [], [])
    packed = candidate_set(rows, scores=scores, sources=sources, new_item_ids=new_item_ids)
    read = request_of(RerankRequest.FromString(RerankRequest(candidates=packed).SerializeToString())).candidates
    assert (read.rows.tolist(), read.scores.tolist(), read.sources.tolist()) == (rows, scores, sources)
    assert list(read.new_item_ids) == new_item_ids
