"""Where a LightGCN training stands, on disk: written whole or not at all, read without running any code in it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recsys.durable_file import replacing
from recsys.errors import InvalidArgumentError


@dataclass
class Progress:
    """All that the next epoch depends on. `of` names the run: settings, seed and data."""

    of: str
    epoch: int  # epochs done
    layer0: Tensor
    optimizer: dict[str, Any]  # torch's own state dictionary
    sampler: Tensor  # state of the random generator
    best_score: float  # of the validations so far, -inf before the first
    best_epoch: int
    best_layer0: Tensor  # what `layer0` was then


def save(path: Path, progress: Progress) -> None:
    """Replace the checkpoint; a kill at any moment leaves the old or the new one."""
    with replacing(path) as file:
        torch.save(asdict(progress), file)


def load(path: Path, *, expected_of: str) -> Progress:
    """Read a checkpoint back, on the CPU.

    Raises:
        InvalidArgumentError: it is of another run.
    """
    progress = Progress(**torch.load(path, map_location="cpu", weights_only=True))
    if progress.of != expected_of:
        raise InvalidArgumentError(
            f"{path}: the checkpoint is of another run; expected {expected_of}, found {progress.of}; "
            "delete it to start anew, or give another path"
        )
    return progress
