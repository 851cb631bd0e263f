"""How a scenario is played under load until all answers are full again, and what came of it: a row of the table."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from tools.chaos.answers import ANSWERED, NOT_STORED, SHED
from tools.chaos.load import Asked, Load
from tools.chaos.system import EngineError, System

HEADER: Final = (
    "| scenario | answers | failed | 429 | events not stored | levels | p50 · p99 ms | longest without full | "
    "full again after |\n|---|---|---|---|---|---|---|---|---|"
)
_FULL: Final = "full"
_SHOWN_S: Final = 2.5  # at least so long, so that what a fault leaves behind is seen
_SETTLED_S: Final = 1.5  # all answers full for so long: back to normal
_WITHIN_S: Final = 90.0

Fault = Callable[[System], AbstractContextManager[str]]


@dataclass(frozen=True)
class Row:
    """What became of the requests that were due from `begin_s` to `end_s`; the fault was over at `over_s`."""

    name: str
    asked: Sequence[Asked]
    begin_s: float
    over_s: float
    end_s: float

    @property
    def failures(self) -> Counter[str]:
        """Requests that got no good answer, by what was asked and what came instead."""
        failed = (one for one in self.asked if one.outcome.has_failed)
        return Counter(f"{one.question.kind}: {one.outcome.kind}" for one in failed)

    @property
    def levels(self) -> Counter[str]:
        """Good answers by the level they state."""
        good = (one.outcome for one in self.asked if one.outcome.kind == ANSWERED)
        return Counter(outcome.level for outcome in good if outcome.level is not None)

    @property
    def broken(self) -> int:
        """Connections that a gateway broke."""
        return sum(one.broken for one in self.asked)

    @property
    def not_stored(self) -> int:
        """Events that were refused since no store took them."""
        return self._count(NOT_STORED)

    @property
    def longest_without_full_s(self) -> float:
        """The longest time from one full answer to the next."""
        moments = sorted(one.ended_s for one in self.asked if one.outcome.level == _FULL)
        moments = [self.begin_s, *(moment for moment in moments if moment < self.end_s), self.end_s]
        return max(after - before for before, after in itertools.pairwise(moments))

    @property
    def full_again_after_s(self) -> float:
        """From the fault's end to the last request that was not answered in full."""
        return max((one.due_s - self.over_s for one in self.asked if is_less_than_full(one)), default=0.0)

    def line(self) -> str:
        """In Markdown."""
        latencies = sorted(one.latency_ms for one in self.asked if one.outcome.kind == ANSWERED)
        p50, p99 = (latencies[int(share * len(latencies))] if latencies else 0.0 for share in (0.5, 0.99))
        levels = " · ".join(f"{level} {number:,}" for level, number in self.levels.most_common())
        failed = sum(self.failures.values())
        figures = (
            f"{self._count(ANSWERED):,} | {f'**{failed:,}**' if failed else '0'} | {self._count(SHED):,} | "
            f"{self.not_stored:,} | {levels} | {p50:.0f} · {p99:,.0f}"
        )
        again = f"{max(self.full_again_after_s, 0):.1f} s"
        return f"| {self.name} | {figures} | {self.longest_without_full_s:.1f} s | {again} |"

    def _count(self, kind: str) -> int:
        return sum(one.outcome.kind == kind for one in self.asked)


def is_less_than_full(one: Asked) -> bool:
    """Whether something was missing: no list, a list of a lower level, or an event that was not stored."""
    return one.outcome.kind != ANSWERED or one.outcome.level not in (None, _FULL)


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
