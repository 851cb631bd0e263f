"""The formulas by hand on small numbers; `test_experiments_peeking.py` has what they promise."""

import math

import pytest

from gateway.experiments import statistics
from gateway.experiments.statistics import Sample

RHO_SQUARED = 7.9362e-3  # (−2·log 0.05 + log(1 − 2·log 0.05)) / 1000 = (5.9915 + 1.9447) / 1000


def test_a_mean_has_the_interval_of_the_normal_mixture() -> None:
    """500 ones among 2000 units: variance 3/16, so 375 outcomes' worth of time."""
    estimate = statistics.mean(Sample.of_counts(500, units=2000))

    t = 375
    reach = math.sqrt(
        2 * (t * RHO_SQUARED + 1) / (t**2 * RHO_SQUARED) * math.log(math.sqrt(t * RHO_SQUARED + 1) / 0.05)
    )
    # `reach` is for observations of variance 1 over 375 of them; here the sum of 2000 has accumulated that variance.
    assert estimate.value == 0.25
    assert estimate.high - 0.25 == pytest.approx(reach * t / 2000, rel=1e-4)
    assert 0.25 - estimate.low == pytest.approx(reach * t / 2000, rel=1e-4)


def test_the_interval_is_narrowest_where_it_was_tuned() -> None:
    """√(1.12601 · (log 8.9362 + 2·log 20)) = √(1.12601 · 8.18157) = 3.0352 standard errors."""
    assert statistics.multiplier(1000) == pytest.approx(3.0352, abs=1e-4)
    assert statistics.multiplier(1000) < 1.01 * min(statistics.multiplier(700), statistics.multiplier(1400))
    assert statistics.multiplier(10) > 6
    assert statistics.multiplier(100_000) < 1.2 * statistics.multiplier(1000)


def test_the_evidence_is_the_mixture_over_normal_effects() -> None:
    """∫ exp(λS − λ²V/2) dN(λ; 0, ρ²), summed by the trapezoid rule."""
    time, z = 800.0, 2.5
    total, width = z * math.sqrt(time), 1e-4
    effects = [number * width for number in range(-10_000, 10_001)]
    density = [math.exp(-(effect**2) / (2 * RHO_SQUARED)) / math.sqrt(2 * math.pi * RHO_SQUARED) for effect in effects]
    likelihood = [math.exp(effect * total - effect**2 * time / 2) for effect in effects]
    mixture = math.fsum(a * b for a, b in zip(density, likelihood, strict=True)) * width

    assert statistics.log_evidence(z, time=time) == pytest.approx(math.log(mixture), abs=1e-4)


def test_the_p_value_falls_to_alpha_where_the_interval_leaves_zero() -> None:
    for time in (5.0, 50.0, 5000.0):
        edge = statistics.log_evidence(statistics.multiplier(time), time=time)
        assert statistics.p_value(edge) == pytest.approx(0.05)


def test_a_difference_by_hand() -> None:
    """Treatment earned 0, 0, 3, 5 and control 0, 0, 0, 2.

    Means 2 and 0.5; variances 34/4 − 4 = 4.5 and 4/4 − 0.25 = 0.75; of both together 38/8 − 1.25² = 3.1875, which is
    more than the control's own. Standard error √(4.5/4 + 3.1875/4) = 1.38631. Mean square of an outcome 38/3; time
    (4·4.5 + 4·3.1875) / (38/3) = 2.42763.
    """
    treatment = Sample(units=4, outcomes=2, total=8.0, squares=34.0)
    control = Sample(units=4, outcomes=1, total=2.0, squares=4.0)

    estimate = statistics.difference(treatment, control)

    scaled = 2.42763 * RHO_SQUARED
    z = 1.5 / 1.38631
    evidence = math.exp(z**2 * scaled / (2 * (1 + scaled))) / math.sqrt(1 + scaled)
    assert estimate.value == 1.5
    assert estimate.high - 1.5 == pytest.approx(
        1.38631 * math.sqrt((1 + 1 / scaled) * (math.log(1 + scaled) + 2 * math.log(20))), rel=1e-4
    )
    assert estimate.p_value == pytest.approx(min(1.0, 1 / evidence), rel=1e-4)


