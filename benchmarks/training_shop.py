"""A made-up shop for the training benchmark: events with tastes, in files, the same for every run.

Users are active by a lognormal (the busiest has a hundred times the median), items sell by a power law within their
taste, each user has two tastes and now and then looks elsewhere. Events are in order of time, as a shop's log is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

SEED: Final = 20250117
_TASTES: Final = 100
_ELSEWHERE: Final = 0.25  # of the events, whatever the user's tastes
_PART_EVENTS: Final = 1_000_000
_FIRST_SECOND, _SPAN_SECONDS = 1_700_000_000, 180 * 86_400
_TYPES: Final = {"view": 0.8, "cart": 0.14, "purchase": 0.055, "remove": 0.005}


@dataclass(frozen=True)
class Size:
    """How large the shop is."""

    events: int
    users: int
    items: int

    def __str__(self) -> str:
        return f"{self.events / 1e6:g}m"


SIZES: Final = {str(size): size for size in (Size(1_000_000, 60_000, 40_000), Size(10_000_000, 200_000, 100_000))}


@dataclass(frozen=True)
class ShopFiles:
    """Events in a format, and the catalogue."""

    events: Path
    catalogue: Path


def files_of(size: Size, folder: Path, *, form: str) -> ShopFiles:
    """The shop's files, `form` csv or parquet; made where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    files = ShopFiles(folder / f"events.{form}", folder / "items.parquet")
    if not files.events.exists():
        unfinished = files.events.with_suffix(".part")
        with unfinished.open("wb") as file:
            _write(parts(size), file, form=form)
        unfinished.rename(files.events)
        _catalogue(size).write_parquet(files.catalogue)
    return files


def parts(size: Size) -> Iterator[pl.DataFrame]:
    """The events, a million at a time: user_id, item_id, event_type, timestamp, quantity, value."""
    rng = np.random.default_rng(SEED)
    activity = _cumulated(rng.lognormal(sigma=1.2, size=size.users))
    tastes = rng.choice(_TASTES, size=(size.users, 2))
    by_taste = np.argsort(np.arange(size.items) % _TASTES, kind="stable")
    taste_of, rank_of = by_taste % _TASTES, by_taste // _TASTES
    demand = _cumulated(rng.lognormal(size=_TASTES)[taste_of] / (rank_of + 3.0))
    starts = np.searchsorted(taste_of, np.arange(_TASTES + 1))
    bounds = np.r_[0.0, demand][starts]
    names = rng.permutation(size.items)  # an id says nothing of an item's popularity
    for first in range(0, size.events, _PART_EVENTS):
        count = min(_PART_EVENTS, size.events - first)
        users = np.searchsorted(activity, rng.random(count))
        taste = tastes[users, rng.integers(2, size=count)]
        place = bounds[taste] + rng.random(count) * (bounds[taste + 1] - bounds[taste])
        place = np.where(rng.random(count) < _ELSEWHERE, rng.random(count), place)
        items = names[np.minimum(np.searchsorted(demand, place), size.items - 1)]
        seconds = _FIRST_SECOND + np.sort(first + count * rng.random(count)) / size.events * _SPAN_SECONDS
        yield _frame(users, items, seconds, rng)


def _frame(
    users: NDArray[np.int64], items: NDArray[np.int64], seconds: NDArray[np.float64], rng: np.random.Generator
) -> pl.DataFrame:
    types = rng.choice(len(_TYPES), size=len(users), p=list(_TYPES.values()))
    return pl.DataFrame({"user": users, "item": items, "type": types, "second": seconds.astype(np.int64)}).select(
        user_id=pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(7)),
        item_id=pl.format("i{}", pl.col("item").cast(pl.String).str.zfill(6)),
        event_type=pl.lit(pl.Series(list(_TYPES))).gather(pl.col("type")),
        timestamp=pl.from_epoch("second").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        quantity=pl.lit(1),
        value=(pl.col("item") % 9_000 + 99) / 100,
    )


def _catalogue(size: Size) -> pl.DataFrame:
    number = pl.int_range(size.items, eager=True).alias("n").to_frame()
    text = pl.col("n").cast(pl.String).str.zfill(6)
    return number.select(
        item_id=pl.format("i{}", text),
        title=pl.format("Article {} of the range", text),
        category=pl.format("category {}", pl.col("n") % 37),
        price=(pl.col("n") % 9_000 + 99) / 100,
    )


def _cumulated(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ends of the shares of 0 to 1."""
    return np.asarray(np.cumsum(weights) / weights.sum(), dtype=np.float64)


def _write(frames: Iterator[pl.DataFrame], file: BinaryIO, *, form: str) -> None:
    if form == "parquet":
        pl.concat(frames).write_parquet(file, row_group_size=_PART_EVENTS)
        return
    for n, frame in enumerate(frames):
        frame.write_csv(file, include_header=n == 0)
