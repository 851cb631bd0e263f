"""Candidates are packed as the wire's comment says: little-endian numbers of four bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from packed_candidates import candidate_set

from candidate_gen.candidates import Candidates
from candidate_gen.wire import put_candidates
from recsys.v1.item_pb2 import CandidateSet

uint32 = st.integers(0, 2**32 - 1)
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(uint32, float32, uint32), max_size=300), st.lists(st.text(), max_size=5))
def test_candidates_are_packed_number_after_number(
    candidates: list[tuple[int, float, int]], new_item_ids: list[str]
) -> None:
    rows, scores, sources = (list(column) for column in zip(*candidates, strict=True)) if candidates else ([], [], [])
    found = Candidates(
        rows=np.array(rows, np.uint32),
        scores=np.array(scores, np.float32),
        sources=np.array(sources, np.uint32),
        new_item_ids=new_item_ids,
        lists=[],
    )
    packed = CandidateSet()
    put_candidates(packed, found)
    assert packed == candidate_set(rows, scores=scores, sources=sources, new_item_ids=new_item_ids)
    assert packed.HasField("rows")  # with no candidates too: its absence says that another release packed them
