"""What a history leads to, worked out by hand."""

from dataclasses import replace

import numpy as np

from recsys.artifact.manifest import LAST_ITEMS, AgeInfo, TransitionsInfo
from recsys.artifact.transitions import Transitions

# 0 → 1 (2.0), 0 → 3 (1.0); 2 → 0 (4.0), 2 → 1 (0.5); nothing after 1 and 3
TRANSITIONS = Transitions(
    info=TransitionsInfo(age=AgeInfo(step_decay=0.5)),
    indptr=np.array([0, 2, 2, 4, 4]),
    items=np.array([1, 3, 0, 1], np.int32),
    scores=np.array([2, 1, 4, 0.5], np.float32),
)


def after(rows: list[int], times_s: list[int]) -> dict[int, float]:
    found, scores = TRANSITIONS.after(np.array(rows, np.int64), np.array(times_s, np.int64))
    assert found.dtype == np.int64
    assert scores.dtype == np.float32
    return dict(zip(found.tolist(), scores.tolist(), strict=True))


def test_what_came_after_the_last_item_counts_whole_and_after_the_one_before_by_its_age() -> None:
    assert after([0, 2], [9, 5]) == {0: 0.5 * 4, 1: 2 + 0.5 * 0.5, 3: 1}
    assert after([2, 0], [9, 5]) == {0: 4, 1: 0.5 + 0.5 * 2, 3: 0.5}


def test_items_of_one_moment_count_alike() -> None:
    assert after([0, 2], [9, 9]) == {0: 4, 1: 2.5, 3: 1}


def test_nothing_comes_after_nothing_or_after_an_item_without_transitions() -> None:
    assert after([], []) == {}
    assert after([1, 3], [2, 1]) == {}


def test_only_the_last_items_count() -> None:
    rows, times = [1] * LAST_ITEMS + [2], list(range(LAST_ITEMS + 1, 0, -1))
    assert after(rows, times) == {}
    assert after(rows[1:], times[1:]) != {}


def test_so_many_items_of_a_history_count_as_the_version_says() -> None:
    of_two = replace(TRANSITIONS, info=TransitionsInfo(counted="together", last_items=2))
    rows, scores = of_two.after(np.array([1, 2, 0]), np.array([5, 5, 5]))
    assert dict(zip(rows.tolist(), scores.tolist(), strict=True)) == {0: 4, 1: 0.5}
    assert of_two.factors(np.array([5, 5, 5])).tolist() == [1, 1]


def test_a_version_of_what_comes_next_is_written_as_before_so_that_earlier_services_read_it() -> None:
    assert TransitionsInfo(age=AgeInfo(step_decay=0.7)).model_dump() == {
        "age": {"step_decay": 0.7, "half_life_days": None}
    }


def test_what_one_item_leads_to_stands_in_its_order() -> None:
    assert [part.tolist() for part in TRANSITIONS.of(0)] == [[1, 3], [2, 1]]
    assert [part.tolist() for part in TRANSITIONS.of(3)] == [[], []]


def test_a_score_is_the_sum_over_the_last_items_of_factor_times_transition() -> None:
    rows, times = [0, 1, 2], np.array([9, 7, 5])
    factors = TRANSITIONS.factors(times)
    assert factors.tolist() == [1, 0.5, 0.25]
    assert [TRANSITIONS.score(row, 1) for row in rows] == [2, 0, 0.5]
    assert after(rows, times.tolist())[1] == 2 + 0.25 * 0.5
