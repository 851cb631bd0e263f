"""Tries to find a leak: no split lets what happens later change what a model learns from."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from recsys.errors import InvalidArgumentError
from trainer import split
from trainer.interactions import Interactions
from trainer.split import Split

START = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = {"view": 1.0, "cart": 3.0, "purchase": 10.0}

# Few users, items and hours, so that pairs repeat, times tie and events fall on the cut itself.
Row = tuple[str, str, str, int, float]
rows = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from("pqrst"),
        st.sampled_from(["view", "cart", "purchase", "remove"]),
        st.integers(0, 48),
        st.sampled_from([1.0, 2.0, 5.0]),
    ),
    max_size=40,
)
cuts = st.integers(1, 48)


def events(found: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": pl.Series([row[0] for row in found], dtype=pl.String),
            "item_id": pl.Series([row[1] for row in found], dtype=pl.String),
            "event_type": pl.Series([row[2] for row in found], dtype=pl.String),
            "timestamp": pl.Series([START + timedelta(hours=row[3]) for row in found], dtype=pl.Datetime("us", "UTC")),
            "quantity": pl.Series([row[4] for row in found], dtype=pl.Float64),
            "value": pl.Series([None] * len(found), dtype=pl.Float64),
        }
    )


def temporal(found: list[Row], cut: int) -> Split | None:
    try:
        return split.temporal(events(found), weights=WEIGHTS, cut=START + timedelta(hours=cut), horizon_days=1)
    except InvalidArgumentError:  # nothing before the cut, or nothing in the window
        return None


def same(one: Interactions, other: Interactions) -> bool:
    return (
        one.fingerprint() == other.fingerprint()
        and np.array_equal(one.last_seen, other.last_seen)
        and np.array_equal(one.last_type, other.last_type)
        and one.event_types == other.event_types
        and one.taken_back_pairs == other.taken_back_pairs
    )


def shared_pairs(parts: Split) -> int:
    return int(parts.test.multiply(parts.train.weights).nnz)


@given(past=rows, future=rows, other_future=rows, cut=cuts)
def test_no_event_at_or_after_the_cut_changes_train(
    past: list[Row], future: list[Row], other_future: list[Row], cut: int
) -> None:
    before = [row for row in past if row[3] < cut]
    one = temporal(before + [row for row in future if row[3] >= cut], cut)
    other = temporal([row for row in other_future if row[3] >= cut] + before, cut)
    assume(one is not None and other is not None)
    assert one is not None
    assert other is not None
    assert same(one.train, other.train)


@given(found=rows, cut=cuts)
def test_no_test_pair_is_in_train_and_every_held_out_pair_is_somewhere(found: list[Row], cut: int) -> None:
    parts = temporal(found, cut)
    assume(parts is not None)
    assert parts is not None
    assert shared_pairs(parts) == 0
    outside = parts.test_sizes_outside
    assert parts.test_unknown_items.sum() == outside["unknown_item"]
    assert parts.new_user_test.nnz == outside["new_user"]
    assert parts.new_user_unknown_items.sum() == outside["new_user_unknown_item"]
    bought = {(row[0], row[1]) for row in found if cut <= row[3] < cut + 24 and row[2] != "remove"}
    gone = len(bought) - parts.test.nnz - sum(outside.values())
    assert 0 <= gone <= len({(row[0], row[1]) for row in found if row[2] == "remove"})


@given(found=rows)
def test_leave_last_out_trains_on_nothing_of_a_tested_user_at_or_after_the_test_item(found: list[Row]) -> None:
    try:
        parts = split.leave_last_out(events(found), weights=WEIGHTS)
    except InvalidArgumentError:  # nobody has a later new item
        reject()
    assert shared_pairs(parts) == 0
    test = parts.test.tocoo()
    for user, item in zip(test.row, test.col, strict=True):
        first_hour = min(
            row[3]
            for row in found
            if row[:2] == (parts.train.user_ids[user], parts.train.item_ids[item]) and row[2] != "remove"
        )
        begin, end = parts.train.weights.indptr[user : user + 2]
        assert (parts.train.last_seen[begin:end] < START.timestamp() + 3600 * first_hour).all()
