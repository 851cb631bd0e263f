"""What the statistics promise, by simulation: somebody looks 200 times and stops at the first verdict.

The same data are also judged as one would who plans for one look: that this fails shows that the test has teeth.
"""

import math
import random
from collections.abc import Callable, Iterator

import pytest

from gateway.experiments import statistics
from gateway.experiments.statistics import Sample

RUNS = 300
PEEKS = 200
BATCH = 100  # units between two looks

Observation = Callable[[random.Random], float]


def zero_or_one(rate: float) -> Observation:
    return lambda chance: float(chance.random() < rate)


def money(rate: float, *, spread: float) -> Observation:
    return lambda chance: chance.lognormvariate(3, spread) if chance.random() < rate else 0.0


def peeks(
    treatment: Observation, control: Observation, *, chance: random.Random, treatment_share: float = 0.5
) -> Iterator[tuple[Sample, Sample]]:
    """Both arms after every batch of new units."""
    sums = {arm: [0, 0, 0.0, 0.0] for arm in (treatment, control)}
    for _ in range(PEEKS):
        for _ in range(BATCH):
            arm = treatment if chance.random() < treatment_share else control
            x = arm(chance)
            sums[arm][0] += 1
            if x:
                sums[arm][1] += 1
                sums[arm][2] += x
                sums[arm][3] += x * x
        yield Sample(*sums[treatment]), Sample(*sums[control])


def claims_a_difference(treatment: Sample, control: Sample) -> bool:
    estimate = statistics.difference(treatment, control)
    return not estimate.low <= 0 <= estimate.high


def naively_claims_a_difference(treatment: Sample, control: Sample) -> bool:
    """The z-test for one look at a number of units fixed beforehand."""
    if not treatment.units or not control.units:
        return False
    error = math.sqrt(treatment.variance / treatment.units + control.variance / control.units)
    return abs(treatment.mean - control.mean) > 1.96 * error > 0


@pytest.mark.parametrize(
    ("kind", "observation", "treatment_share"),
    [
        ("clicks", lambda: zero_or_one(0.3), 0.5),
        ("conversions", lambda: zero_or_one(0.05), 0.5),
        ("few conversions", lambda: zero_or_one(0.005), 0.5),
        ("conversions in a small arm", lambda: zero_or_one(0.05), 0.1),
        ("revenue", lambda: money(0.1, spread=1), 0.5),
        ("heavy-tailed revenue", lambda: money(0.1, spread=2), 0.5),
        ("heavy-tailed revenue in a small arm", lambda: money(0.1, spread=2), 0.1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_peeking_at_equal_arms_finds_no_difference_more_often_than_promised(
    kind: str, observation: Callable[[], Observation], treatment_share: float
) -> None:
    chance = random.Random(f"equal arms, {kind}")
    wrong = naively_wrong = 0
    for _ in range(RUNS):
        looks = list(peeks(observation(), observation(), chance=chance, treatment_share=treatment_share))
        wrong += any(claims_a_difference(*look) for look in looks)
        naively_wrong += any(naively_claims_a_difference(*look) for look in looks)

    assert wrong / RUNS <= statistics.ALPHA
    assert naively_wrong / RUNS > 3 * statistics.ALPHA


def test_purchases_that_come_long_after_the_units_do_no_harm() -> None:
    """All units are there from the start, and buy one after another: there are more looks than new units."""
    chance = random.Random("late purchases")
    wrong = naively_wrong = 0
    for _ in range(RUNS):
        bought = [0, 0]
        is_wrong = is_naively_wrong = False
        for _ in range(PEEKS * 4):
            bought[chance.random() < 0.5] += 1
            treatment, control = (Sample.of_counts(count, units=10_000) for count in bought)
            is_wrong |= claims_a_difference(treatment, control)
            is_naively_wrong |= naively_claims_a_difference(treatment, control)
        wrong += is_wrong
        naively_wrong += is_naively_wrong

    assert wrong / RUNS <= statistics.ALPHA
    assert naively_wrong / RUNS > 3 * statistics.ALPHA


def test_a_mean_stays_in_its_interval_at_every_look() -> None:
    chance = random.Random("mean")
    missed = 0
    for _ in range(RUNS):
        looks = peeks(zero_or_one(0.1), zero_or_one(0.1), chance=chance)
        estimates = [statistics.mean(one) for one, _ in looks]
        missed += any(not estimate.low <= 0.1 <= estimate.high for estimate in estimates)

    assert missed / RUNS <= statistics.ALPHA


@pytest.mark.parametrize(
    ("treatment", "control"),
    [(zero_or_one(0.12), zero_or_one(0.10)), (money(0.12, spread=0.5), money(0.1, spread=0.5))],
    ids=["conversions", "revenue"],
)
def test_a_lift_from_10_to_12_percent_is_found(treatment: Observation, control: Observation) -> None:
    chance = random.Random("lift")
    better = worse = 0
    for _ in range(100):
        estimates = [statistics.difference(*look) for look in peeks(treatment, control, chance=chance)]
        better += any(estimate.low > 0 for estimate in estimates)
        worse += any(estimate.high < 0 for estimate in estimates)

    assert better >= 80
    assert worse <= 2


def alarms(*, runs: int, served: float, chance: random.Random) -> int:
    """In how many runs a split of one half each is ever called a mismatch."""
    count = 0
    for _ in range(runs):
        units = [0, 0]
        is_alarmed = False
        for _ in range(PEEKS):
            first = sum(chance.random() < served for _ in range(BATCH))
            units = [units[0] + first, units[1] + BATCH - first]
            p_value = statistics.p_value(statistics.log_split_evidence(units, [0.5, 0.5]))
            is_alarmed |= p_value <= statistics.SPLIT_ALPHA
        count += is_alarmed
    return count


def test_a_right_split_raises_no_more_alarms_than_promised() -> None:
    assert alarms(runs=RUNS, served=0.5, chance=random.Random("split")) / RUNS <= statistics.SPLIT_ALPHA


def test_a_split_that_is_off_by_2_percent_is_found() -> None:
    assert alarms(runs=50, served=0.52, chance=random.Random("off")) >= 48
