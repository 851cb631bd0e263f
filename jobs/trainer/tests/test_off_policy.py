"""Estimates from the log of what was shown, where the truth is known because the log is made here."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.evaluation import off_policy
from trainer.evaluation.bootstrap import Interval
from trainer.evaluation.off_policy import Log

LISTS, PLACES, ITEMS = 6_000, 4, 6
LOOKED_AT = np.array([0.9, 0.6, 0.4, 0.2])  # with this probability a place
LIKED = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.6])  # and an item, once it is looked at
REVERSED = np.arange(ITEMS - 1, ITEMS - 1 - PLACES, -1)


def shuffled(rng: np.random.Generator, *, share: float) -> Log:
    """Lists of the first items in their order, of which a share is a permutation of all items, drawn uniformly."""
    shown = np.tile(np.arange(PLACES), (LISTS, 1))
    is_drawn = rng.random(LISTS) < share
    shown[is_drawn] = rng.permuted(np.tile(np.arange(ITEMS), (is_drawn.sum(), 1)), axis=1)[:, :PLACES]
    propensities = share / ITEMS + (1 - share) * (shown == np.arange(PLACES))
    clicked = rng.random(shown.shape) < LOOKED_AT * LIKED[shown]
    return Log(
        people=np.arange(LISTS) // 3,
        lists=np.repeat(np.arange(LISTS), PLACES),
        places=np.tile(np.arange(PLACES), LISTS),
        items=shown.ravel(),
        propensities=propensities.ravel(),
        earned=clicked.ravel().astype(np.float64),
    )


def order_of_all(items: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.tile(items, (LISTS, 1)).astype(np.int32)


def holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_the_intervals_hold_what_another_order_is_truly_worth(share: float) -> None:
    log = shuffled(np.random.default_rng(7), share=share)
    truth = float(LOOKED_AT @ LIKED[REVERSED])

    found = off_policy.estimate(log, order_of_all(REVERSED), seed=1)

    assert holds(found.ips, truth)
    assert holds(found.snips, truth)
    assert holds(found.dr, truth)
    assert found.clipped == 0
    assert not holds(off_policy.served(log, seed=1), truth)


def test_the_doubly_robust_estimate_varies_least() -> None:
    found = off_policy.estimate(shuffled(np.random.default_rng(3), share=0.2), order_of_all(REVERSED), seed=1)
    assert found.dr.high - found.dr.low < 0.95 * (found.ips.high - found.ips.low)


def test_of_the_order_that_was_always_shown_every_estimate_is_its_own_rate() -> None:
    log = shuffled(np.random.default_rng(5), share=0.0)
    itself = off_policy.estimate(log, order_of_all(np.arange(PLACES)), seed=1)
    rate = log.earned.sum() / LISTS
    assert off_policy.served(log, seed=1).value == pytest.approx(rate)
    assert [itself.ips.value, itself.snips.value, itself.dr.value] == pytest.approx([rate] * 3)
    assert (itself.supported, itself.effective_places) == (1.0, LISTS * PLACES)
    assert log.explored_lists == 0


def test_what_the_log_never_shows_counts_nothing_by_propensity_and_its_place_by_the_model() -> None:
    log = shuffled(np.random.default_rng(5), share=0.0)
    never = off_policy.estimate(log, order_of_all(REVERSED[:2] + 10), seed=1)
    assert (never.ips, never.snips) == (Interval(0, 0, 0), Interval(0, 0, 0))
    assert never.supported == never.effective_places == 0
    assert not never.is_enough
    first_two = log.earned[log.places < 2].sum() / LISTS
    assert never.dr.value == pytest.approx(first_two, rel=0.05)


def test_the_figures_by_hand() -> None:
    log = Log(
        people=np.array([0, 1]),
        lists=np.array([0, 0, 1, 1]),
        places=np.array([0, 1, 0, 1]),
        items=np.array([0, 1, 0, 2]),
        propensities=np.array([0.5, 1.0, 1.0, 0.001]),
        earned=np.array([1.0, 0.0, 0.0, 1.0]),
    )
    found = off_policy.estimate(log, np.array([[0, 1], [0, 2]], np.int32), seed=0)
    assert found.ips.value == (2 + off_policy.MOST_WEIGHT) / 2  # the last weight, 1000, is cut
    assert found.snips.value == pytest.approx(2 / 3 + 100 / 101)
    assert found.clipped == 1
    assert found.supported == 1
    assert found.effective_places == pytest.approx(104**2 / (4 + 1 + 1 + 100**2))


def test_what_stands_behind_the_list_that_was_shown_does_not_count() -> None:
    log = shuffled(np.random.default_rng(2), share=1.0)
    longer = np.column_stack([order_of_all(REVERSED), order_of_all(np.arange(ITEMS))])
    assert off_policy.estimate(log, longer, seed=1) == off_policy.estimate(log, order_of_all(REVERSED), seed=1)
