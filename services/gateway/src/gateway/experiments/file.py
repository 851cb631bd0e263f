"""The experiments as the shop wrote them down: a YAML file.

In: a path. Out: frozen `Experiment`s in the file's order, the first arm of each being its control. Every error is a
`DataError` that names file, key, what was expected and what was found.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.requests import Blend, Diversity, Share
from recsys import settings_file
from recsys.experiments import DEFAULT_METRICS, Metric, Name

MIN_ARMS: Final = 2
MAX_ARMS: Final = 20
MAX_METRICS: Final = 20

Salt = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]+$")]
Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Arm(_Node):
    """What the subjects of an arm get. What is not given is as without an experiment."""

    name: Name
    share: Share  # of all subjects that no earlier experiment takes
    artifact_version: Annotated[str, StringConstraints(min_length=1)] | None = None
    blend: Blend | None = None
    candidates: int | None = Field(None, ge=1, le=1000)
    diversity: Diversity | None = None
    exploration: Share | None = None


class Guardrails(_Node):
    """How much worse than the control an arm may be, as a difference."""

    latency_ms: Limit | None = None  # of the mean
    empty_share: Limit | None = None  # of recommendations without an item


class Experiment(_Node):
    """Arms that are compared with the first of them, the control."""

    name: Name
    salt: Salt | None = None
    arms: Annotated[tuple[Arm, ...], Field(strict=False)]
    guardrails: Guardrails = Guardrails()
    metrics: Annotated[tuple[Metric, ...], Field(strict=False, min_length=1, max_length=MAX_METRICS)] = DEFAULT_METRICS

    @property
    def hash_salt(self) -> str:
        """What makes the assignment independent of that of other experiments."""
        return self.salt or self.name

    @property
    def shares(self) -> dict[str, float]:
        """Arm → share, in the file's order."""
        return {arm.name: arm.share for arm in self.arms}

    @model_validator(mode="after")
    def _arms_fit_together(self) -> Self:
        if not MIN_ARMS <= len(self.arms) <= MAX_ARMS:
            raise ValueError(f"arms: expected {MIN_ARMS} to {MAX_ARMS}, found {len(self.arms)}")
        _expect_unique("arms", [arm.name for arm in self.arms])
        _expect_unique("metrics", [metric.name for metric in self.metrics])
        check_sum(self.shares.values())
        return self


class _Document(_Node):
    experiments: Annotated[tuple[Experiment, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _experiments_are_apart(self) -> Self:
        _expect_unique("names", [experiment.name for experiment in self.experiments])
        _expect_unique("salts", [experiment.hash_salt for experiment in self.experiments])
        return self


def read(path: Path) -> tuple[Experiment, ...]:
    """Read an experiments file.

    Raises: DataError (the file cannot be read, is not YAML, or says something that an experiment does not have).
    """
    return settings_file.read(path, _Document, form="YAML").experiments


def check_sum(shares: Iterable[float]) -> None:
    """Raise a ValueError where shares are more than there is."""
    whole = math.fsum(shares)
    if whole > 1 + 1e-9:
        raise ValueError(f"shares: expected a sum of 1 at the most, found {whole:.6g}")


def _expect_unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: expected each once, found several times: {', '.join(twice)}")
