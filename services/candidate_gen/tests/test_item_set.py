"""Sets of rows as bitmaps against sets of Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candidate_gen.search.item_set import RowSet, first_of

masks = st.lists(st.booleans(), min_size=1, max_size=200)


@given(mask=masks, data=st.data())
def test_a_bitmap_tells_what_the_mask_told(mask: list[bool], data: st.DataObject) -> None:
    rows = RowSet.of(np.array(mask))
    members = {row for row, is_in in enumerate(mask) if is_in}
    gone = data.draw(st.lists(st.integers(0, len(mask) - 1), max_size=20))
    left = rows.without(np.array(gone, np.int64))
    limit = data.draw(st.integers(0, len(mask)))
    every = np.arange(len(mask))
    assert rows.has(every).tolist() == mask
    assert rows.rows().tolist() == sorted(members)
    assert (rows.size, rows.size_below(limit)) == (len(members), sum(row < limit for row in members))
    assert (left.rows().tolist(), left.size) == (sorted(members - set(gone)), len(members - set(gone)))
    more = data.draw(st.integers(0, 100))
    changes = data.draw(st.dictionaries(st.integers(0, len(mask) + more - 1), st.booleans(), max_size=20))
    is_in = np.array(list(changes.values()), bool)
    changed = left.changed(np.array(list(changes), np.int64), is_in, n_rows=len(mask) + more)
    inside = {row for row, is_now in changes.items() if is_now}
    expected = (members - set(gone) - set(changes)) | inside
    assert (changed.rows().tolist(), changed.size) == (sorted(expected), len(expected))
    assert rows.rows().tolist() == sorted(members)  # the others are others


@given(mask=masks, count=st.integers(0, 30), start=st.integers(0, 300), seed=st.integers(0, 99))
def test_the_first_of_an_order_come_from_the_start_on_and_around(
    mask: list[bool], count: int, start: int, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(mask))
    start %= len(mask)
    expected = [row for row in [*order[start:].tolist(), *order[:start].tolist()] if mask[row]][:count]
    found = first_of(order, RowSet.of(np.array(mask)), count, start=start)
    assert found.tolist() == expected
