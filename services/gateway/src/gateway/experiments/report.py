"""What an experiment shows: the store's totals, compared arm by arm with the control.

In: an experiment as it is now, and its totals. Out: the report, with a verdict for every metric and guardrail.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from gateway.experiments import schemas, statistics
from gateway.experiments.live import LiveExperiment
from gateway.experiments.statistics import Estimate, Sample
from recsys.feature_store.interface import ArmTotals

_METRICS: tuple[schemas.MetricName, ...] = ("click_rate", "conversion_rate", "revenue_per_unit")
_RATIO_CHANGED = "the ratio of the shares was changed through the API, so that earlier units came in another one"


def summary(live: LiveExperiment) -> schemas.ExperimentSummary:
    """An experiment as it is now."""
    stopped_ms = live.state.stopped_ms
    shares = live.shares
    return schemas.ExperimentSummary(
        name=live.definition.name,
        state="running" if stopped_ms is None else "stopped",
        stopped_at=None if stopped_ms is None else datetime.fromtimestamp(stopped_ms / 1000, tz=UTC),
        arms=[arm.model_copy(update={"share": shares[arm.name]}) for arm in live.definition.arms],
    )


def build(live: LiveExperiment, totals: Mapping[str, ArmTotals]) -> schemas.ExperimentReport:
    """The report. Totals of arms that the file no longer has are left out."""
    of_arm = {arm: totals.get(arm, ArmTotals()) for arm in live.shares}
    control, *treatments = of_arm
    about = summary(live)
    return schemas.ExperimentReport(
        name=about.name,
        state=about.state,
        stopped_at=about.stopped_at,
        arms=about.arms,
        results=[
            _arm(name, arm_totals, share=live.shares[name], is_control=name == control)
            for name, arm_totals in of_arm.items()
        ],
        comparisons=[
            schemas.Comparison(
                arm=arm,
                control=control,
                metrics=[_compare(metric, of_arm[arm], of_arm[control]) for metric in _METRICS],
                guardrails=_guardrails(live, of_arm[arm], of_arm[control]),
            )
            for arm in treatments
        ],
        split=_split(live, of_arm),
    )


def _sample(metric: schemas.MetricName, totals: ArmTotals) -> Sample:
    match metric:
        case "click_rate":
            return Sample.of_counts(totals.clicked_units, units=totals.units)
        case "conversion_rate":
            return Sample.of_counts(totals.converted_units, units=totals.units)
        case "revenue_per_unit":
            return Sample(
                units=totals.units,
                outcomes=totals.converted_units,
                total=totals.revenue,
                squares=totals.revenue_squares,
            )


def _empty_sample(totals: ArmTotals) -> Sample:
    """The share of empty exposures as if each unit had been asked once: a unit's exposures tend to be all alike.

    One unit with and one without are added (Laplace), so that none at all, the usual case, bounds the share too.
    """
    empty_units = totals.units * (_per_exposure(totals.empty_exposures, totals) or 0.0)
    return Sample.of_counts(empty_units + 1, units=totals.units + 2)


def _arm(name: str, totals: ArmTotals, *, share: float, is_control: bool) -> schemas.ArmReport:
    def metric_interval(metric: schemas.MetricName) -> schemas.Interval:
        estimate = statistics.mean(_sample(metric, totals))
        low, high = (-math.inf, math.inf) if metric == "revenue_per_unit" else (0.0, 1.0)
        return _interval(estimate, low=low, high=high, is_known=totals.units > 0)

    return schemas.ArmReport(
        name=name,
        share=share,
        is_control=is_control,
        exposures=totals.exposures,
        empty_share=_per_exposure(totals.empty_exposures, totals),
        ctr=_per_exposure(totals.clicked_exposures, totals),
        mean_latency_ms=_per_exposure(totals.latency_ms_sum, totals),
        units=totals.units,
        clicked_units=totals.clicked_units,
        converted_units=totals.converted_units,
        revenue=totals.revenue,
        metrics={metric: metric_interval(metric) for metric in _METRICS},
    )


def _compare(metric: schemas.MetricName, arm: ArmTotals, control: ArmTotals) -> schemas.MetricComparison:
    estimate = statistics.difference(_sample(metric, arm), _sample(metric, control))
    bound = math.inf if metric == "revenue_per_unit" else 1.0
    verdict: Literal["better", "worse", "not decided yet"] = "not decided yet"
    if estimate.low > 0:
        verdict = "better"
    elif estimate.high < 0:
        verdict = "worse"
    return schemas.MetricComparison(
        metric=metric,
        difference=_interval(estimate, low=-bound, high=bound, is_known=arm.units > 0 and control.units > 0),
        p_value=estimate.p_value,
        verdict=verdict,
    )


def _guardrails(live: LiveExperiment, arm: ArmTotals, control: ArmTotals) -> list[schemas.GuardrailCheck]:
    limits = live.definition.guardrails
    checks = []
    if limits.latency_ms is not None:
        checks.append(_latency(arm, control, limit=limits.latency_ms))
    if limits.empty_share is not None:
        checks.append(_empty_share(arm, control, limit=limits.empty_share))
    return checks


def _latency(arm: ArmTotals, control: ArmTotals, *, limit: float) -> schemas.GuardrailCheck:
    """The means as they are: the store keeps no squares, so there is no interval."""
    mean, control_mean = (_per_exposure(totals.latency_ms_sum, totals) for totals in (arm, control))
    difference = None if mean is None or control_mean is None else mean - control_mean
    verdict: Literal["kept", "violated", "not decided yet"] = "not decided yet"
    if difference is not None:
        verdict = "violated" if difference > limit else "kept"
    return schemas.GuardrailCheck(
        guardrail="latency_ms",
        limit=limit,
        difference=schemas.Interval(value=difference, low=None, high=None),
        verdict=verdict,
    )


def _empty_share(arm: ArmTotals, control: ArmTotals, *, limit: float) -> schemas.GuardrailCheck:
    share, control_share = (_per_exposure(totals.empty_exposures, totals) for totals in (arm, control))
    estimate = statistics.difference(_empty_sample(arm), _empty_sample(control))
    verdict: Literal["kept", "violated", "not decided yet"] = "not decided yet"
    if estimate.low > limit:
        verdict = "violated"
    elif estimate.high <= limit:
        verdict = "kept"
    return schemas.GuardrailCheck(
        guardrail="empty_share",
        limit=limit,
        difference=schemas.Interval(
            value=None if share is None or control_share is None else share - control_share,
            low=max(estimate.low, -1.0),
            high=min(estimate.high, 1.0),
        ),
        verdict=verdict,
    )


def _split(live: LiveExperiment, of_arm: Mapping[str, ArmTotals]) -> schemas.SplitCheck:
    """Units against the ratio of the shares; it is the same before and after all arms were ramped up alike."""
    expected = _parts(live.shares)
    was = _parts(live.definition.shares)
    units = {arm: totals.units for arm, totals in of_arm.items()}
    whole = sum(units.values())
    observed = {arm: count / whole if whole else None for arm, count in units.items()}
    compared = [arm for arm, part in expected.items() if part > 0]
    reason = None
    if not compared:
        reason = "all shares are 0"
    elif any(not math.isclose(expected[arm], was[arm], abs_tol=1e-9) for arm in expected):
        reason = _RATIO_CHANGED
    if reason:
        return schemas.SplitCheck(
            verdict="not checked", reason=reason, p_value=None, e_value=None, expected=expected, observed=observed
        )
    evidence = statistics.log_split_evidence([units[arm] for arm in compared], [expected[arm] for arm in compared])
    p_value = statistics.p_value(evidence)
    return schemas.SplitCheck(
        verdict="mismatch" if p_value <= statistics.SPLIT_ALPHA else "as configured",
        reason=None,
        p_value=p_value,
        e_value=math.exp(min(evidence, 700)),  # JSON has no infinity
        expected=expected,
        observed=observed,
    )


def _parts(shares: Mapping[str, float]) -> dict[str, float]:
    whole = math.fsum(shares.values())
    return {arm: share / whole if whole else 0.0 for arm, share in shares.items()}


def _per_exposure(total: float, totals: ArmTotals) -> float | None:
    return total / totals.exposures if totals.exposures else None


def _interval(estimate: Estimate, *, low: float, high: float, is_known: bool) -> schemas.Interval:
    """The interval within what the value can be at all."""
    bounds = (max(estimate.low, low), min(estimate.high, high))
    return schemas.Interval(
        value=estimate.value if is_known else None,
        low=bounds[0] if math.isfinite(bounds[0]) else None,
        high=bounds[1] if math.isfinite(bounds[1]) else None,
    )
