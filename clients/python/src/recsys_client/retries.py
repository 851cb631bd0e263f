"""Whether to ask again, and how long to wait before."""

import random
from dataclasses import dataclass
from typing import Final

import httpx

_WORTH_ASKING_AGAIN: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often and how patiently a call is repeated. Every call may be: events have ids, changes say what is to be.

    The wait doubles with each attempt, with some chance in it, so that clients do not come back all at once. Where the
    API says `Retry-After`, that is waited for, but for no longer than `longest_wait_s`: beyond it the error is raised.
    """

    attempts: int = 3  # with the first
    first_wait_s: float = 0.1
    longest_wait_s: float = 5.0

    def wait_s(self, attempt: int, outcome: httpx.Response | httpx.RequestError) -> float | None:
        """Seconds until the next attempt after this one, counted from 1; none: there is no next one."""
        if attempt >= self.attempts:
            return None
        wait_s = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s) * random.uniform(0.5, 1)
        if isinstance(outcome, httpx.RequestError):
            return wait_s
        if outcome.status_code not in _WORTH_ASKING_AGAIN:
            return None
        asked_s = retry_after_s(outcome)
        if asked_s is None:
            return wait_s
        return asked_s + wait_s if asked_s <= self.longest_wait_s else None


def retry_after_s(response: httpx.Response) -> float | None:
    """What the answer says of when to ask again, in seconds; none: nothing. A date counts as nothing."""
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None
