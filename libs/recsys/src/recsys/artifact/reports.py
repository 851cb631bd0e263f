"""What a run measured, beside its version: `<volume>/reports/<version>.html` for people, and `.json` with the same.

The trainer writes them; candidate_gen and the trainer's list of runs read what stands beside a run.
"""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from recsys.artifact import layout
from recsys.artifact.runs import FIGURES

AS_SERVED: Final = "as it was served"


class Baseline(BaseModel):
    """A row of a report's table of models."""

    model_config = ConfigDict(frozen=True)

    name: str
    metrics: dict[str, float]  # means of FIGURES


class _Interval(BaseModel):
    value: float
    low: float  # of 95 %
    high: float


class Earned(_Interval):
    """What lists earned by the log of what was shown in the run's newest window, or would have earned, a list."""

    model_config = ConfigDict(frozen=True)

    order: str  # of the lists
    outcome: str  # clicked or bought


class _Estimate(BaseModel):
    dr: _Interval
    is_enough: bool


class _OffPolicy(BaseModel):
    """What a report has of it."""

    served: dict[str, _Interval]  # by outcome
    orders: dict[str, dict[str, _Estimate]]


class Told(BaseModel):
    """What is told of a report beside its run; what another release wrote, or what is cut off, is left out."""

    model_config = ConfigDict(frozen=True)

    baselines: list[Baseline]  # what it has beside the run's own model, in its order
    earned: list[Earned]  # by the lists as they were shown, then by its own orders: the doubly robust estimate


def path(volume: Path, version: str) -> Path:
    """Where the report of a version's run is, whether it exists or not."""
    return volume / layout.REPORTS / f"{version}.html"


def files(version: str) -> tuple[str, str]:
    """The names of a report's files, where the run left one."""
    return f"{version}.html", f"{version}.json"


def html(volume: Path, version: str) -> str | None:
    """The report of a version's run; none where the run left none. Raises: OSError."""
    found = path(volume, version)
    if found not in (volume / layout.REPORTS).glob("*.html"):  # whatever somebody calls a version
        return None
    return found.read_text(encoding="utf-8")


def told(volume: Path, version: str) -> Told:
    """What the report of a version's run says. Raises: OSError."""
    try:
        report = json.loads(path(volume, version).with_suffix(".json").read_bytes())
    except (FileNotFoundError, ValueError):  # the run left none, or was killed
        report = {}
    return Told(baselines=_baselines(report), earned=_earned(report))


def _baselines(report: Any) -> list[Baseline]:
    try:
        return [Baseline(name=row["name"], metrics=_means(row["metrics"])) for row in report["models"][1:]]
    except (KeyError, TypeError, ValidationError):
        return []


def _means(metrics: dict[str, dict[str, float]]) -> dict[str, float]:
    return {name: metrics[name]["value"] for name in FIGURES if name in metrics}


def _earned(report: Any) -> list[Earned]:
    """Nothing where no list was shown. An order that has too little in common with them to tell is left out."""
    try:
        found = _OffPolicy.model_validate(report["off_policy"])
    except (KeyError, TypeError, ValidationError):
        return []
    orders = {
        order: {outcome: each.dr for outcome, each in estimates.items() if each.is_enough}
        for order, estimates in found.orders.items()
    }
    return [
        Earned(order=order, outcome=outcome, **dict(interval))
        for order, outcomes in {AS_SERVED: found.served, **orders}.items()
        for outcome, interval in outcomes.items()
    ]
