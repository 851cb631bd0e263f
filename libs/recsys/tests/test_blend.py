"""The blend against values worked out by hand, and what holds for any values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from recsys.blend import BlendWeights, blend, decayed_recency, log_popularity, scaled

DAY_S = 86_400
FLOATS = hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(-(2.0**100), 2.0**100, width=32))


def test_the_lowest_value_becomes_0_the_highest_1_and_what_lies_between_stays_between() -> None:
    assert scaled(np.array([2.0, -2.0, 1.0])).tolist() == [1.0, 0.0, 0.75]


def test_equal_values_say_nothing_and_become_0() -> None:
    assert scaled(np.array([3.0, 3.0])).tolist() == [0.0, 0.0]
    assert scaled(np.array([])).tolist() == []


def test_every_row_of_a_matrix_is_scaled_by_itself() -> None:
    assert scaled(np.array([[1.0, 2.0], [30.0, 10.0]])).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_a_blend_is_the_weighted_sum_of_the_scaled_values() -> None:
    scores = blend(
        personal=np.array([-1.0, 0.0, 1.0]),
        popularity=np.array([4.0, 2.0, 0.0]),
        recency=np.array([0.0, 0.5, 0.25]),
        transitions=np.array([0.0, 0.0, 3.0]),
        weights=BlendWeights(personal=2, popularity=1, recency=0.5, transitions=4),
    )
    assert scores.tolist() == [0 + 1 + 0, 1 + 0.5 + 0.5, 2 + 0 + 0.25 + 4]


def test_popularity_is_the_logarithm_of_one_more_than_the_users() -> None:
    assert log_popularity(np.array([0.0, np.e - 1])).tolist() == pytest.approx([0, 1])


def test_recency_halves_with_every_half_life_and_is_0_for_what_was_never_seen() -> None:
    seen = np.array([100 * DAY_S, 70 * DAY_S, 40 * DAY_S, 0], np.int64)
    assert decayed_recency(seen, half_life_days=30).tolist() == [1.0, 0.5, 0.25, 0.0]


def test_recency_does_not_vanish_in_data_of_many_years_ago() -> None:
    seen = np.array([10 * DAY_S, 9 * DAY_S], np.int64)
    assert decayed_recency(seen, half_life_days=1).tolist() == [1.0, 0.5]


def test_nothing_was_ever_seen() -> None:
    assert decayed_recency(np.zeros(2, np.int64), half_life_days=30).tolist() == [0.0, 0.0]
    assert decayed_recency(np.zeros(0, np.int64), half_life_days=30).tolist() == []


@settings(deadline=None)
@given(FLOATS)
def test_with_the_personal_score_alone_its_order_is_kept_exactly(personal: NDArray[np.float32]) -> None:
    others = np.arange(len(personal), dtype=np.float64)
    weights = BlendWeights()
    scores = blend(personal=personal, popularity=others, recency=others, transitions=others, weights=weights)
    assert scores.tolist() == personal.astype(np.float64).tolist()


@settings(deadline=None)
@given(FLOATS, st.floats(0, 10), st.floats(0.1, 10), st.floats(0, 10), st.floats(0, 10))
def test_a_blend_lies_between_0_and_the_sum_of_the_weights(
    values: NDArray[np.float32], personal: float, popularity: float, recency: float, transitions: float
) -> None:
    weights = BlendWeights(personal=personal, popularity=popularity, recency=recency, transitions=transitions)
    scores = blend(personal=values, popularity=values[::-1], recency=values, transitions=values[::-1], weights=weights)
    assert scores.min() >= 0
    assert scores.max() <= (personal + popularity + recency + transitions) * (1 + 1e-12)


def test_a_scale_of_some_values_holds_the_others_between_its_ends() -> None:
    values = np.array([-9.0, 1.0, 2.0, 3.0, 9.0])
    some = np.array([False, True, True, True, False])
    assert scaled(values, some).tolist() == [0, 0, 0.5, 1, 1]
    assert scaled(values, np.zeros(5, bool)).tolist() == scaled(values).tolist()
