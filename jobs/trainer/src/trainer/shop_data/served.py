"""What the lists of each version have brought: exposures, events and merges of the lake in, figures by version out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from recsys.lake import LIST_ID, Committed, as_committed, collect_parts, with_owners
from recsys.shop.events import PURCHASE, REMOVE

WINDOW_DAYS: Final = 7
"""A purchase comes so long after its list at most."""

_SKEW_MS: Final = 300_000  # by so much the shop's clock may be behind the gateway's
_DAY_MS: Final = 86_400_000
_PERSON: Final = pl.coalesce(pl.lit("u:") + pl.coalesce("user_id", "owner"), pl.lit("s:") + pl.col("session_id")).alias(
    "person"
)


@dataclass(frozen=True)
class Served:
    """Lists of one version that were shown to somebody, each counted once."""

    lists: int
    clicked: int  # with an event, other than a removal, that names the list, of the same person on an item of it
    bought: int  # of which the same person bought an item within WINDOW_DAYS, whatever the purchase names

    @property
    def click_through(self) -> float:
        """Share of the lists."""
        return self.clicked / self.lists

    @property
    def conversion(self) -> float:
        """Share of the lists."""
        return self.bought / self.lists


def by_version(lake: Path, *, days: float, now: datetime) -> dict[str, Served]:
    """Figures of the versions whose lists were shown within these days. Raises: DataError (of the lake)."""
    since = (now - timedelta(days=days)).astimezone(UTC).date().isoformat()
    return as_committed(lake, lambda committed: _of_commit(lake, committed, since))


def _of_commit(lake: Path, committed: Committed, since: str) -> dict[str, Served]:
    merges = collect_parts(lake, committed, "merges", lambda part: part)

    def shown_in(part: pl.LazyFrame) -> pl.LazyFrame:
        columns = (LIST_ID, "unix_ms", "artifact_version", "item_ids", _PERSON)
        return with_owners(part, merges).select(*columns).drop_nulls("person")

    def done_in(part: pl.LazyFrame) -> pl.LazyFrame:
        wanted = part.filter(LIST_ID.is_not_null() | (pl.col("event_type") == PURCHASE))
        return with_owners(wanted, merges).select(LIST_ID, "item_id", "event_type", "unix_ms", _PERSON)

    shown = collect_parts(lake, committed, "exposures", shown_in, since=since).unique("list_id")
    done = collect_parts(lake, committed, "events", done_in, since=since)
    figures = shown.group_by("artifact_version").agg(
        lists=pl.len(),
        clicked=pl.col("list_id").is_in(_clicked(shown, done).implode()).sum(),
        bought=pl.col("list_id").is_in(_bought(shown, done).implode()).sum(),
    )
    return {version: Served(*counts) for version, *counts in figures.iter_rows()}


def _clicked(shown: pl.DataFrame, done: pl.DataFrame) -> pl.Series:
    answers = done.filter(pl.col("event_type") != REMOVE).join(shown, on=["list_id", "person"])
    return answers.filter(pl.col("item_ids").list.contains(pl.col("item_id")))["list_id"].unique()


def _bought(shown: pl.DataFrame, done: pl.DataFrame) -> pl.Series:
    purchases = done.filter(event_type=PURCHASE).select("person", "item_id", bought_ms="unix_ms")
    items = shown.join(purchases, on="person", how="semi").explode("item_ids").rename({"item_ids": "item_id"})
    pairs = items.join(purchases, on=["person", "item_id"])
    delay_ms = pl.col("bought_ms") - pl.col("unix_ms")
    return pairs.filter(delay_ms.is_between(-_SKEW_MS, WINDOW_DAYS * _DAY_MS))["list_id"].unique()
