"""What a user's history says of items, by numbers worked out by hand."""

import numpy as np
import pytest

from recsys.ranking_features import (
    CATEGORY_FEATURES,
    FEATURES,
    LIST_FEATURES,
    NOTHING_TAKEN_UP,
    PRICE_FEATURES,
    USER_FEATURES,
    Shelf,
    TakenUp,
    of_taste,
)

DAY_S = 86_400
NOW = 100 * DAY_S
NAMES = FEATURES[len(LIST_FEATURES) :]
SHELF = Shelf(np.array([0, 0, 1, 2, -1], np.int32), np.array([10.0, 20.0, 40.0, np.nan, 0.0]))
HISTORY = TakenUp(np.array([2, 1, 0, 4]), np.array([98, 90, 80, 70]) * DAY_S)
ROWS = np.arange(5)


def taste(name: str, *, history: TakenUp = HISTORY, now: int = NOW) -> list[float]:
    found = of_taste(NAMES, ROWS, history=history, shelf=SHELF, now=now)
    return [round(value, 5) for value in found[:, NAMES.index(name)].tolist()]


def test_the_share_is_of_all_items_of_the_history() -> None:
    assert taste("user_category_share") == [0.5, 0.5, 0.25, 0, 0]


def test_days_are_counted_from_the_last_event_with_the_category() -> None:
    assert taste("user_category_days") == [10, 10, 2, 100_000, 100_000]
    assert taste("user_days_since_last_event") == [2] * 5


def test_an_event_after_those_that_the_version_knows_is_one_of_now() -> None:
    assert taste("user_days_since_last_event", now=95 * DAY_S) == [0] * 5
    assert taste("user_category_days", now=95 * DAY_S) == [8, 8, 0, 100_000, 100_000]


def test_prices_are_compared_with_the_median_of_those_that_are_known() -> None:
    assert taste("user_price_ratio") == [-0.69315, 0, 0.69315, 0, 0]  # 20 is usual


def test_of_nobody_nothing_is_known() -> None:
    found = of_taste(NAMES, ROWS, history=NOTHING_TAKEN_UP, shelf=SHELF, now=NOW)
    assert found.tolist() == [[0, 100_000, 0, 100_000]] * 5


@pytest.mark.parametrize("names", [(), CATEGORY_FEATURES, PRICE_FEATURES, USER_FEATURES], ids=lambda names: str(names))
def test_a_ranker_gets_the_features_that_it_learned_from(names: tuple[str, ...]) -> None:
    found = of_taste(names, ROWS, history=HISTORY, shelf=SHELF, now=NOW)
    for column, name in enumerate(names):
        np.testing.assert_allclose(found[:, column], taste(name), atol=1e-5)
    assert found.shape == (5, len(names))
