"""What keeps a background loop going: an exception that nobody foresaw is logged with its place and counted, and the
loop goes on after a pause that grows.

What a loop does foresee it handles itself; that the store is unavailable, by `while_store_answers`. `supervise` is for
loops of an event loop, `keep_turning` for those of a thread; a process whose main part is one uses `Failures`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from recsys.errors import StoreUnavailableError

_log = logging.getLogger(__name__)

counted: Final[Counter[str]] = Counter()
"""Unforeseen failures of this process by the loop's name; `recsys.observability.metrics` shows them."""


@dataclass(frozen=True)
class Pauses:
    """How long a loop waits after a failure: twice as long after each, up to the longest."""

    first_s: float = 1.0
    longest_s: float = 30.0

    def after(self, failures: int) -> float:
        """After so many failures in a row, in seconds."""
        return float(min(self.first_s * 2 ** min(failures - 1, 30), self.longest_s))


class Failures:
    """The failures in a row of one loop."""

    def __init__(self, loop: str, pauses: Pauses = Pauses()) -> None:
        counted[loop] += 0  # a loop that has never failed is shown too
        self._loop = loop
        self._pauses = pauses
        self._in_a_row = 0

    def add(self) -> float:
        """Log and count the exception that is being handled. How long to wait now, in seconds."""
        self._in_a_row += 1
        counted[self._loop] += 1
        pause_s = self._pauses.after(self._in_a_row)
        _log.exception(
            "background loop failed",
            extra={"loop": self._loop, "failures": self._in_a_row, "again_in_s": pause_s},
        )
        return pause_s

    def clear(self) -> None:
        """It went well."""
        self._in_a_row = 0

    def attempt(self, turn: Callable[[], None]) -> float:
        """Turn once. How long to wait after it failed, in seconds; 0: it went well."""
        try:
            turn()
        except Exception:  # whatever it was: the next turn may find it mended
            return self.add()
        self.clear()
        return 0.0


async def supervise(loop: str, run: Callable[[], Awaitable[None]], pauses: Pauses = Pauses()) -> None:
    """Run a loop, and again whenever it fails, until it returns or this is cancelled."""
    failures = Failures(loop, pauses)
    clock = asyncio.get_running_loop().time
    while True:
        began_s = clock()
        try:
            await run()
        except Exception:  # whatever it was: the loop goes on
            if clock() - began_s > pauses.longest_s:  # it had recovered from the failure before
                failures.clear()
            await asyncio.sleep(failures.add())
        else:
            return


async def while_store_answers(
    turn: Callable[[], Awaitable[None]],
    *,
    every_s: float,
    again_s: float | None = None,
    log: logging.Logger,
    unavailable: str,
) -> NoReturn:
    """Turn until cancelled, `every_s` apart.

    Args:
        turn: what may raise StoreUnavailableError, and is tried again then.
        every_s: pause between two turns.
        again_s: pause before it is tried again, if not `every_s`.
        log: is told once that the store is unavailable, and once that it is back.
        unavailable: what that means, in the log.
    """
    is_unavailable = False
    while True:
        try:
            await turn()
        except StoreUnavailableError as error:
            if not is_unavailable:
                log.warning(unavailable, extra={"reason": str(error)})
            is_unavailable = True
        else:
            if is_unavailable:
                log.info("the feature store is back")
            is_unavailable = False
        await asyncio.sleep(again_s if is_unavailable and again_s is not None else every_s)


@asynccontextmanager
async def running(loops: Mapping[str, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Supervised loops, by their names, until the end of the block."""
    tasks = [asyncio.create_task(supervise(name, run)) for name, run in loops.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Stop(Protocol):
    """A `threading.Event`: set when the loop is told to end."""

    def wait(self, timeout: float) -> bool:
        """Whether it was set within so many seconds."""


def keep_turning(
    turn: Callable[[], None], *, failures: Failures, every_s: float, stop: Stop, first_s: float | None = None
) -> None:
    """Turn, for the first time after `first_s` and then after each `every_s`, until told to stop."""
    wait_s = every_s if first_s is None else first_s
    while not stop.wait(wait_s):
        wait_s = failures.attempt(turn) or every_s
