"""How often each key may ask, counted in this process: n gateways let n times as much through.

A key's whole allowance may come at once, then the rest as it comes back (the generic cell rate algorithm). The notation
is that of `limits`; its own counting takes 36 µs a request here, most of it to start the thread that clears its memory.
"""

import time

from limits import RateLimitItem


class RateLimits:
    """One limit a key: the key's own, or else the default; none: as often as it likes."""

    def __init__(self, default: RateLimitItem | None) -> None:
        self._default = default
        self._full_at_s: dict[str, float] = {}  # when a key's whole allowance is back, on the monotonic clock

    def wait_s(self, name: str, own: RateLimitItem | None) -> float:
        """0, and the request is counted; or the seconds until the next one may come, and it is not."""
        limit = own or self._default
        if limit is None:
            return 0.0
        now_s = time.monotonic()
        period_s = limit.get_expiry()
        cost_s = period_s / limit.amount
        full_at_s = max(self._full_at_s.get(name, 0.0), now_s) + cost_s
        wait_s = full_at_s - now_s - period_s
        if wait_s > 1e-9:
            return wait_s
        self._full_at_s[name] = full_at_s
        return 0.0
