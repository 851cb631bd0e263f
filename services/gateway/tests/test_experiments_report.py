"""What a report says of the sink's sums."""

import math
from typing import Any

import pytest

from gateway.experiments import report, schemas, statistics
from gateway.experiments.file import Arm, Experiment, Guardrails
from gateway.experiments.live import ExperimentState, LiveExperiment
from recsys.experiments import DEFAULT_METRICS, ArmSums, ExperimentSums, Metric, MetricSums, Sums

NOW_MS = 1_700_000_000_000
CONTROL = ArmSums(
    exposures=40_000,
    empty_exposures=400,
    clicked_exposures=6_000,
    units=10_000,
    mixed_units=20,
    latency_ms_sum=400_000.0,
    unit_latency_ms_sum=100_000.0,
    unit_latency_ms_squares=1_040_000.0,
    metrics={
        "click_rate": MetricSums(outcomes=3_000, total=3_000, squares=3_000),
        "conversion_rate": MetricSums(outcomes=1_000, total=1_000, squares=1_000),
        "revenue_per_unit": MetricSums(outcomes=1_000, total=20_000.0, squares=600_000.0),
    },
)
LIMITS = Guardrails(latency_ms=5, empty_share=0.01)


def live(
    *, shares: tuple[float, ...] = (0.5, 0.5), guardrails: Guardrails = LIMITS, state: ExperimentState | None = None
) -> LiveExperiment:
    names = ("control", "fresher", "wide")
    arms = tuple(Arm(name=name, share=share) for name, share in zip(names, shares, strict=False))
    definition = Experiment(name="recency", arms=arms, guardrails=guardrails)
    return LiveExperiment(definition, state or ExperimentState())


def changed(
    *,
    clicked_units: int | None = None,
    converted_units: int | None = None,
    revenue: tuple[float, float] | None = None,  # and its squares
    **changes: float,
) -> ArmSums:
    """The control's sums with something else."""
    metrics = dict(CONTROL.metrics)
    for name, count in (("click_rate", clicked_units), ("conversion_rate", converted_units)):
        if count is not None:
            metrics[name] = MetricSums(outcomes=count, total=count, squares=count)
    if revenue is not None:
        metrics["revenue_per_unit"] = MetricSums(outcomes=1_000, total=revenue[0], squares=revenue[1])
    return CONTROL.model_copy(update={**changes, "metrics": metrics})


def summed(arms: dict[str, ArmSums], *, metrics: tuple[Metric, ...] = DEFAULT_METRICS) -> Sums:
    """What the sink wrote four seconds ago."""
    return Sums(as_of_ms=NOW_MS - 4_000, experiments={"recency": ExperimentSums(metrics=metrics, arms=arms)})


def build(live: LiveExperiment, arms: dict[str, ArmSums]) -> schemas.ExperimentReport:
    return report.build(live, summed(arms), now_ms=NOW_MS)


def against_control(**changes: Any) -> schemas.Comparison:
    (comparison,) = build(live(), {"control": CONTROL, "fresher": changed(**changes)}).comparisons
    return comparison


def test_an_arm_is_shown_with_its_rates() -> None:
    control, fresher = build(live(), {"control": CONTROL}).results

    assert (control.name, control.share, control.is_control) == ("control", 0.5, True)
    assert (control.empty_share, control.ctr, control.mean_latency_ms) == (0.01, 0.15, 10.0)
    assert (control.units, control.mixed_units) == (10_000, 20)
    revenue = control.metrics["revenue_per_unit"]
    assert (revenue.outcomes, revenue.total) == (1_000, 20_000.0)
    assert {metric: interval.value for metric, interval in control.metrics.items()} == {
        "click_rate": 0.3,
        "conversion_rate": 0.1,
        "revenue_per_unit": 2.0,
    }
    for interval in control.metrics.values():
        assert interval.low is not None
        assert interval.high is not None
        assert interval.value is not None
        assert interval.low < interval.value < interval.high
    assert (fresher.is_control, fresher.units, fresher.ctr) == (False, 0, None)


