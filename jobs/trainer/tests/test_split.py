"""Splits of small frames whose parts are known by hand."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from recsys.errors import DataError, InvalidArgumentError
from trainer.evaluation import split
from trainer.evaluation.split import Split
from trainer.evaluation.windows import rolling
from trainer.shop_data import interactions
from trainer.shop_data.interactions import Interactions

START = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = {"view": 1.0, "purchase": 10.0}

Row = tuple[str, str, str, float]  # user, item, type, day


def events(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": pl.Series([row[0] for row in rows], dtype=pl.String),
            "item_id": pl.Series([row[1] for row in rows], dtype=pl.String),
            "event_type": pl.Series([row[2] for row in rows], dtype=pl.Categorical),
            "timestamp": pl.Series([START + timedelta(days=row[3]) for row in rows], dtype=pl.Datetime("us", "UTC")),
            "quantity": pl.Series([1.0] * len(rows), dtype=pl.Float64),
            "value": pl.Series([None] * len(rows), dtype=pl.Float64),
        }
    )


def bought(*rows: tuple[str, str, float]) -> pl.DataFrame:
    return events(*((user, item, "purchase", day) for user, item, day in rows))


def pairs(known: Interactions, matrix: sp.csr_matrix) -> set[tuple[str, str]]:
    stored = matrix.tocoo()
    return {(known.user_ids[row], known.item_ids[column]) for row, column in zip(stored.row, stored.col, strict=True)}


def train_pairs(parts: Split) -> set[tuple[str, str]]:
    return pairs(parts.train, parts.train.weights)


def held_out_pairs(parts: Split) -> set[tuple[str, str]]:
    return pairs(parts.train, parts.test)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def test_a_temporal_split_trains_before_the_cut_and_tests_new_items_of_the_window() -> None:
    frame = bought(("a", "x", 0), ("b", "y", 1), ("b", "z", 1), ("a", "y", 10), ("a", "x", 11), ("a", "z", 15))
    parts = split.temporal(frame, weights=WEIGHTS, cut=day(10), horizon_days=5)
    assert train_pairs(parts) == {("a", "x"), ("b", "y"), ("b", "z")}
    assert held_out_pairs(parts) == {("a", "y")}  # x is not new; z lies at the window's open end
    assert parts.test_sizes_outside == {
        "already_in_train": 1,
        "unknown_item": 0,
        "new_user": 0,
        "new_user_unknown_item": 0,
    }
    assert parts.cut == day(10)
    assert parts.test.dtype == np.float32


def test_what_train_does_not_know_is_counted_per_user() -> None:
    frame = bought(
        ("a", "x", 0), ("b", "x", 0), ("b", "p", 9), ("b", "q", 9), ("m", "q", 9), ("n", "x", 9), ("n", "q", 9)
    )
    parts = split.temporal(frame, weights=WEIGHTS, cut=day(9))
    assert parts.test.shape == parts.train.weights.shape == (2, 1)
    assert parts.test_unknown_items.tolist() == [0, 2]
    assert parts.new_user_test.toarray().tolist() == [[0.0], [1.0]]  # m, n
    assert parts.new_user_unknown_items.tolist() == [1, 1]
    assert parts.test_sizes_outside == {
        "already_in_train": 0,
        "unknown_item": 2,
        "new_user": 1,
        "new_user_unknown_item": 2,
    }


def test_items_that_the_window_brought_are_kept_with_who_took_them_up() -> None:
    frame = bought(("u", "a", 0), ("v", "a", 0), ("u", "x", 11), ("v", "x", 12), ("v", "a", 12), ("new", "y", 13))
    parts = split.temporal(frame, weights=WEIGHTS, cut=day(10))
    assert parts.new_items is not None
    assert parts.new_items.item_ids == ["x", "y"]
    assert parts.new_items.test.toarray().tolist() == [[1, 0], [1, 0]]
    assert np.diff(parts.new_items.test.indptr).tolist() == parts.test_unknown_items.tolist()
    assert (np.diff(parts.new_items.first_seen) == 2 * 86_400).all()


def test_a_purchase_that_the_window_took_back_is_no_test_item() -> None:
    frame = events(
        ("a", "x", "purchase", 0), ("b", "y", "purchase", 0), ("a", "y", "purchase", 9), ("a", "y", "remove", 10),
        ("b", "x", "view", 9),
    )  # fmt: skip
    assert held_out_pairs(split.temporal(frame, weights=WEIGHTS, cut=day(9))) == {("b", "x")}


def test_a_removal_after_the_cut_leaves_the_purchase_before_it_in_train() -> None:
    frame = events(("a", "x", "purchase", 0), ("a", "x", "remove", 10), ("a", "y", "view", 10))
    assert train_pairs(split.temporal(frame, weights=WEIGHTS, cut=day(9))) == {("a", "x")}


@pytest.mark.parametrize(("cut", "missing"), [(0.0, "before the cut"), (50.0, "in the 30 days from the cut")])
def test_a_cut_with_nothing_on_one_side_is_refused(cut: float, missing: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"expected interactions {missing}, found none"):
        split.temporal(bought(("a", "x", 0), ("a", "y", 1)), weights=WEIGHTS, cut=day(cut))


def test_a_cut_without_a_time_zone_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="cut: expected a time with a zone"):
        split.temporal(bought(("a", "x", 0)), weights=WEIGHTS, cut=datetime(2026, 1, 1))


def test_rolling_windows_lie_back_to_back_and_the_newest_ends_with_the_last_event() -> None:
    frame = bought(*(("a", str(number), number) for number in range(101)))
    windows = rolling(frame, weights=WEIGHTS, windows=3, horizon_days=10)
    assert [parts.cut for parts in windows] == [day(number) + timedelta(microseconds=1) for number in (70, 80, 90)]
    assert [parts.train.weights.nnz for parts in windows] == [71, 81, 91]
    assert [parts.test_unknown_items.tolist() for parts in windows] == [[10], [10], [10]]


def test_rolling_refuses_more_windows_than_there_is_history() -> None:
    frame = bought(("a", "x", 0), ("a", "y", 40), ("a", "z", 80))
    with pytest.raises(InvalidArgumentError, match="before the cut, found none"):
        rolling(frame, weights=WEIGHTS, windows=4)
    with pytest.raises(InvalidArgumentError, match="windows: expected 1 or more, found 0"):
        rolling(frame, weights=WEIGHTS, windows=0)
    with pytest.raises(InvalidArgumentError, match="expected events, found none"):
        rolling(bought(), weights=WEIGHTS)


def test_leave_last_out_tests_the_item_taken_up_last_and_trains_on_what_came_before() -> None:
    frame = bought(("a", "x", 0), ("a", "y", 1), ("a", "x", 2), ("b", "y", 5), ("b", "x", 6), ("c", "y", 9))
    parts = split.leave_last_out(frame, weights=WEIGHTS)
    assert held_out_pairs(parts) == {("a", "y"), ("b", "x")}
    assert train_pairs(parts) == {("a", "x"), ("b", "y"), ("c", "y")}
    assert parts.train.weights[0, 0] == 10.0  # a's second purchase of x came after y: not in train
    assert parts.cut is None


def test_leave_last_out_takes_the_first_id_of_items_taken_up_together_and_trains_on_none_of_them() -> None:
    frame = bought(("a", "x", 0), ("a", "z", 1), ("a", "y", 1), ("b", "y", 0), ("b", "z", 0))
    parts = split.leave_last_out(frame, weights=WEIGHTS)
    assert held_out_pairs(parts) == {("a", "y")}
    assert train_pairs(parts) == {("a", "x"), ("b", "y"), ("b", "z")}


def test_leave_last_out_never_tests_an_item_that_was_taken_back() -> None:
    frame = events(
        ("a", "x", "purchase", 0), ("a", "y", "purchase", 1), ("a", "z", "purchase", 2), ("a", "z", "remove", 3),
        ("b", "y", "purchase", 0),
    )  # fmt: skip
    assert held_out_pairs(split.leave_last_out(frame, weights=WEIGHTS)) == {("a", "y")}


def test_leave_last_out_needs_a_user_with_two_items_at_different_times() -> None:
    with pytest.raises(InvalidArgumentError, match="two items at different times"):
        split.leave_last_out(bought(("a", "x", 0), ("a", "y", 0)), weights=WEIGHTS)


def test_a_given_pair_is_read_plain_or_gzipped_with_indices_as_ids(tmp_path: Path) -> None:
    train, test = tmp_path / "train.txt", tmp_path / "test.txt.gz"
    train.write_text("0 5 10 5\n10 7\n2 5\n3\n")
    with gzip.open(test, "wt") as file:
        file.write("0 7 99\n10 7\n4 5\n")
    parts = split.given_pair(train, test)
    assert parts.train.user_ids == ["0", "10", "2"]
    assert parts.train.item_ids == ["10", "5", "7"]
    assert parts.train.weights.toarray().tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert held_out_pairs(parts) == {("0", "7")}
    assert parts.test_sizes_outside == {
        "already_in_train": 1,
        "unknown_item": 1,
        "new_user": 1,
        "new_user_unknown_item": 0,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0 1 2\n1 2 x\n", "line 2: expected a user index and item indices, found 'x'"),
        ("0 1\n\n1 -3\n", "line 3: expected a user index and item indices, found '-3'"),
        ("", "found no item"),
    ],
)
def test_a_given_file_with_something_else_is_refused_by_file_and_line(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "train.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        split.given_pair(path, path)
    assert str(path) in str(caught.value)


PACKED = gzip.compress(b"0 1 2\n" * 99, mtime=0)  # the names of tests hold it, and are to be the same in every process


@pytest.mark.parametrize("content", [b"no gzip", PACKED[:-9], PACKED[:12] + b"\xff" * 9])
def test_a_given_file_that_cannot_be_unpacked_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train.txt.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train\.txt\.gz: cannot be read"):
        split.given_pair(path, path)


def test_a_given_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: cannot be read"):
        split.given_pair(tmp_path / "absent", tmp_path / "absent")


def test_hold_out_of_nothing_gives_empty_parts_of_the_right_shape() -> None:
    train = interactions.build(bought(("a", "x", 0)), weights=WEIGHTS)
    parts = split.hold_out(train, interactions.build(bought(), weights=WEIGHTS), cut=None)
    assert (parts.test.shape, parts.test.nnz) == ((1, 1), 0)
    assert (parts.new_user_test.shape, parts.test_unknown_items.tolist()) == ((0, 1), [0])
