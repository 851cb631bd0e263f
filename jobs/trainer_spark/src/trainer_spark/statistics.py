"""Histories in, what is known of all of them out: figures of every item, none of every user."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from trainer.models import bm25
from trainer_spark import quantiles


@dataclass(frozen=True)
class Statistics:
    """Of users, their pairs with items, and items."""

    users: int
    pairs: int
    weight: float  # sum of the pairs' weights
    item_users: NDArray[np.int64]  # [n_items] users who have the item
    recent_users: NDArray[np.float32]  # [n_items] those whose last event with it is of the last days: `recent_since`

    @property
    def weight_scale(self) -> float:
        """What makes the mean weight 1, as `als.weight_scale`."""
        return self.pairs / self.weight if self.pairs else 1.0

    @property
    def mean_length(self) -> float:
        """Mean over users of the sum of their scaled weights."""
        return self.weight_scale * self.weight / max(self.users, 1)

    @property
    def idf(self) -> NDArray[np.float64]:
        """Inverse document frequency of every item: float64 [n_items]."""
        return bm25.of_counts(self.item_users, n_users=self.users)


def of(users: DataFrame, *, n_items: int, recent_days: float) -> Statistics:
    """The statistics of histories that are of users (`histories.users_of`)."""
    summed = fn.aggregate("weights", fn.lit(0.0), lambda so_far, weight: so_far + weight.cast("double"))
    last_of_user = fn.array_max("times")
    row = users.agg(fn.count("*"), fn.sum(fn.size("items")), fn.sum(summed), fn.max(last_of_user)).collect()[0]
    n_users, pairs, weight, last = int(row[0]), int(row[1] or 0), float(row[2] or 0), int(row[3] or 0)
    every = users.select(fn.explode(fn.arrays_zip("items", "times")).alias("pair"))
    since = _recent_since(every, pairs=pairs, last=last, recent_days=recent_days)
    is_recent = fn.when(fn.col("pair.times") >= math.ceil(since.timestamp()), 1).otherwise(0)
    counted = every.groupBy(fn.col("pair.items")).agg(fn.count("*"), fn.sum(is_recent)).toArrow()
    item_users, recent = np.zeros(n_items, np.int64), np.zeros(n_items, np.float32)
    rows = counted.column(0).to_numpy()
    item_users[rows], recent[rows] = counted.column(1).to_numpy(), counted.column(2).to_numpy()
    return Statistics(n_users, pairs, weight, item_users, recent)


def _recent_since(pairs_of_users: DataFrame, *, pairs: int, last: int, recent_days: float) -> datetime:
    """As `recipe.recent_since` says."""
    time: Column = fn.col("pair.times")
    since = datetime.fromtimestamp(last, UTC) - timedelta(days=recent_days)
    least = pairs // 200
    if not least:
        return since
    bulk = quantiles.value_at(pairs_of_users, time, pairs - least)
    return min(since, datetime.fromtimestamp(bulk, UTC))