def test_before_anything_happened_nothing_is_claimed() -> None:
    built = build(live(), {})

    assert built.state == "running"
    assert built.split.verdict == "as configured"
    assert built.split.observed == {"control": None, "fresher": None}
    for metric in built.comparisons[0].metrics:
        assert (metric.verdict, metric.p_value, metric.difference.value) == ("not decided yet", 1.0, None)
    assert {guardrail.verdict for guardrail in built.comparisons[0].guardrails} == {"not decided yet"}


def test_a_comparison_is_the_statistics_difference() -> None:
    conversion = against_control(converted_units=1_300).metrics[1]
    expected = statistics.difference(
        statistics.Sample.of_counts(1_300, units=10_000), statistics.Sample.of_counts(1_000, units=10_000)
    )

    assert conversion.metric == "conversion_rate"
    assert conversion.p_value == expected.p_value
    assert conversion.difference.value == pytest.approx(0.03)
    assert (conversion.difference.low, conversion.difference.high) == (expected.low, expected.high)


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, ["not decided yet", "not decided yet", "not decided yet"]),
        ({"clicked_units": 3_400}, ["better", "not decided yet", "not decided yet"]),
        ({"converted_units": 800, "clicked_units": 2_600}, ["worse", "worse", "not decided yet"]),
        ({"revenue": (26_000.0, 900_000.0)}, ["not decided yet", "not decided yet", "better"]),
        ({"revenue": (16_000.0, 400_000.0)}, ["not decided yet", "not decided yet", "worse"]),
    ],
)
def test_a_verdict_says_on_which_side_of_zero_the_difference_lies(changes: dict[str, Any], verdicts: list[str]) -> None:
    assert [metric.verdict for metric in against_control(**changes).metrics] == verdicts


def test_each_treatment_is_compared_with_the_first_arm() -> None:
    built = build(live(shares=(0.4, 0.3, 0.3)), {})

    assert [(each.arm, each.control) for each in built.comparisons] == [("fresher", "control"), ("wide", "control")]


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(9.0, "kept"), (14.5, "kept"), (14.95, "not decided yet"), (15.0, "not decided yet"), (15.5, "violated")],
)
def test_the_latency_guardrail_is_decided_by_the_interval_of_the_units_means(mean: float, verdict: str) -> None:
    """The standard deviation of a unit's mean is 2 ms."""
    unit_sums = {"unit_latency_ms_sum": 10_000 * mean, "unit_latency_ms_squares": 10_000 * (mean**2 + 4)}
    latency = against_control(**unit_sums).guardrails[0]

    assert (latency.guardrail, latency.limit, latency.verdict) == ("latency_ms", 5, verdict)
    assert latency.difference.value == pytest.approx(mean - 10)
    assert latency.difference.low is not None
    assert latency.difference.high is not None
    assert latency.difference.low < mean - 10 < latency.difference.high


def test_of_one_unit_an_arm_no_latency_is_decided() -> None:
    one = ArmSums(exposures=3, units=1, latency_ms_sum=90.0, unit_latency_ms_sum=30.0, unit_latency_ms_squares=900.0)
    latency = build(live(), {"control": one, "fresher": one}).comparisons[0].guardrails[0]

    assert (latency.difference.value, latency.difference.low, latency.difference.high) == (0.0, None, None)
    assert latency.verdict == "not decided yet"


@pytest.mark.parametrize(
    ("empty", "verdict"), [(0, "kept"), (400, "kept"), (800, "not decided yet"), (1_200, "violated")]
)
def test_the_guardrail_of_empty_answers_is_decided_by_its_interval(empty: int, verdict: str) -> None:
    check = against_control(empty_exposures=empty).guardrails[1]

    assert (check.guardrail, check.limit, check.verdict) == ("empty_share", 0.01, verdict)
    assert check.difference.value == pytest.approx(empty / 40_000 - 0.01)
    assert check.difference.low is not None
    assert check.difference.high is not None
    assert check.difference.low < check.difference.value < check.difference.high


