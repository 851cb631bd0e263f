"""Ids survive unchanged and are found by binary search, whatever characters they are made of."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.artifact.sorted_ids import SortedIds

any_id = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def sorted_ids(ids: set[str]) -> SortedIds:
    return SortedIds(pa.array(sorted(ids, key=str.encode), pa.large_string()))


@settings(deadline=None)  # the first call imports
@given(st.sets(any_id), any_id)
def test_an_id_is_found_exactly_where_it_stands_and_nowhere_else(ids: set[str], other: str) -> None:
    rows = sorted_ids(ids)
    for external_id in ids:
        row = rows.row_of(external_id)
        assert row is not None
        assert rows.id_of(row) == external_id
    assert (rows.row_of(other) is not None) == (other in ids)


@settings(deadline=None)  # the first call imports
@given(st.sets(any_id), any_id)
def test_the_first_row_from_an_id_splits_the_ids_before_it_from_the_rest(ids: set[str], mark: str) -> None:
    rows = sorted_ids(ids)
    assert rows.first_row_from(mark) == sum(i.encode() < mark.encode() for i in ids)
    assert rows.first_row_after(mark) == sum(i.encode() <= mark.encode() for i in ids)


def test_a_part_of_an_array_is_read_at_its_own_offset() -> None:
    rows = SortedIds(pa.array(["a", "b", "c", "d"], pa.large_string()).slice(1, 2))
    assert [rows.id_of(row) for row in range(len(rows))] == ["b", "c"]
    assert rows.ids_of(np.array([1, 0, 1])) == ["c", "b", "c"]
    assert rows.row_of("a") is None


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_outside_is_an_index_error(row: int) -> None:
    with pytest.raises(IndexError):
        sorted_ids({"a", "b"}).id_of(row)
    with pytest.raises(IndexError):
        sorted_ids({"a", "b"}).ids_of(np.array([0, row]))
