"""A made-up shop of many users and items and few pairs of them: is what `train` chooses there below a baseline?

    .venv/bin/python -m benchmarks.sparse_shop [--users N --items N --pairs N --follows SHARE --taste SHARE --no-times]

Popular items, tastes, and items that go together. Users are active by a lognormal and items sell by a power law. What
follows a purchase is now and then one of the few items that go with it (the same author, the next volume), else one of
the user's taste or any item. With no tastes and many followers item-kNN is hard to beat; with the reverse,
factorisation is strong.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainer.choosing import selection
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.fits import KeptFits
from trainer.choosing.gate import METRIC, with_interval
from trainer.evaluation import bootstrap, sample, windows
from trainer.evaluation.bootstrap import PairedDifference
from trainer.evaluation.split import Split
from trainer.report import table
from trainer.report.table import Row
from trainer.settings import Settings

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS: Final = 150
_GROUPS: Final = 60  # of items: what a taste is
_TOGETHER: Final = 3  # items that go with one


@dataclass(frozen=True)
class SparseShop:
    """How large the shop is, and what makes its users buy."""

    users: int
    items: int
    pairs: int  # about so many: a user who buys an item twice makes one
    follows: float  # share of purchases that go with the one before
    taste: float  # share of the others that are of the user's taste
    has_times: bool = True  # else all of it has one date: nobody noted when

    def events(self, *, seed: int = 0) -> pl.DataFrame:
        """user_id, item_id, event_type, timestamp, quantity, value; in order of time."""
        rng = np.random.default_rng(seed)
        user = np.sort(rng.choice(self.users, size=self.pairs, p=_shares(rng.lognormal(sigma=0.9, size=self.users))))
        position = np.arange(self.pairs) - np.searchsorted(user, user)
        item = self._drawn(user, rng)
        goes_with = rng.integers(self.items, size=(self.items, _TOGETHER))
        follows = rng.random(self.pairs) < self.follows
        for place in range(1, int(position.max()) + 1):  # in order: what follows may be followed
            at = np.flatnonzero((position == place) & follows)
            item[at] = goes_with[item[at - 1], rng.integers(_TOGETHER, size=len(at))]
        seconds = _DAYS * 86_400 * rng.random(self.pairs)
        in_order = np.lexsort((seconds, user))  # a user's purchases are made in the order in which they were drawn
        return _frame(user, item, seconds[in_order] if self.has_times else np.zeros(self.pairs))

    def _drawn(self, user: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """By popularity, of the user's taste or of everything."""
        demand = _shares(1 / (rng.permutation(self.items) + 20.0) ** 0.8)
        group = np.sort(rng.integers(_GROUPS, size=self.items))  # a group's items stand together
        ends = np.r_[0.0, np.cumsum(demand)]
        bounds = ends[np.searchsorted(group, np.arange(_GROUPS + 1))]
        tastes = rng.integers(_GROUPS, size=(self.users, 2))[user, rng.integers(2, size=len(user))]
        of_taste = bounds[tastes] + rng.random(len(user)) * (bounds[tastes + 1] - bounds[tastes])
        at = np.where(rng.random(len(user)) < self.taste, of_taste, rng.random(len(user)))
        return np.clip(np.searchsorted(ends, at, side="right") - 1, 0, self.items - 1)


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _frame(user: NDArray[np.int64], item: NDArray[np.int64], seconds: NDArray[np.float64]) -> pl.DataFrame:
    numbers = pl.DataFrame({"user": user, "item": item, "second": seconds.astype(np.int64)})
    return numbers.select(
        user_id=pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(7)),
        item_id=pl.format("i{}", pl.col("item").cast(pl.String).str.zfill(6)),
        event_type=pl.lit("purchase"),
        timestamp=pl.lit(_START).cast(pl.Datetime("us", "UTC")) + pl.duration(seconds=pl.col("second")),
        quantity=pl.lit(1.0),
        value=pl.lit(None, pl.Float64),
    ).sort("timestamp", "user_id", "item_id")


@dataclass(frozen=True)
class Chosen:
    """What `train` chooses by the windows before the newest, as served on the newest, beside the baselines."""

    row: Row
    baselines: Sequence[Row]
    gain: PairedDifference  # over the best of them, in NDCG@20
    users: int  # who chose


def choose(held_out: Sequence[Split], *, settings: Settings) -> Chosen:
    """Compare the default recipes as `train` does, and judge the best.

    Args:
        held_out: `windows.to_choose_and_judge`.
    """
    *before, newest = sample.to_compare(held_out, settings=settings)
    to_try = default_recipes(newest.train)
    choice = selection.choose(None, before, to_try, settings=settings)
    baselines = list(table.of_baselines(newest, recent_days=settings.recent_days))
    row = table.served(choice, newest, recent_days=settings.recent_days, fits=KeptFits(settings.seed))
    highest = max(baselines, key=lambda one: one.evaluation.mean(METRIC))
    gain = bootstrap.paired(row.evaluation.per_user[METRIC], highest.evaluation.per_user[METRIC])
    return Chosen(row, baselines, gain, users=choice.users)


def main() -> None:
    """Print what each baseline and the chosen recipe are worth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=120_000)
    parser.add_argument("--items", type=int, default=80_000)
    parser.add_argument("--pairs", type=int, default=2_000_000)
    parser.add_argument("--follows", type=float, default=0.2)
    parser.add_argument("--taste", type=float, default=0.7)
    parser.add_argument("--no-times", dest="has_times", action="store_false")
    arguments = vars(parser.parse_args())
    started = time.perf_counter()
    frame = SparseShop(**arguments).events()
    settings = Settings()
    held_out = windows.to_choose_and_judge(frame, weights={"purchase": 1.0}, settings=settings)
    del frame
    print(table.heading(held_out[-1]).line(), flush=True)
    chosen = choose(held_out, settings=settings)
    for row in (*chosen.baselines, chosen.row):
        print(row.line())
    print(f"\nchosen by {chosen.users:,} users; {METRIC} minus the best baseline's: {with_interval(chosen.gain)}")
    seconds, cpu_s = time.perf_counter() - started, time.process_time()
    print(f"{seconds:.0f} s, {cpu_s:.0f} s of processor time")


if __name__ == "__main__":
    main()
