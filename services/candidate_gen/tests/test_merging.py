"""Proposals of several sources as one list."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candidate_gen.candidates import Proposals, merge
from candidate_gen.search.item_index import Neighbours
from recsys.shop.sources import Source
from recsys.v1.item_pb2 import CandidateSource


def proposed(source: Source, *rows: int, score: float = 1.0) -> Proposals:
    return Proposals(source, Neighbours(np.array(rows, np.int64), np.full(len(rows), score, np.float32)))


def bits(*sources: Source) -> int:
    return sum(1 << source for source in sources)


def test_each_item_stands_where_the_first_source_put_it_and_names_all_of_them() -> None:
    merged = merge([
        proposed(Source.ANN, 7, 3, 9, score=0.5),
        proposed(Source.SESSION),
        proposed(Source.POPULAR, 3, 1, score=20),
        proposed(Source.TRENDING, 1, 7, 2, score=8),
    ])  # fmt: skip
    assert merged.rows == [7, 3, 9, 1, 2]
    assert merged.scores == [0.5, 0.5, 0.5, 20, 8]
    assert merged.sources == [
        bits(Source.ANN, Source.TRENDING),
        bits(Source.ANN, Source.POPULAR),
        bits(Source.ANN),
        bits(Source.POPULAR, Source.TRENDING),
        bits(Source.TRENDING),
    ]


def test_nothing_merged_is_nothing() -> None:
    assert merge([proposed(Source.ANN), proposed(Source.NEW)]).rows == []


@given(st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12), min_size=1, max_size=5))
def test_merging_is_what_a_loop_would_do(lists: list[list[int]]) -> None:
    sources = [Source.ANN, Source.SESSION, Source.POPULAR, Source.TRENDING, Source.NEW]
    merged = merge([proposed(source, *rows) for source, rows in zip(sources, lists, strict=False)])
    expected: dict[int, int] = {}
    for source, rows in zip(sources, lists, strict=False):
        for row in rows:
            expected[row] = expected.get(row, 0) | bits(source)
    assert dict(zip(merged.rows, merged.sources, strict=True)) == expected
    assert merged.rows == list(expected)


def test_sources_are_numbered_as_on_the_wire() -> None:
    assert {f"CANDIDATE_SOURCE_{source.name}": source.value for source in Source} == {
        name: number for name, number in CandidateSource.items() if name != "CANDIDATE_SOURCE_UNSPECIFIED"
    }
