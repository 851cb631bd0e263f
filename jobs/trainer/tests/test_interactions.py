"""interactions.build on small frames whose matrix is known by hand."""

import hashlib
import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from recsys.errors import InvalidArgumentError
from trainer.shop_data import interactions

START = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = {"view": 1.0, "cart": 3.0, "purchase": 10.0}

Row = tuple[str, str, str, int, float | None]  # user, item, type, day, quantity


def events(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": pl.Series([row[0] for row in rows], dtype=pl.String),
            "item_id": pl.Series([row[1] for row in rows], dtype=pl.String),
            "event_type": pl.Series([row[2] for row in rows], dtype=pl.Categorical),
            "timestamp": pl.Series([START + timedelta(days=row[3]) for row in rows], dtype=pl.Datetime("us", "UTC")),
            "quantity": pl.Series([row[4] for row in rows], dtype=pl.Float64),
            "value": pl.Series([None] * len(rows), dtype=pl.Float64),
        }
    )


def weight_after(*rows: tuple[str, int, float | None]) -> float:
    """The weight of one pair after these events (type, day, quantity); 0 when the pair is gone."""
    built = interactions.build(events(*(("u", "i", *row) for row in rows)), weights=WEIGHTS)
    return float(built.weights.sum())


def test_weights_of_a_pair_are_summed_and_quantity_does_not_multiply_them() -> None:
    built = interactions.build(
        events(("a", "x", "view", 0, 1), ("a", "x", "cart", 1, 1), ("b", "y", "purchase", 2, 12)), weights=WEIGHTS
    )
    assert built.weights.toarray().tolist() == [[4.0, 0.0], [0.0, 10.0]]
    assert built.weights.dtype == np.float32
    assert built.event_types == ["cart", "purchase", "view"]


def test_ids_survive_unchanged_and_are_sorted_by_their_utf8_bytes() -> None:
    ids = ["é", "10", "010", " 10", "𝄞", "\uffff", "Z", "a", "2"]
    built = interactions.build(events(*((one, one, "view", 0, 1) for one in ids)), weights=WEIGHTS)
    assert built.user_ids == built.item_ids == sorted(ids, key=str.encode)
    assert built.weights.toarray().tolist() == np.eye(len(ids)).tolist()


def test_last_seen_and_last_type_tell_of_the_last_event_of_each_pair() -> None:
    built = interactions.build(
        events(("a", "y", "view", 3, 1), ("a", "x", "purchase", 5, 1), ("a", "y", "cart", 4, 1)), weights=WEIGHTS
    )
    assert built.last_seen.tolist() == [int(START.timestamp()) + 86_400 * day for day in (5, 4)]
    assert [built.event_types[code] for code in built.last_type] == ["purchase", "cart"]
    assert built.last_seen.dtype == np.int64
    assert built.last_type.dtype == np.uint8


def test_the_types_of_a_pair_are_a_set_of_bits_without_what_was_taken_back() -> None:
    built = interactions.build(
        events(
            ("a", "x", "view", 0, 1),
            ("a", "x", "view", 1, 1),
            ("a", "x", "cart", 2, 1),
            ("a", "y", "purchase", 0, 1),
            ("b", "x", "view", 0, 1),
            ("b", "x", "purchase", 1, 1),
            ("b", "x", "remove", 2, 1),
        ),
        weights=WEIGHTS,
    )
    bit = {name: 1 << code for code, name in enumerate(built.event_types)}
    assert built.type_sets.tolist() == [bit["view"] | bit["cart"], bit["purchase"], bit["view"]]
    assert built.type_sets.dtype == np.uint32


def test_types_beyond_the_first_32_are_in_no_set() -> None:
    names = [f"type-{number:02}" for number in range(34)]
    built = interactions.build(
        events(*(("a", "x", name, 0, 1) for name in names), ("a", "y", "type-33", 0, 1)),
        weights=dict.fromkeys(names, 1),
    )
    assert built.type_sets.tolist() == [2**32 - 1, 0]


def test_first_seen_is_the_first_event_of_an_item_by_anybody_and_0_for_one_without() -> None:
    frame = events(
        ("a", "x", "view", 3, 1), ("b", "x", "view", 1, 1), ("b", "x", "view", 9, 1), ("a", "y", "view", 5, 1)
    )
    built = interactions.build(frame, weights=WEIGHTS, catalogue_items=["never"])
    first = int(START.timestamp())
    assert dict(zip(built.item_ids, built.first_seen.tolist(), strict=True)) == {
        "never": 0,
        "x": first + 86_400,
        "y": first + 5 * 86_400,
    }
    assert built.first_seen.dtype == np.int64


