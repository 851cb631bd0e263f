"""Events in, held-out windows out, where the local engine would have them, with what train knows of each."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial

from pyspark.sql import DataFrame

from recsys.errors import DataError
from trainer.evaluation import windows
from trainer.settings import Settings
from trainer_spark import histories, judging, statistics
from trainer_spark.histories import Terms
from trainer_spark.reading import Events
from trainer_spark.statistics import Statistics

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """What may be learnt from, and what is tested."""

    cut: datetime
    users: DataFrame  # histories with `test` and `user`
    statistics: Statistics  # of what was known before the cut
    judged_users: int
    _kept: DataFrame  # what `users` is made of, on the workers' disks

    def release(self) -> None:
        """Free the workers' disks of it."""
        self._kept.unpersist()


def newest_first(events: Events, terms: Terms, *, settings: Settings) -> Iterator[Window]:
    """Windows back to back, the last of which ends with the last event; each is dropped when the next is asked for.

    None where nothing can be tested.
    """
    time_before = cache(events.time_before)  # each asks all events anew
    if events.last is None or not time_before(windows.CENTRE[0]) < time_before(windows.CENTRE[1]):
        _log.warning("the events have no times to hold out by: nothing is judged")
        return
    horizon = timedelta(days=windows.horizon_days(time_before, settings))
    end = events.last + timedelta(microseconds=1)  # windows are half-open
    while True:
        try:
            window = _before(end, events, terms, horizon=horizon, settings=settings)
        except DataError:
            return
        yield window
        window.release()
        end = window.cut


def _before(end: datetime, events: Events, terms: Terms, *, horizon: timedelta, settings: Settings) -> Window:
    """The window that ends then; longer than the horizon where too few users would be judged."""
    found = None
    for cut in windows.cuts(partial(events.time_before, end=end), end, horizon):
        if found is not None:
            found.release()
        found = _between(cut, end, events, terms, settings=settings)
        if found.judged_users >= windows.ENOUGH_USERS:
            break
    if found is None or not found.judged_users or not found.statistics.pairs:
        raise DataError("expected events to learn from and to test on, found none")
    return found


def _between(cut: datetime, end: datetime, events: Events, terms: Terms, *, settings: Settings) -> Window:
    split = histories.of_events(events.frame, terms, count=events.count, cut=cut, end=end)
    users = histories.users_of(split)
    n_items = terms.n_items
    known = statistics.of(users, n_items=n_items, recent_days=settings.recent_days)
    return Window(cut, histories.numbered(users), known, judging.judged_users(users), split)
