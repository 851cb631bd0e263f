"""What an item of a history says by its age: worked out by hand, and against the sentence that defines it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.age import age_factors
from recsys.artifact.manifest import AgeInfo

DAY_S = 86_400


def factors(times_s: list[int], age: AgeInfo, *, owners: list[int] | None = None) -> list[float]:
    of = np.zeros(len(times_s), np.int64) if owners is None else np.array(owners, np.int64)
    return age_factors(np.array(times_s, np.int64), of, age).tolist()


def test_where_age_is_off_everything_counts_alike() -> None:
    assert factors([5, 9, 1], AgeInfo()) == [1, 1, 1]


def test_each_later_moment_of_the_same_user_is_one_step_and_a_basket_is_one_moment() -> None:
    found = factors([9, 9, 5, 1, 5], AgeInfo(step_decay=0.5))
    assert found == [1, 1, 0.5, 0.25, 0.5]


def test_days_are_counted_from_the_users_own_newest_event() -> None:
    age = AgeInfo(half_life_days=10)
    assert factors([100 * DAY_S, 90 * DAY_S, 80 * DAY_S], age) == [1, 0.5, 0.25]
    assert factors([30 * DAY_S, 900 * DAY_S, 20 * DAY_S], age, owners=[0, 1, 0]) == [1, 1, 0.5]


def test_steps_and_days_multiply() -> None:
    assert factors([10 * DAY_S, 0], AgeInfo(step_decay=0.5, half_life_days=10)) == [1, 0.25]


def test_however_old_something_is_still_counts_a_little() -> None:
    assert factors(list(range(5_000)), AgeInfo(step_decay=0.5))[0] == pytest.approx(1e-6)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=30),
    age=st.builds(AgeInfo, step_decay=st.floats(0.1, 1), half_life_days=st.none() | st.floats(1e-3, 1)),
)
def test_many_histories_in_any_order_have_the_factors_of_each_alone(pairs: list[tuple[int, int]], age: AgeInfo) -> None:
    found = factors([time for _, time in pairs], age, owners=[owner for owner, _ in pairs])
    for (owner, time), factor in zip(pairs, found, strict=True):
        own = {each for other, each in pairs if other == owner}
        expected = age.step_decay ** len([each for each in own if each > time])
        if age.half_life_days is not None:
            expected *= 0.5 ** ((max(own) - time) / DAY_S / age.half_life_days)
        assert factor == pytest.approx(expected)
