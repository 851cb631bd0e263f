"""Shows a run's steps: a spinner with the time on a terminal, a log line elsewhere."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

_log = logging.getLogger(__name__)
_console = Console(stderr=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a step while it runs, and say how long it took."""
    started = time.perf_counter()
    if _console.is_terminal:
        with _console.status(name):
            yield
        _console.print(f"[green]✓[/] {name}  [dim]{time.perf_counter() - started:.1f} s[/]")
    else:
        yield
        _log.info("step done", extra={"step": name, "seconds": round(time.perf_counter() - started, 2)})
