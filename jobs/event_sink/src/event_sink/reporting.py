"""The experiments' sums, and what happened day by day, in the feature store: as new as little of the time allows.

They are worked out anew each time. However long that takes, it takes no more than a tenth of the time, so that a long
history makes sums older, and nothing else slower.
"""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from event_sink import live_version, sums
from event_sink.coverage import coverage, items_on_sale
from event_sink.days import Days
from event_sink.drift import drift
from event_sink.live_version import LiveVersion
from event_sink.week import Week
from recsys.activity import ACTIVITY, Activity
from recsys.errors import DataError
from recsys.experiments import (
    DAILY_SUMS,
    DAYS,
    METRICS,
    SUMS,
    DailySumsDocument,
    ExperimentSums,
    Metric,
    MetricsDocument,
    Sums,
)
from recsys.feature_store.interface import FeatureStore
from recsys.lake import read_items

_log = logging.getLogger(__name__)

_PAUSES: Final = 9  # times as long as the work took


class Reporting:
    """Of one lake, and the models beside it, into one store."""

    def __init__(self, store: FeatureStore, lake: Path, *, rules: sums.Rules, interval_s: float) -> None:
        self._store = store
        self._lake = lake
        self._rules = rules
        self._interval_s = interval_s
        self._days = Days(lake)
        self._week = Week(lake)
        self._live: LiveVersion | None = None
        self._noted_on = ""  # the day whose sums are kept
        self._next_s = 0.0  # monotonic
        self._made_of: tuple[int, dict[str, tuple[Metric, ...]]] | None = None
        self._made: dict[str, ExperimentSums] = {}

    async def turn(self, *, sequence: int, as_of_ms: int) -> None:
        """Write what the lake comes to, which holds the stream up to `sequence`: what was recorded up to `as_of_ms`.

        Raises: StoreUnavailableError.
        """
        started_s = time.monotonic()
        if started_s < self._next_s:
            return
        activity: Activity | None = None
        try:
            activity = self._activity(as_of_ms)
            defined = await metrics_in(self._store)
            if defined and self._made_of != (sequence, defined):
                self._made = sums.of_lake(self._lake, defined, self._rules)
                self._made_of = (sequence, defined)
        except DataError as error:  # the stream must be moved all the same
            _log.warning("experiments are not summed", extra={"reason": str(error)})
            defined = {}
        took_s = time.monotonic() - started_s
        self._next_s = time.monotonic() + max(self._interval_s, _PAUSES * took_s)
        if activity is not None and activity.days:
            await self._store.write_text("documents", ACTIVITY, activity.model_dump_json())
        if defined:
            made = Sums(as_of_ms=as_of_ms, experiments=self._made)
            await self._store.write_text("documents", SUMS, made.model_dump_json())
            await self._note_day(made)
            _log.debug("summed", extra={"experiments": len(defined), "seconds": round(took_s, 3)})

    def _activity(self, as_of_ms: int) -> Activity:
        """Raises: DataError (of the lake)."""
        today = datetime.now(UTC).date()
        days, week = self._days.until(today), self._week.until(today)
        self._live = live = live_version.read(self._lake.parent, before=self._live)
        on_sale = None if live is None else items_on_sale(live.items, read_items(self._lake))
        return Activity(
            as_of_ms=as_of_ms,
            days=days,
            coverage=coverage(week, on_sale),
            drift=None if live is None else drift(week, live),
        )

    async def _note_day(self, made: Sums) -> None:
        """Keep the first sums of each day, for the course of the experiments. Raises: StoreUnavailableError."""
        today = datetime.now(UTC).date().isoformat()
        if today == self._noted_on:
            return
        text = (await self._store.texts("documents")).get(DAILY_SUMS)
        try:
            days = DailySumsDocument.validate_json(text) if text else {}
        except ValidationError:  # of another release
            days = {}
        if today not in days:
            kept = dict(sorted((days | {today: made}).items())[-DAYS:])
            await self._store.write_text("documents", DAILY_SUMS, DailySumsDocument.dump_json(kept).decode())
        self._noted_on = today


async def metrics_in(store: FeatureStore) -> dict[str, tuple[Metric, ...]]:
    """Experiment → metrics, as a gateway has told; empty where none did. Raises: StoreUnavailableError, DataError."""
    text = (await store.texts("documents")).get(METRICS)
    try:
        return MetricsDocument.validate_json(text) if text else {}
    except ValidationError as error:
        raise DataError(f"{METRICS}: expected what a gateway of this version writes, found: {error}") from error
