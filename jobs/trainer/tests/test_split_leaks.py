"""Tries to find a leak: no split lets what happens later change what a model learns from."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation import split
from trainer.evaluation.split import Split
from trainer.shop_data.interactions import Interactions

WEIGHTS = {"view": 1.0, "cart": 3.0, "purchase": 10.0}
Row = tuple[str, str, str, int, float]  # user, item, type, hours from the cut, quantity


def histories(first_hour: int, last_hour: int) -> st.SearchStrategy[list[Row]]:
    """Few users, items and hours, so that pairs repeat, times tie and events fall on the cut itself."""
    return st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from("pqrst"),
            st.sampled_from(["view", "cart", "purchase", "remove"]),
            st.integers(first_hour, last_hour),
            st.sampled_from([1.0, 2.0, 5.0]),
        ),
        max_size=40,
    )


cuts = st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


def events(rows: list[Row], cut: datetime) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": pl.Series([row[0] for row in rows], dtype=pl.String),
            "item_id": pl.Series([row[1] for row in rows], dtype=pl.String),
            "event_type": pl.Series([row[2] for row in rows], dtype=pl.String),
            "timestamp": pl.Series([cut + timedelta(hours=row[3]) for row in rows], dtype=pl.Datetime("us", "UTC")),
            "quantity": pl.Series([row[4] for row in rows], dtype=pl.Float64),
            "value": pl.Series([None] * len(rows), dtype=pl.Float64),
        }
    )


def temporal(past: list[Row], future: list[Row], cut: datetime) -> Split:
    """A split of one day after the cut; two views make sure that neither side is empty."""
    rows: list[Row] = [*future, *past, ("a", "p", "view", -1, 1.0), ("z", "t", "view", 0, 1.0)]
    return split.temporal(events(rows, cut), weights=WEIGHTS, cut=cut, horizon_days=1)


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


@given(past=histories(-30, -1), future=histories(0, 30), other_future=histories(0, 30), cut=cuts)
def test_no_event_at_or_after_the_cut_changes_train(
    past: list[Row], future: list[Row], other_future: list[Row], cut: datetime
) -> None:
    assert same(temporal(past, future, cut).train, temporal(past, other_future, cut).train)


@given(past=histories(-30, -1), future=histories(0, 30), cut=cuts)
def test_no_test_pair_is_in_train_and_every_held_out_pair_is_somewhere(
    past: list[Row], future: list[Row], cut: datetime
) -> None:
    parts = temporal(past, future, cut)
    outside = parts.test_sizes_outside
    assert shared_pairs(parts) == 0
    assert parts.test_unknown_items.sum() == outside["unknown_item"]
    assert parts.new_user_test.nnz == outside["new_user"]
    assert parts.new_user_unknown_items.sum() == outside["new_user_unknown_item"]
    touched = {row[:2] for row in future if row[3] < 24 and row[2] != "remove"} | {("z", "t")}
    taken_back = len(touched) - parts.test.nnz - sum(outside.values())
    assert 0 <= taken_back <= len({row[:2] for row in future if row[2] == "remove"})


@given(rows=histories(0, 48), start=cuts)
def test_leave_last_out_trains_on_nothing_of_a_tested_user_at_or_after_the_test_item(
    rows: list[Row], start: datetime
) -> None:
    frame = events([*rows, ("a", "p", "view", -2, 1.0), ("a", "q", "view", -1, 1.0)], start)
    parts = split.leave_last_out(frame, weights=WEIGHTS)
    assert shared_pairs(parts) == 0
    test = parts.test.tocoo()
    for user, item in zip(test.row, test.col, strict=True):
        pair = (pl.col("user_id") == parts.train.user_ids[user]) & (pl.col("item_id") == parts.train.item_ids[item])
        first = frame.filter(pair & (pl.col("event_type") != "remove"))["timestamp"].min()
        assert isinstance(first, datetime)
        begin, end = parts.train.weights.indptr[user : user + 2]
        assert (parts.train.last_seen[begin:end] < first.timestamp()).all()
