"""What a check has found."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    found: str
    mend: str = ""  # what to do; empty: nothing

    @property
    def sign(self) -> str:
        """At the beginning of its line."""
        return {"good": "✓", "warning": "!", "wrong": "✗"}[self.level]


def good(check: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "good", found)


def warning(check: str, found: str, *, mend: str) -> Finding:
    """It works, and may not for long."""
    return Finding(check, "warning", found, mend)


def wrong(check: str, found: str, *, mend: str) -> Finding:
    """Something does not work."""
    return Finding(check, "wrong", found, mend)
