"""Where LightGCN and SASRec are trained: a name of torch in, every fit of a run held to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from recsys.errors import InvalidArgumentError

_device: Final[ContextVar[str]] = ContextVar("device", default="cpu")


@contextmanager
def used(name: str) -> Iterator[None]:
    """Train on it within: `cpu` or `cuda`.

    Raises:
        InvalidArgumentError: a GPU is asked for, and torch sees none.
    """
    if name == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InvalidArgumentError(
                f"TRAINER_DEVICE=cuda: expected a GPU that torch sees, found none with torch {torch.__version__} "
                "(a build +cpu sees none); cpu trains without one"
            )
    before = _device.set(name)
    try:
        yield
    finally:
        _device.reset(before)


def chosen() -> str:
    """The device that a fit is to use."""
    return _device.get()
