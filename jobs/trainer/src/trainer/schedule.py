"""Training again and again: when it is due, if something new came, until told to end.

What is due is read from the volume, so a restart neither trains at once nor forgets: one interval after the newest
version was trained. A refused version counts too, since the same events would be refused again.
"""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from recsys.artifact.reader import newest_manifest
from recsys.background import Failures, Pauses, Stop, keep_turning
from recsys.errors import InvalidArgumentError
from recsys.lake import count_after
from trainer.pipeline import Outcome
from trainer.settings import MAX_DAYS

_log = logging.getLogger(__name__)

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FIRST_PAUSE_S: Final = 60.0


def interval(text: str) -> timedelta:
    """`90s`, `30m`, `6h`, `1d`. Raises: InvalidArgumentError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= MAX_DAYS * _UNITS["d"]:
        raise InvalidArgumentError(f"interval: expected a number and s, m, h or d, such as 6h; found {text[:80]!r}")
    return timedelta(seconds=seconds)


def run(
    train: Callable[[], Outcome],
    *,
    every: timedelta,
    min_new_events: int,
    volume: Path,
    lake_dir: Path,
    stop: Stop,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Train when due, until `stop` is set; a run that has begun is brought to its end. A failed one is tried again
    after a minute, two, four, and at most one interval.

    Args:
        min_new_events: with fewer in the lake since the newest version, there is no run this time.
    """
    every_s = every.total_seconds()
    newest = newest_manifest(volume)
    due = now() if newest is None else newest.trained_at + every
    keep_turning(
        lambda: _train_if_new(train, min_new_events, volume, lake_dir),
        failures=Failures("training", Pauses(first_s=min(_FIRST_PAUSE_S, every_s), longest_s=every_s)),
        first_s=max((due - now()).total_seconds(), 0.0),
        every_s=every_s,
        stop=stop,
    )


def _train_if_new(train: Callable[[], Outcome], min_new_events: int, volume: Path, lake_dir: Path) -> None:
    newest = newest_manifest(volume)
    if newest is not None:
        new = count_after(lake_dir, "events", sequence=newest.stream_sequence)
        if new < min_new_events:
            _log.info("nothing to train", extra={"new_events": new, "min_new_events": min_new_events})
            return
    outcome = train()
    verdict = outcome.verdict
    result = {"version": outcome.version, "users_judged": verdict.users, "reasons": list(verdict.reasons)}
    if outcome.activated:
        _log.info("version live", extra=result)
    else:
        _log.warning("version refused", extra=result)
