"""How a scenario is played under load, from all answers full until they are again, and what must not have been."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from tools.chaos.load import Asked, Load
from tools.chaos.system import EngineError, System
from tools.chaos.table import Row, is_less_than_full

_SHOWN_S: Final = 2.5  # at least so long, so that what a fault leaves behind is seen
_SETTLED_S: Final = 1.5  # all answers full for so long: back to normal
_WITHIN_S: Final = 90.0

Fault = Callable[[System], AbstractContextManager[str]]


@dataclass(frozen=True)
class Scenario:
    """`fault` is what is wrong while its block lasts; it may yield a remark for the table."""

    name: str
    fault: Fault
    lasting_s: float = 0.0
    ends_gateways: bool = False  # then connections break, and the client asks the next gateway
    stops_writes: bool = False  # then events may be refused


@dataclass(frozen=True)
class Played:
    """What came of a scenario; `wrong` is empty if all is well."""

    row: Row
    remark: str
    wrong: Sequence[str]


def play(scenario: Scenario, system: System, load: Load) -> Played:
    """Do it under the load that is running, and wait until all answers are full again; not for ever."""
    begin_s, first, remark, wrong = time.monotonic(), len(load.asked), "", []
    try:
        with scenario.fault(system) as remark:
            time.sleep(scenario.lasting_s)
    except EngineError as error:
        wrong.append(str(error))
    over_s = time.monotonic()
    time.sleep(_SHOWN_S)
    while not (settled := _is_settled(system, load.asked[first:])) and time.monotonic() < over_s + _WITHIN_S:
        time.sleep(0.1)
    asked = [one for one in load.asked[first:] if one.due_s >= begin_s]
    row = Row(scenario.name, asked, begin_s=begin_s, over_s=over_s, end_s=time.monotonic())
    return Played(row, remark, [*wrong, *_wrong(row, scenario), *([] if settled else ["not full again"])])


def _wrong(row: Row, scenario: Scenario) -> list[str]:
    found = [f"{number} × {kind}" for kind, number in row.failures.items()]
    if row.broken and not scenario.ends_gateways:
        found.append(f"{row.broken} connections broken")
    if row.not_stored and not scenario.stops_writes:
        found.append(f"{row.not_stored} events not stored")
    return found


def _is_settled(system: System, asked: list[Asked]) -> bool:
    """All gateways are there, and for a while all answers were full and no connection broke."""
    recent = [one for one in asked if one.due_s > time.monotonic() - _SETTLED_S]
    is_well = bool(recent) and not any(one.broken or is_less_than_full(one) for one in recent)
    return is_well and system.all_gateways_answer()
