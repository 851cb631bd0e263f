"""How many threads a run may use: one number in, every pool of it held to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from threadpoolctl import threadpool_limits

_READ_AT_IMPORT: Final = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS")
_limit: Final[ContextVar[int]] = ContextVar("threads", default=0)


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Hold everything within to so many threads; 0: every core.

    Polars and OpenMP read their numbers when they are loaded: a command imports what works with them within this.
    """
    if not threads:
        yield
        return
    for name in _READ_AT_IMPORT:
        os.environ.setdefault(name, str(threads))
    before = _limit.set(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        _limit.reset(before)


def allowed() -> int:
    """How many threads a pool may have that is made here."""
    return _limit.get() or os.cpu_count() or 1