def test_of_events_at_one_time_the_heavier_type_is_the_last() -> None:
    built = interactions.build(events(("a", "x", "purchase", 0, 1), ("a", "x", "view", 0, 1)), weights=WEIGHTS)
    assert built.event_types[built.last_type[0]] == "purchase"


def test_only_events_strictly_before_until_count() -> None:
    frame = events(("a", "x", "view", 0, 1), ("a", "y", "view", 1, 1), ("b", "z", "view", 2, 1))
    built = interactions.build(frame, weights=WEIGHTS, until=START + timedelta(days=1))
    assert (built.user_ids, built.item_ids) == (["a"], ["x"])


def test_an_order_wholly_removed_leaves_no_pair_and_is_counted() -> None:
    built = interactions.build(
        events(("a", "x", "purchase", 0, 6), ("a", "x", "remove", 1, 6), ("a", "y", "view", 0, 1)), weights=WEIGHTS
    )
    assert (built.item_ids, built.weights.nnz, built.taken_back_pairs) == (["y"], 1, 1)


def test_a_user_with_nothing_left_has_no_row() -> None:
    built = interactions.build(
        events(("a", "x", "purchase", 0, 1), ("a", "x", "remove", 1, 1), ("b", "x", "view", 0, 1)), weights=WEIGHTS
    )
    assert built.user_ids == ["b"]


def test_half_the_units_removed_take_half_of_the_weight() -> None:
    assert weight_after(("purchase", 0, 6), ("remove", 1, 3)) == 5.0


def test_a_removal_takes_the_most_recent_purchase_first() -> None:
    built = interactions.build(
        events(("a", "x", "purchase", 0, 2), ("a", "x", "purchase", 4, 4), ("a", "x", "remove", 5, 4)), weights=WEIGHTS
    )
    assert built.weights.data.tolist() == [10.0]
    assert built.last_seen.tolist() == [int(START.timestamp())]


def test_a_removal_larger_than_the_last_purchase_reaches_into_the_one_before() -> None:
    assert weight_after(("purchase", 0, 4), ("purchase", 1, 2), ("remove", 2, 3)) == 7.5


def test_a_removal_takes_back_nothing_that_was_bought_after_it() -> None:
    assert weight_after(("remove", 0, 5), ("purchase", 1, 5)) == 10.0
    assert weight_after(("purchase", 0, 1), ("remove", 1, 5), ("purchase", 2, 5)) == 10.0


def test_a_removal_in_the_same_second_as_its_purchase_takes_it_back() -> None:
    assert weight_after(("remove", 0, 2), ("purchase", 0, 2)) == 0.0


def test_views_and_carts_stay_when_the_purchase_is_taken_back() -> None:
    assert weight_after(("view", 0, 1), ("cart", 0, 1), ("purchase", 1, 1), ("remove", 2, 1)) == 4.0


def test_a_removal_of_a_pair_never_bought_changes_nothing() -> None:
    built = interactions.build(events(("a", "x", "view", 0, 1), ("b", "x", "remove", 1, 1)), weights=WEIGHTS)
    assert (built.user_ids, built.weights.data.tolist(), built.taken_back_pairs) == (["a"], [1.0], 0)


def test_an_absent_quantity_is_one_unit() -> None:
    assert weight_after(("purchase", 0, None), ("remove", 1, 1)) == 0.0


def test_fractional_quantities_that_cancel_leave_no_dust() -> None:
    assert weight_after(("purchase", 0, 0.3), ("remove", 1, 0.1), ("remove", 2, 0.2)) == 0.0


def test_events_of_weight_zero_are_left_out() -> None:
    built = interactions.build(
        events(("a", "x", "view", 0, 1), ("a", "y", "cart", 0, 1)), weights={"view": 0.0, "cart": 1.0}
    )
    assert (built.item_ids, built.event_types) == (["y"], ["cart"])


def test_a_catalogue_item_without_events_has_an_empty_column() -> None:
    built = interactions.build(events(("a", "b", "view", 0, 1)), weights=WEIGHTS, catalogue_items=["c", "a", "b"])
    assert built.item_ids == ["a", "b", "c"]
    assert built.weights.toarray().tolist() == [[0.0, 1.0, 0.0]]


