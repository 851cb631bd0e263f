"""What the last days' lists and events were of: parts of the lake in, counts by item and by user out.

A part never changes. So each is read once, and only counts of it are kept.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from recsys.activity import WEEK
from recsys.lake import Committed, as_committed, day_of, scan_part

_NO_PLACES: Final = pl.Schema({"item_id": pl.String(), "places": pl.UInt32()})
_NO_EVENTS: Final = pl.Schema({"item_id": pl.String(), "event_type": pl.String(), "events": pl.UInt32()})
_NO_USERS: Final = pl.Schema({"user_id": pl.String(), "events": pl.UInt32()})
_NO_PAIRS: Final = pl.Schema({"item_id": pl.String(), "pair": pl.UInt64()})


@dataclass(frozen=True)
class Counts:
    """Of the last WEEK days, each item and user once."""

    yesterday: pl.DataFrame  # item_id, places: how often it was shown, of yesterday alone
    shown: pl.DataFrame  # the same, of all days
    events: pl.DataFrame  # item_id, event_type, events
    users: pl.DataFrame  # user_id, events; without those of sessions
    people: pl.DataFrame  # item_id, people: with an event of it


@dataclass(frozen=True)
class _EventPart:
    events: pl.DataFrame
    users: pl.DataFrame
    pairs: pl.DataFrame  # item_id, pair: somebody and the item, as one number


class Week:
    """Of one lake; what was counted of a part is kept while it is of these days."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._shown: dict[str, pl.DataFrame] = {}
        self._events: dict[str, _EventPart] = {}
        self._counts: tuple[object, Counts] | None = None

    def until(self, today: date) -> Counts:
        """The last WEEK days, with today. Raises: DataError (of the lake)."""
        return as_committed(self._lake, lambda committed: self._of_commit(committed, today))

    def _of_commit(self, committed: Committed, today: date) -> Counts:
        days = {(today - timedelta(days=back)).isoformat() for back in range(WEEK)}
        exposures = [path for path in committed.of("exposures") if day_of(path) in days]
        events = [path for path in committed.of("events") if day_of(path) in days]
        made_of = (today, exposures, events)
        if self._counts is None or self._counts[0] != made_of:
            self._counts = (made_of, self._counted(exposures, events, today))
        return self._counts[1]

    def _counted(self, exposures: list[str], events: list[str], today: date) -> Counts:
        """Raises: FileNotFoundError, where the sink has replaced a part since."""
        self._shown = {path: self._shown[path] if path in self._shown else self._places(path) for path in exposures}
        self._events = {path: self._events.get(path) or self._of_events(path) for path in events}
        yesterday = (today - timedelta(days=1)).isoformat()
        parts = self._events.values()
        pairs = pl.concat([_NO_PAIRS.to_frame(), *(part.pairs for part in parts)])
        return Counts(
            yesterday=_summed(_NO_PLACES, [self._shown[path] for path in exposures if day_of(path) == yesterday]),
            shown=_summed(_NO_PLACES, list(self._shown.values())),
            events=_summed(_NO_EVENTS, [part.events for part in parts]),
            users=_summed(_NO_USERS, [part.users for part in parts]),
            people=pairs.unique("pair").group_by("item_id").agg(people=pl.len()),
        )

    def _places(self, path: str) -> pl.DataFrame:
        """Raises: FileNotFoundError, where the sink has replaced the part since."""
        items = scan_part(self._lake, path).select(item_id=pl.col("item_ids").explode()).drop_nulls()
        return items.group_by("item_id").agg(places=pl.len()).collect()

    def _of_events(self, path: str) -> _EventPart:
        """Raises: FileNotFoundError, where the sink has replaced the part since."""
        part = scan_part(self._lake, path).select("item_id", "event_type", "user_id", "session_id").collect()
        pair = pl.struct("item_id", "user_id", "session_id").hash()
        return _EventPart(
            events=part.group_by("item_id", "event_type").agg(events=pl.len()),
            users=part.drop_nulls("user_id").group_by("user_id").agg(events=pl.len()),
            pairs=part.select("item_id", pair=pair).unique("pair"),
        )


def _summed(schema: pl.Schema, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The last column, by all others."""
    *names, _ = schema.names()
    return pl.concat([schema.to_frame(), *parts]).group_by(names).sum()
