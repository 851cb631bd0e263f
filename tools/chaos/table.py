"""From what was asked while something was done, a row of the table."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tools.chaos.answers import ANSWERED, NOT_STORED, SHED
from tools.chaos.load import Asked

HEADER: Final = (
    "| scenario | answers | failed | 429 | events not stored | levels | p50 · p99 ms | longest without full | "
    "full again after |\n|---|---|---|---|---|---|---|---|---|"
)
_FULL: Final = "full"


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
