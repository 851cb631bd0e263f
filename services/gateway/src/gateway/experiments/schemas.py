"""The public JSON of experiments, as the OpenAPI document shows it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.experiments.file import Arm
from gateway.requests import Share
from recsys.experiments import Metric

GuardrailName = Literal["latency_ms", "empty_share"]


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True)


class SharesIn(BaseModel):
    """New shares of some arms; the others keep theirs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    shares: dict[str, Share] = Field(
        min_length=1, description="Arm → share. All arms together 1 at the most.", examples=[{"recency": 0.2}]
    )


class ShipIn(BaseModel):
    """The arm that won."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    arm: str = Field(min_length=1, max_length=64, examples=["fresher"])


class ExperimentSummary(_Schema):
    """An experiment as it is now."""

    name: str = Field(examples=["recency"])
    state: Literal["running", "stopped"]
    stopped_at: datetime | None
    shipped_arm: str | None = Field(description="Whose settings are everybody's since; null: none's.")
    arms: list[Arm] = Field(description="The first is the control. Shares are those of now.")


class ExperimentList(_Schema):
    """Experiments in the file's order: a subject is in the first one that has an arm for it."""

    experiments: list[ExperimentSummary]


class Interval(_Schema):
    """A value and its always-valid 95 % interval: however often it is read, it misses the truth with 5 % at most."""

    value: float | None = Field(description="null: no unit yet.")
    low: float | None = Field(description="null: not bounded yet.")
    high: float | None = Field(description="null: not bounded yet.")


class ArmMetric(Interval):
    """A metric's mean over the units of an arm."""

    outcomes: int = Field(description="Units of which it is not 0.")
    total: float = Field(description="Over all units.")


class ArmReport(_Schema):
    """What one arm brought. A unit is a person, and stays in the arm of the first exposure through every sign-in."""

    name: str
    share: float
    is_control: bool
    exposures: int = Field(description="Recommendations that were shown.")
    empty_share: float | None = Field(description="Of them, without an item.")
    ctr: float | None = Field(description="Of them, with an event of the same person on an item of the list.")
    mean_latency_ms: float | None
    units: int
    mixed_units: int = Field(description="Of them, shown another arm too: a session and a user who had one each.")
    metrics: dict[str, ArmMetric] = Field(description="Per unit.")


class MetricComparison(_Schema):
    """One metric of a treatment arm minus that of the control."""

    metric: str
    difference: Interval = Field(description="Of this metric by itself.")
    p_value: float = Field(description="Always-valid: of no difference, of this metric by itself.")
    p_adjusted: float = Field(description="The same after Holm's correction over all metrics of all arms.")
    verdict: Literal["better", "worse", "not decided yet"] = Field(description="Decided where p_adjusted is 0.05.")


class GuardrailCheck(_Schema):
    """How much worse than the control an arm is, where the file sets a limit."""

    guardrail: GuardrailName
    limit: float
    difference: Interval = Field(description="latency_ms: of the units' mean latencies.")
    verdict: Literal["kept", "violated", "not decided yet"]


class Comparison(_Schema):
    """A treatment arm against the control."""

    arm: str
    control: str
    metrics: list[MetricComparison]
    guardrails: list[GuardrailCheck]


class SplitCheck(_Schema):
    """Whether units came in the ratio of the shares. Where they did not, no comparison is to be believed."""

    verdict: Literal["as configured", "mismatch", "not checked"]
    reason: str | None = Field(description="Why it was not checked.")
    p_value: float | None = Field(description="Always-valid; a mismatch below 0.01.")
    e_value: float | None = Field(description="Evidence against the shares: the p-value is 1 over it.")
    expected: dict[str, float] = Field(description="Arm → part of the units, as configured.")
    observed: dict[str, float | None] = Field(description="Arm → part of the units; null: no unit yet.")


class ExperimentDay(_Schema):
    """What was shown when a day, in UTC, had begun."""

    date: str = Field(description="YYYY-MM-DD.", examples=["2026-11-29"])
    comparisons: list[Comparison]


class ExperimentCourse(_Schema):
    """How the comparisons of an experiment went, day by day, by its metrics of now."""

    name: str
    days: list[ExperimentDay] = Field(description="Oldest first; 60 at most.")


class ExperimentReport(ExperimentSummary):
    """What an experiment shows so far. It may be read, and acted on, at any time."""

    metrics: list[Metric]
    as_of: datetime | None = Field(description="What was recorded up to then counts; null: nothing was summed yet.")
    age_s: float | None = Field(description="How long ago that was.")
    results: list[ArmReport]
    comparisons: list[Comparison]
    split: SplitCheck
