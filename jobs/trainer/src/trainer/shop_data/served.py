"""What lists have brought: exposures, events and merges of the lake in, figures by version or places of lists out."""

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
_USER: Final = pl.coalesce("user_id", "owner").alias("user_id")
_PERSON: Final = pl.coalesce(pl.lit("u:") + _USER, pl.lit("s:") + pl.col("session_id")).alias("person")


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


def by_place(lake: Path, *, since: datetime, until: datetime | None = None) -> pl.DataFrame:
    """The places of lists that users were shown from a moment on: of each list its first page, in the list's order.

    What was shown or done at `until` or later is not known.

    Returns:
        Columns list_id, user_id, place (from 0), item_id, propensity, clicked and bought, as of `Served`, by item.

    Raises: DataError (of the lake).
    """
    day, since_ms = since.astimezone(UTC).date().isoformat(), since.timestamp() * 1000

    def read(committed: Committed) -> pl.DataFrame:
        shown, done = _read(lake, committed, day)
        if until is not None:
            is_before = pl.col("unix_ms") < until.timestamp() * 1000
            shown, done = shown.filter(is_before), done.filter(is_before)
        of_users = shown.filter(pl.col("user_id").is_not_null() & (pl.col("unix_ms") >= since_ms))
        places = of_users.select(
            "list_id",
            "user_id",
            pl.int_ranges(pl.col("item_ids").list.len()).alias("place"),
            pl.col("item_ids").alias("item_id"),
            pl.col("propensities").alias("propensity"),
        ).explode("place", "item_id", "propensity")
        taken = {"clicked": _clicked(of_users, done), "bought": _bought(of_users, done)}
        for name, pairs in taken.items():
            places = places.join(pairs.with_columns(pl.lit(True).alias(name)), on=["list_id", "item_id"], how="left")
        return places.with_columns(pl.col(*taken).fill_null(False)).sort("list_id", "place")

    return as_committed(lake, read)


def _of_commit(lake: Path, committed: Committed, since: str) -> dict[str, Served]:
    shown, done = _read(lake, committed, since)
    figures = shown.group_by("artifact_version").agg(
        lists=pl.len(),
        clicked=pl.col("list_id").is_in(_clicked(shown, done)["list_id"].implode()).sum(),
        bought=pl.col("list_id").is_in(_bought(shown, done)["list_id"].implode()).sum(),
    )
    return {version: Served(*counts) for version, *counts in figures.iter_rows()}


def _read(lake: Path, committed: Committed, since: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of the days from `since` (YYYY-MM-DD) on: the first page of each list shown to somebody, and what was done."""
    merges = collect_parts(lake, committed, "merges", lambda part: part)

    def shown_in(part: pl.LazyFrame) -> pl.LazyFrame:
        columns = (LIST_ID, "unix_ms", "artifact_version", "item_ids", "propensities", "sequence", _USER, _PERSON)
        return with_owners(part, merges).select(*columns).drop_nulls("person")

    def done_in(part: pl.LazyFrame) -> pl.LazyFrame:
        wanted = part.filter(LIST_ID.is_not_null() | (pl.col("event_type") == PURCHASE))
        return with_owners(wanted, merges).select(LIST_ID, "item_id", "event_type", "unix_ms", _PERSON)

    pages = collect_parts(lake, committed, "exposures", shown_in, since=since).sort("sequence")
    done = collect_parts(lake, committed, "events", done_in, since=since)
    return pages.unique("list_id", keep="first"), done


def _clicked(shown: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """Columns list_id and item_id: what was clicked where, each once."""
    answers = done.filter(pl.col("event_type") != REMOVE).join(shown, on=["list_id", "person"])
    return answers.filter(pl.col("item_ids").list.contains(pl.col("item_id"))).select("list_id", "item_id").unique()


def _bought(shown: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """Columns list_id and item_id: what was bought after which list, each once."""
    purchases = done.filter(event_type=PURCHASE).select("person", "item_id", bought_ms="unix_ms")
    items = shown.join(purchases, on="person", how="semi").explode("item_ids").rename({"item_ids": "item_id"})
    pairs = items.join(purchases, on=["person", "item_id"])
    delay_ms = pl.col("bought_ms") - pl.col("unix_ms")
    return pairs.filter(delay_ms.is_between(-_SKEW_MS, WINDOW_DAYS * _DAY_MS)).select("list_id", "item_id").unique()
