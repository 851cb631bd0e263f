"""What a model that is trained in epochs tells of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """What a progress callback is told after each epoch."""

    number: int  # from 1
    loss: float  # mean over the steps
    score: float | None  # of the validation, where this epoch had one
