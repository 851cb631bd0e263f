"""Background loops go on after whatever they raise, later and later, and it is told in the log and in the metrics."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from prometheus_client import generate_latest

from recsys import background
from recsys.background import Failures, Pauses, keep_turning, running, supervise
from recsys.errors import DataError
from recsys.observability.metrics import new_registry

AT_ONCE = Pauses(first_s=0.0, longest_s=0.0)


class Waits:
    """A `threading.Event` that notes how long was to be waited, and is set after so many waits."""

    def __init__(self, turns: int) -> None:
        self.seconds: list[float] = []
        self._turns = turns

    def wait(self, timeout: float) -> bool:
        self.seconds.append(timeout)
        return len(self.seconds) > self._turns


def failing(times: int) -> Callable[[], None]:
    """What raises so often, and then goes well."""
    left = [ValueError("a bug")] * times

    def turn() -> None:
        if left:
            raise left.pop()

    return turn


def test_pauses_double_up_to_the_longest() -> None:
    pauses = Pauses(first_s=1.0, longest_s=30.0)
    assert [pauses.after(failures) for failures in (1, 2, 3, 5, 6, 1_000_000)] == [1, 2, 4, 16, 30, 30]


def test_a_thread_s_loop_turns_on_later_and_later_and_then_as_before() -> None:
    stop = Waits(6)
    keep_turning(failing(3), failures=Failures("a", Pauses(1.0, 3.0)), every_s=0.5, stop=stop, first_s=0.0)
    assert stop.seconds == [0.0, 1.0, 2.0, 3.0, 0.5, 0.5, 0.5]


def test_an_event_loop_s_loop_goes_on_until_it_returns() -> None:
    turn = failing(3)
    calls = 0

    async def run() -> None:
        nonlocal calls
        calls += 1
        turn()

    asyncio.run(supervise("b", run, AT_ONCE))
    assert calls == 4


def test_a_failure_is_logged_with_its_place_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    before = background.counted["c"]
    with caplog.at_level(logging.ERROR):
        Failures("c", AT_ONCE).attempt(failing(1))
    [record] = caplog.records
    assert (record.message, record.__dict__["loop"]) == ("background loop failed", "c")
    assert record.exc_info is not None
    assert "in turn" in caplog.text  # the function that raised
    assert background.counted["c"] == before + 1
    assert f'recsys_background_failures_total{{loop="c"}} {before + 1}.0' in generate_latest(new_registry()).decode()


def test_loops_end_with_the_block_and_an_error_of_the_block_is_its_own() -> None:
    ended: list[str] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("loop")

    async def block() -> None:
        async with running({"d": for_ever}):
            await asyncio.sleep(0)  # the loop begins
            raise DataError("of the block")

    with pytest.raises(DataError, match="of the block"):
        asyncio.run(block())
    assert ended == ["loop"]
