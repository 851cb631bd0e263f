"""Where a training stands, on disk: written whole or not at all, read without running any code in it."""

from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import torch

from recsys.durable_file import replacing
from recsys.errors import InvalidArgumentError


class Progress(Protocol):
    """A dataclass of all that the next epoch depends on: numbers, tensors and torch's state dictionaries."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def of(self) -> str:
        """The run: settings, seed and data."""
        ...

    @property
    def epoch(self) -> int:
        """Epochs done."""
        ...


_Progress = TypeVar("_Progress", bound=Progress)


def save(path: Path, progress: Progress) -> None:
    """Replace the checkpoint; a kill at any moment leaves the old or the new one."""
    with replacing(path) as file:
        torch.save({field.name: getattr(progress, field.name) for field in fields(progress)}, file)


def load(path: Path, kind: type[_Progress], *, expected_of: str) -> _Progress:
    """Read a checkpoint back, on the CPU.

    Raises:
        InvalidArgumentError: it is of another run.
    """
    progress = kind(**torch.load(path, map_location="cpu", weights_only=True))
    if progress.of != expected_of:
        raise InvalidArgumentError(
            f"{path}: the checkpoint is of another run; expected {expected_of}, found {progress.of}; "
            "delete it to start anew, or give another path"
        )
    return progress
