"""Proposals of several sources as one list."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candidate_gen.candidates import Merged, Proposals, merge
from candidate_gen.search.item_index import Neighbours
from candidate_gen.search.item_set import RowSet
from recsys.shop.sources import Source
from recsys.v1.item_pb2 import CandidateSource

EVERY_ROW = RowSet.of(np.ones(31, bool))


def proposed(source: Source, *rows: int, score: float = 1.0) -> Proposals:
    return Proposals(source, Neighbours(np.array(rows, np.int64), np.full(len(rows), score, np.float32)), len(rows))


def merged_of(*proposals: Proposals) -> Merged:
    return merge(proposals, EVERY_ROW)


def bits(*sources: Source) -> int:
    return sum(1 << source for source in sources)


def test_each_item_stands_where_the_first_source_put_it_and_names_all_of_them() -> None:
    merged = merged_of(
        proposed(Source.ANN, 7, 3, 9, score=0.5),
        proposed(Source.SESSION),
        proposed(Source.POPULAR, 3, 1, score=20),
        proposed(Source.TRENDING, 1, 7, 2, score=8),
    )
    assert merged.rows.tolist() == [7, 3, 9, 1, 2]
    assert merged.scores.tolist() == [0.5, 0.5, 0.5, 20, 8]
    assert merged.sources.tolist() == [
        bits(Source.ANN, Source.TRENDING),
        bits(Source.ANN, Source.POPULAR),
        bits(Source.ANN),
        bits(Source.POPULAR, Source.TRENDING),
        bits(Source.TRENDING),
    ]


def test_nothing_merged_is_nothing() -> None:
    assert merged_of(proposed(Source.ANN), proposed(Source.NEW)).rows.tolist() == []


@given(
    lists=st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12), min_size=1, max_size=5),
    gone=st.lists(st.integers(0, 30), max_size=10),
    mosts=st.lists(st.integers(0, 12), min_size=5, max_size=5),
)
def test_merging_is_what_a_loop_would_do(lists: list[list[int]], gone: list[int], mosts: list[int]) -> None:
    sources = [Source.ANN, Source.SESSION, Source.POPULAR, Source.TRENDING, Source.NEW]
    listed = list(zip(sources, lists, mosts, strict=False))
    left = EVERY_ROW.without(np.array(gone, np.int64))
    merged = merge([replace(proposed(source, *rows), most=most) for source, rows, most in listed], left)
    expected: dict[int, int] = {}
    for source, rows, most in listed:
        for row in [row for row in rows if row not in gone][:most]:
            expected[row] = expected.get(row, 0) | bits(source)
    assert dict(zip(merged.rows.tolist(), merged.sources.tolist(), strict=True)) == expected
    assert merged.rows.tolist() == list(expected)


def test_sources_are_numbered_as_on_the_wire() -> None:
    assert {f"CANDIDATE_SOURCE_{source.name}": source.value for source in Source} == {
        name: number for name, number in CandidateSource.items() if name != "CANDIDATE_SOURCE_UNSPECIFIED"
    }
