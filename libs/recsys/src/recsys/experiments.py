"""What gateway and sink tell each other of experiments, through documents in the feature store.

METRICS: experiment → what is measured, as the gateway's file has it. SUMS: what the sink has worked out of the lake;
DAILY_SUMS: what that was on each day, when the day had begun.
A unit is a person: a user, or a session that was never merged into one. It belongs to the arm of its first exposure.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, StringConstraints, TypeAdapter

from recsys.shop.events import PURCHASE, REMOVE, TypeName

METRICS: Final = "experiments.metrics"
SUMS: Final = "experiments.sums"
DAILY_SUMS: Final = "experiments.daily_sums"
DAYS: Final = 60
"""So many days of DAILY_SUMS are kept."""

_OUTCOME_DAYS: Final = 30.0

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]


class Metric(BaseModel):
    """One number of each unit, whose mean the arms are compared by."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    measure: Literal["clicked", "converted", "count", "money"] = Field(
        description="Clicked, or did it, at least once; how often; the money that it brought."
    )
    types: Annotated[tuple[TypeName, ...], Field(strict=False, min_length=1)] = Field(
        (PURCHASE,), description="Event types that count; not of clicks, which are of any type but removals."
    )
    returns: Annotated[tuple[TypeName, ...], Field(strict=False)] = Field(
        (REMOVE,), description="Event types whose value lowers the money. They are no clicks."
    )
    window_days: Annotated[float, Field(gt=0, le=3650)] | None = Field(
        None, description="After the list (clicks) or the first exposure; null: the sink's for clicks, else 30."
    )

    def window_ms(self, *, click_days: float) -> int:
        """How long after the list, or the first exposure, something counts."""
        usual = click_days if self.measure == "clicked" else _OUTCOME_DAYS
        return round((self.window_days or usual) * 86_400_000)


DEFAULT_METRICS: Final = (
    Metric(name="click_rate", measure="clicked"),
    Metric(name="conversion_rate", measure="converted"),
    Metric(name="revenue_per_unit", measure="money"),
)


class _Sums(BaseModel):
    model_config = ConfigDict(frozen=True)


class MetricSums(_Sums):
    """Of an arm, over its units: of how many the number x is not 0, Σx, Σx²."""

    outcomes: NonNegativeInt = 0
    total: float = 0.0
    squares: float = 0.0


class ArmSums(_Sums):
    """What one arm showed and brought."""

    exposures: NonNegativeInt = 0
    empty_exposures: NonNegativeInt = 0  # without an item
    clicked_exposures: NonNegativeInt = 0
    latency_ms_sum: float = 0.0
    units: NonNegativeInt = 0
    mixed_units: NonNegativeInt = 0  # that were shown another arm too
    unit_latency_ms_sum: float = 0.0  # over the units, of the mean over the lists of each
    unit_latency_ms_squares: float = 0.0
    metrics: dict[str, MetricSums] = {}  # by name


class ExperimentSums(_Sums):
    """What an experiment has brought, by these metrics."""

    metrics: tuple[Metric, ...]
    arms: dict[str, ArmSums] = {}  # those with an exposure


class Sums(_Sums):
    """The document SUMS."""

    as_of_ms: int  # what was recorded up to then is in them
    experiments: dict[str, ExperimentSums]


MetricsDocument: Final = TypeAdapter(dict[str, tuple[Metric, ...]])
"""The document METRICS."""

DailySumsDocument: Final = TypeAdapter(dict[str, Sums])
"""The document DAILY_SUMS: day (YYYY-MM-DD, UTC) → SUMS as they were, oldest first."""