def test_empty_answers_count_by_units_as_those_of_a_unit_are_alike() -> None:
    """Ten times the exposures of the same units make nothing surer."""
    often = {"exposures": 400_000, "empty_exposures": 8_000}
    once = build(live(), {"control": CONTROL, "fresher": changed(empty_exposures=800)})
    ten_times = build(live(), {"control": CONTROL, "fresher": changed(**often)})

    assert once.comparisons[0].guardrails[1].difference == ten_times.comparisons[0].guardrails[1].difference


def test_where_no_answer_was_ever_empty_the_guardrail_is_kept() -> None:
    none = changed(empty_exposures=0)
    (comparison,) = build(live(), {"control": none, "fresher": none}).comparisons

    assert comparison.guardrails[1].verdict == "kept"


def test_without_limits_there_are_no_guardrails() -> None:
    built = build(live(guardrails=Guardrails()), {"control": CONTROL, "fresher": CONTROL})

    assert built.comparisons[0].guardrails == []


@pytest.mark.parametrize(
    ("shares", "units", "verdict"),
    [
        ((0.5, 0.5), (10_000, 10_100), "as configured"),
        ((0.5, 0.5), (10_400, 9_600), "mismatch"),
        ((0.05, 0.05), (10_000, 10_100), "as configured"),
        ((0.2, 0.1), (6_700, 3_300), "as configured"),
        ((0.2, 0.1), (6_000, 4_000), "mismatch"),
        ((0.5, 0.0), (6_000, 0), "as configured"),
    ],
)
def test_the_split_is_held_against_the_ratio_of_the_shares(
    shares: tuple[float, float], units: tuple[int, int], verdict: str
) -> None:
    split = build(live(shares=shares), {"control": changed(units=units[0]), "fresher": changed(units=units[1])}).split

    assert split.verdict == verdict
    assert split.reason is None
    assert split.p_value is not None
    assert split.e_value is not None
    assert split.p_value == pytest.approx(min(1.0, 1 / split.e_value))
    assert split.expected == pytest.approx({"control": shares[0] / sum(shares), "fresher": shares[1] / sum(shares)})
    assert split.observed == pytest.approx({"control": units[0] / sum(units), "fresher": units[1] / sum(units)})


def test_evidence_beyond_all_numbers_is_still_a_number() -> None:
    split = build(live(), {"control": changed(units=1_000_000), "fresher": changed(units=0)}).split

    assert split.verdict == "mismatch"
    assert split.e_value is not None
    assert math.isfinite(split.e_value)


def test_arms_ramped_up_alike_are_still_checked() -> None:
    state = ExperimentState(shares={"control": 0.3, "fresher": 0.3})
    built = build(live(shares=(0.05, 0.05), state=state), {"control": CONTROL, "fresher": CONTROL})

    assert built.split.verdict == "as configured"
    assert [arm.share for arm in built.results] == [arm.share for arm in built.arms] == [0.3, 0.3]


def test_a_split_of_units_that_came_in_several_ratios_is_not_checked() -> None:
    state = ExperimentState(shares={"control": 0.1, "fresher": 0.5})
    split = build(live(state=state), {"control": CONTROL, "fresher": CONTROL}).split

    assert split.verdict == "not checked"
    assert split.reason is not None
    assert "ratio of the shares was changed" in split.reason
    assert (split.p_value, split.e_value) == (None, None)


@pytest.mark.parametrize(
    ("shares", "verdict"), [((0.4, 0.4), "as configured"), ((0.1, 0.5), "not checked")], ids=["ramped", "another-ratio"]
)
def test_an_experiment_that_began_over_the_api_is_checked_by_the_shares_that_it_began_with(
    shares: tuple[float, float], verdict: str
) -> None:
    begun = live(shares=(0.0, 0.0)).with_shares({"control": 0.2, "fresher": 0.2})
    began = live(shares=(0.0, 0.0), state=begun)
    now = live(shares=(0.0, 0.0), state=began.with_shares(dict(zip(("control", "fresher"), shares, strict=True))))

    assert build(began, {"control": CONTROL, "fresher": CONTROL}).split.verdict == "as configured"
    assert build(now, {"control": CONTROL, "fresher": CONTROL}).split.verdict == verdict