def test_no_events_give_an_empty_matrix_over_the_catalogue() -> None:
    built = interactions.build(events(), weights=WEIGHTS, catalogue_items=["x"])
    assert built.weights.shape == (0, 1)
    assert len(built.last_seen) == len(built.last_type) == built.weights.nnz == 0


def test_a_type_without_a_weight_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgumentError, match=r"types \['wish'\]"):
        interactions.build(events(("a", "x", "wish", 0, 1)), weights=WEIGHTS)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_finite_number_of_zero_or_more_is_refused(weight: float) -> None:
    with pytest.raises(InvalidArgumentError, match="finite numbers of 0 or more"):
        interactions.build(events(("a", "x", "view", 0, 1)), weights={"view": weight})


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="until: expected a time with a zone"):
        interactions.build(events(("a", "x", "view", 0, 1)), weights=WEIGHTS, until=datetime(2026, 1, 1))


def test_recent_users_counts_each_user_of_an_item_once_from_the_moment_on() -> None:
    built = interactions.build(
        events(
            ("a", "x", "view", 0, 1),
            ("a", "x", "view", 9, 1),
            ("b", "x", "view", 1, 1),
            ("b", "y", "view", 5, 1),
            ("c", "y", "view", 4, 1),
        ),
        weights=WEIGHTS,
    )
    recent = built.recent_users(START + timedelta(days=5))
    assert recent.tolist() == [1.0, 1.0]
    assert recent.dtype == np.float32
    assert built.recent_users(START).tolist() == [2.0, 2.0]


def test_the_fingerprint_ignores_the_order_of_rows_and_sees_every_change() -> None:
    rows: list[Row] = [("a", "x", "view", 0, 1), ("ab", "y", "cart", 1, 1), ("b", "x", "purchase", 2, 1)]
    print_of = {
        "as given": interactions.build(events(*rows), weights=WEIGHTS).fingerprint(),
        "other weight": interactions.build(events(*rows), weights=WEIGHTS | {"cart": 4.0}).fingerprint(),
        "other id": interactions.build(events(*rows[:2], ("c", *rows[2][1:])), weights=WEIGHTS).fingerprint(),
        "other pair": interactions.build(events(*rows[:2], ("b", "y", *rows[2][2:])), weights=WEIGHTS).fingerprint(),
        "more items": interactions.build(events(*rows), weights=WEIGHTS, catalogue_items=["z"]).fingerprint(),
    }
    assert len(set(print_of.values())) == len(print_of)
    assert interactions.build(events(*reversed(rows)), weights=WEIGHTS).fingerprint() == print_of["as given"]


def test_the_fingerprint_is_taken_over_little_endian_bytes_of_ids_and_matrix() -> None:
    built = interactions.build(events(("a", "é", "cart", 0, 1)), weights=WEIGHTS)
    ids = struct.pack("<2q", 1, 1) + b"a" + struct.pack("<2q", 1, 2) + "é".encode()  # count, lengths, bytes
    matrix = struct.pack("<2q", 0, 1) + struct.pack("<q", 0) + struct.pack("<f", 3.0)  # indptr, indices, data
    assert built.fingerprint() == hashlib.sha256(ids + matrix).hexdigest()


def test_removals_agree_with_a_stack_of_units_popped_one_by_one() -> None:
    rng = np.random.default_rng(5)
    rows: list[Row] = [
        (
            str(rng.integers(3)),
            str(rng.integers(3)),
            str(rng.choice(["purchase", "remove"])),
            day,
            float(rng.integers(1, 5)),
        )
        for day in range(300)
    ]
    stacks: dict[tuple[str, str], list[float]] = {}
    for user, item, kind, _, quantity in rows:
        units = int(quantity or 0)
        stack = stacks.setdefault((user, item), [])
        if kind == "purchase":
            stack.extend([WEIGHTS["purchase"] / units] * units)
        else:
            del stack[max(len(stack) - units, 0) :]
    expected = {pair: sum(stack) for pair, stack in stacks.items() if stack}
    built = interactions.build(events(*rows), weights=WEIGHTS)
    pairs = built.weights.tocoo()
    found = {
        (built.user_ids[row], built.item_ids[column]): float(weight)
        for row, column, weight in zip(pairs.row, pairs.col, pairs.data, strict=True)
    }
    assert found == pytest.approx(expected)
    assert built.taken_back_pairs == len(stacks) - len(expected)
