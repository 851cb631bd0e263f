"""What happened day by day: parts of the lake in, counts of each day out.

A part never changes. So a day is counted again only when it has other parts than before, or the day after it has.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from recsys.activity import DAYS, Day
from recsys.lake import LIST_ID, MONEY, SCHEMAS, Committed, Table, as_committed, day_of, scan_part
from recsys.shop.events import PURCHASE, REMOVE

_UNKNOWN_LEVEL: Final = "unknown"  # of a list that an older release has shown

_Parts = tuple[tuple[str, ...], ...]


class Days:
    """Of one lake; what was counted is kept."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._counted: dict[str, tuple[_Parts, Day]] = {}

    def until(self, today: date) -> tuple[Day, ...]:
        """The last DAYS days on which something happened, oldest first. Raises: DataError (of the lake)."""
        since = (today - timedelta(days=DAYS - 1)).isoformat()
        return as_committed(self._lake, lambda committed: self._of_commit(committed, since, today.isoformat()))

    def _of_commit(self, committed: Committed, since: str, until: str) -> tuple[Day, ...]:
        events, exposures = _by_day(committed, "events"), _by_day(committed, "exposures")
        counted = {}
        for day in sorted({*events, *exposures}):
            if since <= day <= until:
                following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
                parts = (tuple(events[day]), tuple(exposures[day]), tuple(events[following]))
                known = self._counted.get(day)
                counted[day] = known if known is not None and known[0] == parts else (parts, self._count(day, parts))
        self._counted = counted
        return tuple(day for _, day in counted.values())

    def _count(self, day: str, parts: _Parts) -> Day:
        of_day, exposures, of_next = parts
        columns = ("event_id", "event_type", MONEY, LIST_ID)
        events = self._rows("events", of_day, *columns).unique("event_id")
        shown = self._rows("exposures", exposures, LIST_ID, "level").unique("list_id")
        later = self._rows("events", of_next, *columns)
        answers = pl.concat([events, later]).filter(pl.col("event_type") != REMOVE)["list_id"].drop_nulls().unique()
        money = pl.col("money")
        earned = events.filter(event_type=PURCHASE).select(money.sum()).item()
        given_back = events.filter(event_type=REMOVE).select(money.abs().sum()).item()
        return Day(
            date=day,
            events=dict(events.group_by("event_type").len().sort("event_type").iter_rows()),
            money=earned - given_back,
            lists=shown.height,
            clicked_lists=shown["list_id"].is_in(answers.implode()).sum(),
            levels=dict(shown.group_by(pl.col("level").fill_null(_UNKNOWN_LEVEL)).len().sort("level").iter_rows()),
        )

    def _rows(self, table: Table, parts: Sequence[str], *columns: str | pl.Expr) -> pl.DataFrame:
        """Raises: FileNotFoundError, where the sink has replaced a part since."""
        scanned = (scan_part(self._lake, path) for path in parts)
        return pl.concat([SCHEMAS[table].to_frame().lazy(), *scanned]).select(*columns).collect()


def _by_day(committed: Committed, table: Table) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in committed.of(table):
        found[day_of(path)].append(path)
    return found
