"""How long a test waits for what comes: far longer than it takes, since waiting costs nothing where it comes."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

Answer = TypeVar("Answer")

WITHIN_S: Final = 120.0
PATIENT: Final = {"GATEWAY_TIMEOUT_S": "30", "GATEWAY_STORE_TIMEOUT_S": "10"}
"""For a gateway whose answers are looked at: on a busy machine a stage that is late is no fault."""


def until(ask: Callable[[], Answer], holds: Callable[[Answer], bool] = bool) -> Answer:
    """The first answer of which it holds."""
    deadline = time.monotonic() + WITHIN_S
    while not holds(answer := ask()):
        assert time.monotonic() < deadline, f"after {WITHIN_S:.0f} s still {answer}"
        time.sleep(0.02)
    return answer
