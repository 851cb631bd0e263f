"""Training again and again: when it is due, if something new came, until told to end.

What is due is read from the volume, so a restart neither trains at once nor forgets: one interval after the newest
version was trained. A refused version counts too, since the same events would be refused again. A young shop, whose
model is its popular items still, need not wait: it is due when as much came in as the newest version was trained on.
"""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from recsys.artifact.reader import newest_manifest
from recsys.background import Failures, Pauses, Stop, keep_turning
from recsys.errors import ArtifactError, DataError, InvalidArgumentError
from recsys.lake import count_after
from trainer.choosing.recipe import PopularityRecipe
from trainer.outcome import Judgement, Outcome
from trainer.pipeline import live_manifest
from trainer.settings import MAX_DAYS

_log = logging.getLogger(__name__)

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FIRST_PAUSE_S: Final = 60.0
_LOOK_EVERY_S: Final = 60.0  # whether a young shop has grown


def interval(text: str) -> timedelta:
    """`90s`, `30m`, `6h`, `1d`. Raises: InvalidArgumentError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= MAX_DAYS * _UNITS["d"]:
        raise InvalidArgumentError(f"interval: expected a number and s, m, h or d, such as 6h; found {text[:80]!r}")
    return timedelta(seconds=seconds)


def run(
    train: Callable[[], Outcome[Judgement]],
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
        stop: asked at most a minute apart while the shop is young.
    """
    every_s = every.total_seconds()
    newest = newest_manifest(volume)
    due = now() if newest is None else newest.trained_at + every
    keep_turning(
        lambda: _train_if_new(train, min_new_events, volume, lake_dir),
        failures=Failures("training", Pauses(first_s=min(_FIRST_PAUSE_S, every_s), longest_s=every_s)),
        first_s=max((due - now()).total_seconds(), 0.0),
        every_s=every_s,
        stop=_UntilGrown(stop, volume=volume, lake_dir=lake_dir, min_new_events=min_new_events),
    )


class _UntilGrown:
    """Waits as long as it is asked to, or until a young shop has grown."""

    def __init__(self, stop: Stop, *, volume: Path, lake_dir: Path, min_new_events: int) -> None:
        self._stop = stop
        self._volume = volume
        self._lake_dir = lake_dir
        self._min_new_events = max(min_new_events, 1)
        self._tried: tuple[str, int] = ("", 0)  # version, and new events when its wait was last cut short

    def wait(self, timeout: float) -> bool:
        """Whether the loop was told to end."""
        left_s = timeout
        while left_s > _LOOK_EVERY_S and self._is_young():
            if self._stop.wait(_LOOK_EVERY_S):
                return True
            left_s -= _LOOK_EVERY_S
            if self._has_grown():
                return False
        return self._stop.wait(left_s)

    def _is_young(self) -> bool:
        """Whether what is live is popular items; no where it cannot be read, which the run that is due then tells."""
        try:
            live = live_manifest(self._volume)
        except ArtifactError:
            return False
        return live is not None and live.model == PopularityRecipe().model

    def _has_grown(self) -> bool:
        """Whether as much came in as the newest version was trained on; after a run that failed, twice as much."""
        newest = newest_manifest(self._volume)
        if newest is None:
            return False
        try:
            new = count_after(self._lake_dir, "events", sequence=newest.stream_sequence)
        except DataError:
            return False
        version, tried = self._tried
        if new < max(newest.interaction_count, self._min_new_events, 2 * tried if version == newest.version else 0):
            return False
        self._tried = (newest.version, new)
        return True


def _train_if_new(train: Callable[[], Outcome[Judgement]], min_new_events: int, volume: Path, lake_dir: Path) -> None:
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
