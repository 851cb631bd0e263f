"""Proposals of several sources as one list, and the heads of lists that are kept with a set, against plain loops."""

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candidate_gen import sources
from candidate_gen.candidates import Candidates, Proposals, candidates_of
from candidate_gen.search.item_index import Neighbours
from candidate_gen.search.item_set import ItemSet, RowSet
from candidate_gen.sources import PopularItems, new_items, trending_items
from recsys.shop.sources import Source
from recsys.v1.item_pb2 import CandidateSource

SOURCES = [Source.ANN, Source.SESSION, Source.POPULAR, Source.TRENDING, Source.NEW]
ITEMS = 31  # rows of the version; from there on they are of items that the shop added
NEW_IDS = [f"new-{row}" for row in range(10)]
rows = st.integers(0, ITEMS + len(NEW_IDS) - 1)
scores = st.floats(width=32, allow_nan=False, allow_infinity=False)
counts = st.integers(0, 12)


def proposed(source: Source, *rows: int, score: float = 1.0) -> Proposals:
    return Proposals(source, [(row, score) for row in rows])


def neighbours(ranked: Sequence[tuple[int, float]]) -> Neighbours:
    return Neighbours(np.array([row for row, _ in ranked], np.int64), np.array([s for _, s in ranked], np.float32))


def merged_of(first: Proposals, *others: Proposals) -> Candidates:
    return candidates_of(
        first.source, neighbours(first.ranked), others, n_items=ITEMS, new_ids=NEW_IDS, with_lists=True
    )


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
    st.dictionaries(st.integers(0, ITEMS - 1), scores, max_size=12),
    st.lists(st.dictionaries(rows, scores, max_size=12), max_size=4),
)
def test_merging_is_what_a_loop_would_do(nearest: dict[int, float], others: list[dict[int, float]]) -> None:
    lists = dict(zip(SOURCES, [nearest, *others], strict=False))
    merged = merged_of(*[Proposals(source, list(ranked.items())) for source, ranked in lists.items()])
    expected: dict[int, tuple[float, int]] = {}
    for source, ranked in lists.items():
        for row, score in ranked.items():
            first_score, named_by = expected.get(row, (score, 0))
            expected[row] = (first_score, named_by | bits(source))

    def named(row: int, new_ids: list[str]) -> str | int:
        return row if row < ITEMS else new_ids[row - ITEMS]

    found = [named(row, merged.new_item_ids) for row in merged.rows.tolist()]
    assert found == [named(row, NEW_IDS) for row in expected]
    assert list(zip(merged.scores.tolist(), merged.sources.tolist(), strict=True)) == list(expected.values())
    assert len(merged.new_item_ids) == sum(row >= ITEMS for row in expected)
    for (source, ranked), own in zip(lists.items(), merged.lists, strict=True):
        assert own.source is source
        assert [named(row, merged.new_item_ids) for row, _ in own.ranked] == [named(row, NEW_IDS) for row in ranked]
        assert [score for _, score in own.ranked] == list(ranked.values())


@given(
    mask=st.lists(st.booleans(), min_size=ITEMS + len(NEW_IDS), max_size=ITEMS + len(NEW_IDS)),
    popularity=st.lists(st.integers(0, 5), min_size=ITEMS, max_size=ITEMS),
    trending=st.dictionaries(rows, scores, max_size=20),
    unknown=st.lists(rows, unique=True, max_size=20),
    requests=st.lists(st.tuples(st.lists(rows, max_size=30), counts), min_size=1, max_size=4),
    few=st.sampled_from([0, ITEMS]),
    head=st.sampled_from([1, 128]),
)
def test_each_list_gives_the_first_that_are_left_whoever_asked_before(
    mask: list[bool],
    popularity: list[int],
    trending: dict[int, float],
    unknown: list[int],
    requests: list[tuple[list[int], int]],
    few: int,
    head: int,
) -> None:
    items = ItemSet.of(RowSet.of(np.array(mask)), n_items=ITEMS, most_few=few)
    popular = PopularItems(np.array(popularity, np.float32))
    listed = Neighbours(np.array(list(trending), np.int64), np.array(list(trending.values()), np.float32))
    by_popularity = sorted(range(ITEMS), key=lambda row: (-popularity[row], row))
    for gone, count in requests:
        left = items.without(np.array(gone, np.int64))
        is_left = [is_in and row not in gone for row, is_in in enumerate(mask)]
        most_popular = [(row, popularity[row]) for row in by_popularity if is_left[row]][:count]
        with patch.object(sources, "_HEAD", head):
            assert popular.first(left, count) == most_popular
            heaviest = [each for each in trending.items() if is_left[each[0]]][:count]
            assert trending_items(listed, left, count) == heaviest
        new = new_items(np.array(unknown, np.int64), left.rows, count, user_id="")
        assert new == [(row, 0) for row in unknown if is_left[row]][:count]


def test_sources_are_numbered_as_on_the_wire() -> None:
    assert {f"CANDIDATE_SOURCE_{source.name}": source.value for source in Source} == {
        name: number for name, number in CandidateSource.items() if name != "CANDIDATE_SOURCE_UNSPECIFIED"
    }