def test_a_split_of_nothing_is_not_checked() -> None:
    assert build(live(shares=(0.0, 0.0)), {}).split.reason == "all shares are 0"


def test_a_stopped_experiment_says_when() -> None:
    built = build(live(state=ExperimentState(stopped_ms=1_700_000_000_000)), {"control": CONTROL})

    assert built.state == "stopped"
    assert built.stopped_at is not None
    assert built.stopped_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert built.results[0].units == 10_000


def test_sums_of_an_arm_that_left_the_file_are_left_out() -> None:
    built = build(live(), {"control": CONTROL, "fresher": CONTROL, "gone": CONTROL})

    assert [arm.name for arm in built.results] == ["control", "fresher"]


def test_a_report_is_json() -> None:
    built = build(live(), {"control": changed(units=1, converted_units=1, revenue=(1.0, 0.0))})

    assert schemas.ExperimentReport.model_validate_json(built.model_dump_json()) == built


def test_the_report_says_up_to_when_it_counts_and_how_long_ago_that_was() -> None:
    built = build(live(), {"control": CONTROL})

    assert built.as_of is not None
    assert (built.as_of.isoformat(), built.age_s) == ("2023-11-14T22:13:16+00:00", 4.0)


@pytest.mark.parametrize(
    "sums",
    [
        None,
        Sums(as_of_ms=1, experiments={}),
        summed({"control": CONTROL}, metrics=(Metric(name="orders", measure="count", types=("order",)),)),
    ],
    ids=["nothing was summed", "other experiments were", "it was by other metrics"],
)
def test_without_sums_by_the_metrics_of_now_nothing_is_claimed(sums: Sums | None) -> None:
    built = report.build(live(), sums, now_ms=NOW_MS)

    assert (built.as_of, built.age_s) == (None, None)
    assert [(arm.units, arm.exposures) for arm in built.results] == [(0, 0), (0, 0)]
    assert {metric.verdict for metric in built.comparisons[0].metrics} == {"not decided yet"}


def test_several_metrics_and_arms_are_corrected_together() -> None:
    """Two metrics of two arms: the least p-value counts four times, the next three times."""
    metrics = (Metric(name="orders", measure="converted"), Metric(name="clicks", measure="clicked"))
    arms = ("control", "fresher", "wide")
    experiment = Experiment(name="recency", arms=tuple(Arm(name=name, share=0.3) for name in arms), metrics=metrics)

    def arm(orders: int, clicks: int) -> ArmSums:
        counts = {"orders": orders, "clicks": clicks}
        of = {name: MetricSums(outcomes=n, total=n, squares=n) for name, n in counts.items()}
        return ArmSums(exposures=10_000, units=10_000, metrics=of)

    sums = summed(
        {"control": arm(1_000, 3_000), "fresher": arm(1_200, 3_000), "wide": arm(1_143, 2_600)}, metrics=metrics
    )
    compared = report.build(LiveExperiment(experiment), sums, now_ms=NOW_MS).comparisons
    p = [metric.p_value for comparison in compared for metric in comparison.metrics]
    adjusted = [metric.p_adjusted for comparison in compared for metric in comparison.metrics]
    verdicts = [metric.verdict for comparison in compared for metric in comparison.metrics]

    assert p[3] < p[0] < p[2] < 0.05 < p[1]
    assert adjusted == pytest.approx([3 * p[0], 1.0, 2 * p[2], 4 * p[3]])
    assert verdicts == ["better", "not decided yet", "not decided yet", "worse"]
    assert adjusted[2] > statistics.ALPHA


def test_money_may_be_lost() -> None:
    loss = MetricSums(outcomes=500, total=-4_000.0, squares=60_000.0)
    arm = changed().model_copy(update={"metrics": {**CONTROL.metrics, "revenue_per_unit": loss}})
    metric = build(live(), {"control": arm}).results[0].metrics["revenue_per_unit"]

    assert (metric.value, metric.total) == (-0.4, -4_000.0)
    assert metric.low is not None
    assert metric.high is not None
    assert metric.low < -0.4 < metric.high
