"""The time that a request may take: fixed when it arrives, and every call that it makes gets what is left of it."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """A point on the monotonic clock."""

    at_s: float

    @classmethod
    def after(cls, budget_s: float) -> "Deadline":
        """The deadline `budget_s` seconds from now."""
        return cls(time.monotonic() + budget_s)

    def remaining_s(self) -> float:
        """Seconds left; negative once it has passed, which gRPC answers with DEADLINE_EXCEEDED without a call."""
        return self.at_s - time.monotonic()
