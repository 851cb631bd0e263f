"""What an experiment shows: the sink's sums, compared arm by arm with the control.

In: an experiment as it is now, and its sums. Out: the report, with a verdict for every metric and guardrail.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from gateway.experiments import schemas, statistics
from gateway.experiments.file import Guardrails
from gateway.experiments.live import LiveExperiment
from gateway.experiments.statistics import Estimate, Sample
from recsys.experiments import ArmSums, Metric, MetricSums, Sums

_RATIO_CHANGED = "the ratio of the shares was changed through the API, so that earlier units came in another one"


def summary(live: LiveExperiment) -> schemas.ExperimentSummary:
    """An experiment as it is now."""
    return schemas.ExperimentSummary(
        name=live.name,
        state="stopped" if live.is_stopped else "running",
        stopped_at=_time(live.state.stopped_ms),
        shipped_arm=live.state.shipped_arm,
        arms=[arm.model_copy(update={"share": live.shares[arm.name]}) for arm in live.definition.arms],
    )


def build(live: LiveExperiment, sums: Sums | None, *, now_ms: int) -> schemas.ExperimentReport:
    """The report. Sums of arms that the file no longer has, or by metrics that it no longer has, do not count."""
    metrics, as_of_ms = live.definition.metrics, None
    of_arm = dict.fromkeys(live.shares, ArmSums())
    if sums and (found := sums.experiments.get(live.name)) and found.metrics == metrics:
        as_of_ms = sums.as_of_ms
        of_arm |= {arm: arm_sums for arm, arm_sums in found.arms.items() if arm in of_arm}
    return schemas.ExperimentReport(
        **dict(summary(live)),
        metrics=list(metrics),
        as_of=_time(as_of_ms),
        age_s=None if as_of_ms is None else max(0.0, (now_ms - as_of_ms) / 1000),
        results=[
            _arm(name, arm_sums, metrics, share=live.shares[name], is_control=name == next(iter(of_arm)))
            for name, arm_sums in of_arm.items()
        ],
        comparisons=_comparisons(live, of_arm),
        split=_split(live, of_arm),
    )


def _comparisons(live: LiveExperiment, of_arm: Mapping[str, ArmSums]) -> list[schemas.Comparison]:
    (control, of_control), *treatments = of_arm.items()
    metrics = live.definition.metrics
    estimates = {
        (arm, metric.name): statistics.difference(_sample(metric, sums), _sample(metric, of_control))
        for arm, sums in treatments
        for metric in metrics
    }
    adjusted = statistics.holm([estimate.p_value for estimate in estimates.values()])
    p_adjusted = dict(zip(estimates, adjusted, strict=True))
    return [
        schemas.Comparison(
            arm=arm,
            control=control,
            metrics=[
                _compare(
                    metric,
                    estimates[arm, metric.name],
                    p_adjusted=p_adjusted[arm, metric.name],
                    is_known=bool(sums.units and of_control.units),
                )
                for metric in metrics
            ],
            guardrails=_guardrails(live.definition.guardrails, sums, of_control),
        )
        for arm, sums in treatments
    ]


def _sample(metric: Metric, arm: ArmSums) -> Sample:
    return Sample(units=arm.units, **dict(arm.metrics.get(metric.name, MetricSums())))


def _bound(metric: Metric) -> float:
    """No mean is larger."""
    return 1.0 if metric.measure in ("clicked", "converted") else math.inf


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


def _guardrails(limits: Guardrails, arm: ArmSums, control: ArmSums) -> list[schemas.GuardrailCheck]:
    empty = statistics.difference(_empty_sample(arm), _empty_sample(control))
    estimates: dict[schemas.GuardrailName, tuple[Estimate, float]] = {
        "latency_ms": (statistics.difference(_latency_sample(arm), _latency_sample(control)), math.inf),
        "empty_share": (replace(empty, value=_empty_share(arm) - _empty_share(control)), 1.0),
    }
    return [
        schemas.GuardrailCheck(
            guardrail=name,
            limit=limit,
            difference=_interval(estimate, low=-bound, high=bound, is_known=bool(arm.units and control.units)),
            verdict=_side_of_limit(estimate, limit),
        )
        for name, (estimate, bound) in estimates.items()
        if (limit := getattr(limits, name)) is not None
    ]


def _side_of_limit(estimate: Estimate, limit: float) -> Literal["kept", "violated", "not decided yet"]:
    if estimate.low > limit:
        return "violated"
    return "kept" if estimate.high <= limit else "not decided yet"


def _latency_sample(arm: ArmSums) -> Sample:
    """The mean latency of each unit's lists."""
    total, squares = arm.unit_latency_ms_sum, arm.unit_latency_ms_squares
    return Sample(units=arm.units, outcomes=arm.units, total=total, squares=squares)


def _empty_sample(arm: ArmSums) -> Sample:
    """The share of empty exposures as if each unit had been asked once: a unit's exposures tend to be all alike.

    One unit with and one without are added (Laplace), so that none at all, the usual case, bounds the share too.
    """
    return Sample.of_counts(arm.units * _empty_share(arm) + 1, units=arm.units + 2)


def _empty_share(arm: ArmSums) -> float:
    return _per_exposure(arm.empty_exposures, arm) or 0.0


def _split(live: LiveExperiment, of_arm: Mapping[str, ArmSums]) -> schemas.SplitCheck:
    """Units against the ratio of the shares; it is the same before and after all arms were ramped up alike."""
    expected = _parts(live.shares)
    was = _parts(live.first_shares)
    units = {name: arm.units for name, arm in of_arm.items()}
    whole = sum(units.values())
    observed = {arm: count / whole if whole else None for arm, count in units.items()}
    compared = [arm for arm, part in expected.items() if part > 0]
    reason = p_value = e_value = None
    verdict: Literal["as configured", "mismatch", "not checked"] = "not checked"
    if not compared:
        reason = "all shares are 0"
    elif any(not math.isclose(expected[arm], was.get(arm, 0.0), abs_tol=1e-9) for arm in expected):
        reason = _RATIO_CHANGED
    else:
        evidence = statistics.log_split_evidence([units[arm] for arm in compared], [expected[arm] for arm in compared])
        p_value = statistics.p_value(evidence)
        e_value = math.exp(min(evidence, 700))  # JSON has no infinity
        verdict = "mismatch" if p_value <= statistics.SPLIT_ALPHA else "as configured"
    return schemas.SplitCheck(
        verdict=verdict, reason=reason, p_value=p_value, e_value=e_value, expected=expected, observed=observed
    )


def _time(unix_ms: int | None) -> datetime | None:
    return None if unix_ms is None else datetime.fromtimestamp(unix_ms / 1000, tz=UTC)


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
