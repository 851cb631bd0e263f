"""Training in epochs, whatever the model: a killed run goes on from its checkpoint, and each epoch is told of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from trainer.models import checkpoint as checkpoints
from trainer.models.checkpoint import Progress

_Progress = TypeVar("_Progress", bound=Progress)


@dataclass(frozen=True)
class Epoch:
    """What a progress callback is told after each epoch."""

    number: int  # from 1
    loss: float  # mean over the steps
    score: float | None  # of the validation, where this epoch had one


def gave_up(*, epoch: int, best_epoch: int, patience: int, validate_every: int) -> bool:
    """Whether `patience` validations, one every `validate_every` epochs, were no better than the best before them.

    Args:
        epoch: epochs done.
        best_epoch: the one that was validated best, 0 before the first.
    """
    return best_epoch > 0 and epoch - best_epoch >= patience * validate_every


class Training(Protocol[_Progress]):
    """A model, its optimiser and its data, and how far they have come."""

    progress: _Progress

    def resume(self, progress: _Progress) -> None:
        """Go on from what another run of the same has come to."""

    def finished(self) -> bool:
        """Whether there is no epoch left, or no hope."""

    def run_epoch(self) -> float:
        """One epoch. Returns the mean loss."""

    def validate(self) -> float | None:
        """A score where this epoch has one."""


def run(
    training: Training[_Progress],
    *,
    kind: type[_Progress],
    checkpoint: Path | None,
    on_epoch: Callable[[Epoch], None] | None,
) -> None:
    """Train to the end.

    Args:
        kind: of the progress, for the checkpoint to be read as.
        checkpoint: file that is written after each epoch and read when it exists; the same run, killed and called
            again, ends with the same weights as one that was not.

    Raises:
        InvalidArgumentError: the checkpoint is of another run.
    """
    if checkpoint is not None and checkpoint.exists():
        training.resume(checkpoints.load(checkpoint, kind, expected_of=training.progress.of))
    while not training.finished():
        loss = training.run_epoch()
        score = training.validate()
        if checkpoint is not None:
            checkpoints.save(checkpoint, training.progress)
        if on_epoch is not None:
            on_epoch(Epoch(training.progress.epoch, loss=loss, score=score))
