"""What an experiment shows: the sink's sums, compared arm by arm with the control.

In: an experiment as it is now, and its sums. Out: the report, with a verdict for every metric and guardrail.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from gateway.experiments import schemas, statistics
from gateway.experiments.live import LiveExperiment
from gateway.experiments.statistics import Estimate, Sample
from recsys.experiments import ArmSums, Metric, MetricSums, Sums

_RATIO_CHANGED = "the ratio of the shares was changed through the API, so that earlier units came in another one"


def summary(live: LiveExperiment) -> schemas.ExperimentSummary:
    """An experiment as it is now."""
    stopped_ms = live.state.stopped_ms
    shares = live.shares
    return schemas.ExperimentSummary(
        name=live.name,
        state="running" if stopped_ms is None else "stopped",
        stopped_at=None if stopped_ms is None else datetime.fromtimestamp(stopped_ms / 1000, tz=UTC),
        arms=[arm.model_copy(update={"share": shares[arm.name]}) for arm in live.definition.arms],
    )


def build(live: LiveExperiment, sums: Sums | None, *, now_ms: int) -> schemas.ExperimentReport:
    """The report. Sums of arms that the file no longer has, or by metrics that it no longer has, do not count."""
    metrics = live.definition.metrics
    found = sums.experiments.get(live.name) if sums else None
    is_current = found is not None and found.metrics == metrics
    of_arm = {arm: found.arms.get(arm, ArmSums()) if found and is_current else ArmSums() for arm in live.shares}
    control = next(iter(of_arm))
    as_of_ms = sums.as_of_ms if sums and is_current else None
    return schemas.ExperimentReport(
        **dict(summary(live)),
        metrics=list(metrics),
        as_of=None if as_of_ms is None else datetime.fromtimestamp(as_of_ms / 1000, tz=UTC),
        age_s=None if as_of_ms is None else max(0.0, (now_ms - as_of_ms) / 1000),
        results=[
            _arm(name, arm_sums, metrics, share=live.shares[name], is_control=name == control)
            for name, arm_sums in of_arm.items()
        ],
        comparisons=_comparisons(live, of_arm),
        split=_split(live, of_arm),
    )


def _comparisons(live: LiveExperiment, of_arm: Mapping[str, ArmSums]) -> list[schemas.Comparison]:
    metrics = live.definition.metrics
    control, *treatments = of_arm
    estimates = {
        (arm, metric.name): statistics.difference(_sample(metric, of_arm[arm]), _sample(metric, of_arm[control]))
        for arm in treatments
        for metric in metrics
    }
    adjusted = statistics.holm([estimate.p_value for estimate in estimates.values()])
    p_adjusted = dict(zip(estimates, adjusted, strict=True))
    is_known = {arm: bool(of_arm[arm].units and of_arm[control].units) for arm in treatments}
    return [
        schemas.Comparison(
            arm=arm,
            control=control,
            metrics=[
                _compare(metric, estimates[key], p_adjusted=p_adjusted[key], is_known=is_known[arm])
                for metric in metrics
                for key in [(arm, metric.name)]
            ],
            guardrails=_guardrails(live, of_arm[arm], of_arm[control]),
        )
        for arm in treatments
    ]


def _sample(metric: Metric, arm: ArmSums) -> Sample:
    sums = arm.metrics.get(metric.name, MetricSums())
    return Sample(units=arm.units, outcomes=sums.outcomes, total=sums.total, squares=sums.squares)


def _bound(metric: Metric) -> float:
    """No mean is larger."""
    return 1.0 if metric.measure in ("clicked", "converted") else math.inf


def _empty_sample(arm: ArmSums) -> Sample:
    """The share of empty exposures as if each unit had been asked once: a unit's exposures tend to be all alike.

    One unit with and one without are added (Laplace), so that none at all, the usual case, bounds the share too.
    """
    empty_units = arm.units * (_per_exposure(arm.empty_exposures, arm) or 0.0)
    return Sample.of_counts(empty_units + 1, units=arm.units + 2)


def _arm(name: str, arm: ArmSums, metrics: Sequence[Metric], *, share: float, is_control: bool) -> schemas.ArmReport:
    def of(metric: Metric) -> schemas.ArmMetric:
        sample, bound = _sample(metric, arm), _bound(metric)
        low = 0.0 if metric.measure == "count" or math.isfinite(bound) else -bound
        interval = _interval(statistics.mean(sample), low=low, high=bound, is_known=arm.units > 0)
        return schemas.ArmMetric(**dict(interval), outcomes=round(sample.outcomes), total=sample.total)

    return schemas.ArmReport(
        name=name,
        share=share,
        is_control=is_control,
        exposures=arm.exposures,
        empty_share=_per_exposure(arm.empty_exposures, arm),
        ctr=_per_exposure(arm.clicked_exposures, arm),
        mean_latency_ms=_per_exposure(arm.latency_ms_sum, arm),
        units=arm.units,
        mixed_units=arm.mixed_units,
        metrics={metric.name: of(metric) for metric in metrics},
    )


def _compare(metric: Metric, estimate: Estimate, *, p_adjusted: float, is_known: bool) -> schemas.MetricComparison:
    verdict: Literal["better", "worse", "not decided yet"] = "not decided yet"
    if p_adjusted <= statistics.ALPHA:
        verdict = "better" if estimate.value > 0 else "worse"
    bound = _bound(metric)
    return schemas.MetricComparison(
        metric=metric.name,
        difference=_interval(estimate, low=-bound, high=bound, is_known=is_known),
        p_value=estimate.p_value,
        p_adjusted=p_adjusted,
        verdict=verdict,
    )


def _guardrails(live: LiveExperiment, arm: ArmSums, control: ArmSums) -> list[schemas.GuardrailCheck]:
    limits = live.definition.guardrails
    checks = []
    if limits.latency_ms is not None:
        checks.append(_latency(arm, control, limit=limits.latency_ms))
    if limits.empty_share is not None:
        checks.append(_empty_share(arm, control, limit=limits.empty_share))
    return checks


def _latency(arm: ArmSums, control: ArmSums, *, limit: float) -> schemas.GuardrailCheck:
    """The means as they are: there are no squares, so there is no interval."""
    mean, control_mean = (_per_exposure(each.latency_ms_sum, each) for each in (arm, control))
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


def _empty_share(arm: ArmSums, control: ArmSums, *, limit: float) -> schemas.GuardrailCheck:
    share, control_share = (_per_exposure(each.empty_exposures, each) for each in (arm, control))
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


def _split(live: LiveExperiment, of_arm: Mapping[str, ArmSums]) -> schemas.SplitCheck:
    """Units against the ratio of the shares; it is the same before and after all arms were ramped up alike."""
    expected = _parts(live.shares)
    was = _parts(live.definition.shares)
    units = {name: arm.units for name, arm in of_arm.items()}
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


def _per_exposure(total: float, arm: ArmSums) -> float | None:
    return total / arm.exposures if arm.exposures else None


def _interval(estimate: Estimate, *, low: float, high: float, is_known: bool) -> schemas.Interval:
    """The interval within what the value can be at all."""
    bounds = (max(estimate.low, low), min(estimate.high, high))
    return schemas.Interval(
        value=estimate.value if is_known else None,
        low=bounds[0] if math.isfinite(bounds[0]) else None,
        high=bounds[1] if math.isfinite(bounds[1]) else None,
    )