def test_the_currency_changes_no_p_value() -> None:
    euros = Sample(5000, 400, 9_000.0, 500_000.0), Sample(5000, 430, 7_000.0, 300_000.0)
    cents = Sample(5000, 400, 900_000.0, 5e9), Sample(5000, 430, 700_000.0, 3e9)

    assert statistics.difference(*euros).p_value == pytest.approx(statistics.difference(*cents).p_value)
    assert statistics.difference(*euros).high == pytest.approx(statistics.difference(*cents).high / 100)


def test_a_difference_turned_around_is_the_negative_one() -> None:
    one, other = Sample.of_counts(300, units=3000), Sample.of_counts(90, units=700)

    there, back = statistics.difference(one, other), statistics.difference(other, one)

    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.p_value == pytest.approx(back.p_value)


@pytest.mark.parametrize(
    ("treatment", "control"),
    [
        (Sample.of_counts(0, units=0), Sample.of_counts(0, units=0)),
        (Sample.of_counts(3, units=9), Sample.of_counts(0, units=0)),
        (Sample.of_counts(0, units=100), Sample.of_counts(0, units=100)),
        (Sample.of_counts(100, units=100), Sample.of_counts(100, units=100)),
        (Sample(units=10, outcomes=2, total=0.0, squares=0.0), Sample(units=10, outcomes=0, total=0.0, squares=0.0)),
    ],
    ids=["nobody", "no control", "nothing happened", "all the same", "purchases of no value"],
)
def test_where_nothing_is_known_of_the_variance_nothing_is_claimed(treatment: Sample, control: Sample) -> None:
    estimate = statistics.difference(treatment, control)

    assert (estimate.low, estimate.high, estimate.p_value) == (-math.inf, math.inf, 1.0)
    assert statistics.mean(control).low == -math.inf


def test_the_evidence_against_a_split_by_hand() -> None:
    """Prior 500 and 500. Two units of one arm: (500·501)/(1000·1001) over ¼; one of each: (500·500)/(1000·1001)."""
    assert statistics.log_split_evidence([1, 0], [0.5, 0.5]) == pytest.approx(0.0, abs=1e-9)
    assert math.exp(statistics.log_split_evidence([2, 0], [0.5, 0.5])) == pytest.approx(1002 / 1001, abs=1e-9)
    assert math.exp(statistics.log_split_evidence([1, 1], [0.5, 0.5])) == pytest.approx(1000 / 1001, abs=1e-9)
    # Prior 100, 300, 600: (300·301·600)/(1000·1001·1002) over 0.3²·0.6.
    three = math.exp(statistics.log_split_evidence([0, 2, 1], [0.1, 0.3, 0.6]))
    assert three == pytest.approx(300 * 301 * 600 / (1000 * 1001 * 1002) / (0.3**2 * 0.6), abs=1e-9)


def test_the_evidence_against_a_split_is_a_martingale_where_the_split_is_right() -> None:
    shares = [0.2, 0.3, 0.5]
    for counts in ([0, 0, 0], [7, 1, 2], [2000, 3100, 4900]):
        now = statistics.log_split_evidence(counts, shares)
        ahead = 0.0
        for arm, share in enumerate(shares):
            one_more = [count + (arm == other) for other, count in enumerate(counts)]
            ahead += share * math.exp(statistics.log_split_evidence(one_more, shares) - now)
        assert ahead == pytest.approx(1.0, abs=1e-9)


def test_only_the_ratio_of_shares_counts_for_a_split() -> None:
    few, many = ([40, 55], [0.01, 0.02]), ([40, 55], [1 / 3, 2 / 3])

    assert statistics.log_split_evidence(*few) == pytest.approx(statistics.log_split_evidence(*many))


def test_no_evidence_is_a_p_value_of_one() -> None:
    assert statistics.p_value(-3.0) == 1.0
    assert statistics.p_value(math.log(100)) == pytest.approx(0.01)


def test_holms_correction_is_that_of_his_paper() -> None:
    """Sorted 0.01, 0.02, 0.03, 0.9: times 4, 3, 2, 1, never less than the one before, and 1 at the most."""
    assert statistics.holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert statistics.holm([0.6, 0.7]) == [1.0, 1.0]
    assert statistics.holm([0.04]) == [0.04]
    assert statistics.holm([]) == []
