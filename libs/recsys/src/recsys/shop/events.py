"""The types of events, and what one of each adds: what the gateway takes is what the trainer learns from.

A shop's own types and weights are the `[weights]` of its mapping file (docs/events.md), which both read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, Field, model_validator

from recsys import settings_file

PURCHASE: Final = "purchase"
REMOVE: Final = "remove"
"""A cancelled or returned purchase: it has no weight, and takes back what was there."""

DEFAULT_WEIGHTS: Final = {"view": 1.0, "cart": 3.0, PURCHASE: 5.0}

TypeName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Weight = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]  # a sum of them is a float32
Weights = dict[TypeName, Weight]


class _Shop(BaseModel):
    """Of a mapping file, what is said of types; the trainer checks the rest."""

    weights: Weights = {}

    @model_validator(mode="after")
    def _removals_have_none(self) -> Self:
        refuse_weight_of_removals(self.weights)
        return self


def weighted(weights: Mapping[str, float]) -> dict[str, float]:
    """Every type that adds interest: ours, overridden and extended by the shop's."""
    return DEFAULT_WEIGHTS | dict(weights)


def refuse_weight_of_removals(weights: Mapping[str, float]) -> None:
    """Raises: ValueError, where there is one."""
    if REMOVE in weights:
        raise ValueError(f"weights.{REMOVE}: expected no weight, a removal takes back what was there")


def read(mapping_file: Path) -> dict[str, float]:
    """The shop's own weights. Raises: DataError."""
    return settings_file.read(mapping_file, _Shop, form="TOML").weights
