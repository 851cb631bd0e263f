"""A held-out window in, each judged user's figures out, for several models at once: ranked and judged on the workers.

The driver holds the figures of a seeded sample of users, at most as many as the settings let judge.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from trainer import threads
from trainer.evaluation import full_ranking, metrics, ranking
from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions
from trainer_spark import histories
from trainer_spark.factors import UserSolver
from trainer_spark.statistics import Statistics

KS: Final = (10, 20, 50)
_USERS_AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class Personal:
    """A model with vectors of its own."""

    solver: UserSolver
    factors: Broadcast[NDArray[np.float32]]  # [n_items] that items' scores are multiplied by: recency


@dataclass(frozen=True)
class SameForAll:
    """A baseline: one score an item."""

    scores: Broadcast[NDArray[np.float32]]  # [n_items]


Model = Personal | SameForAll


@dataclass(frozen=True)
class Figures:
    """How one model did."""

    per_user: dict[str, NDArray[np.float64]]  # metric → [judged users], the same users in every model

    def mean(self, metric: str) -> float:
        """The mean over the judged users."""
        return float(self.per_user[metric].mean())


def judged_users(split: DataFrame) -> int:
    """How many users of a split have something to be tested on."""
    return int(split.where(fn.size("test") > 0).count())


def judge(
    split: DataFrame, models: Mapping[str, Model], statistics: Statistics, *, most: int, seed: int
) -> dict[str, Figures]:
    """The figures of each model on the full ranking of what train knows, as `full_ranking.evaluate` has them.

    Args:
        split: histories with `test`.
        models: fitted on what was known before the window.
        statistics: of the same.
        most: judge a random sample of that many users.
    """
    tested = split.where(fn.size("test") > 0)
    drawn = tested.withColumn("draw", fn.xxhash64("user_id", fn.lit(seed))).orderBy("draw", "user_id").limit(most)
    item_users = split.sparkSession.sparkContext.broadcast(statistics.item_users)
    names = [f"{model}/{metric}" for model in models for metric in _metrics()]
    figures = partial(_figures, models=dict(models), item_users=item_users, n_users=statistics.users)
    schema = ", ".join(f"`{name}` double" for name in names)
    partitions = max(split.sparkSession.sparkContext.defaultParallelism, min(most, tested.count()) // _USERS_AT_ONCE)
    found = drawn.repartition(partitions).mapInArrow(figures, f"draw bigint, {schema}").toArrow()
    order = np.argsort(found.column("draw").to_numpy(), kind="stable")  # workers end in any order
    columns = {name: found.column(name).to_numpy()[order] for name in names}
    return {model: Figures({metric: columns[f"{model}/{metric}"] for metric in _metrics()}) for model in models}


def _metrics() -> list[str]:
    return [f"{name}@{k}" for k in KS for name in ("recall", "ndcg", "hit_rate", "mrr", "novelty")]


def _figures(
    batches: Iterator[pa.RecordBatch],
    *,
    models: dict[str, Model],
    item_users: Broadcast[NDArray[np.int64]],
    n_users: int,
) -> Iterator[pa.RecordBatch]:
    begun = {name: _Begun(model, item_users.value) for name, model in models.items()}
    known_items = np.flatnonzero(item_users.value)
    information = metrics.self_information(item_users.value[known_items], n_users)
    n_items = len(item_users.value)
    for whole in batches:
        for start in range(0, whole.num_rows, _USERS_AT_ONCE):
            batch = whole.slice(start, _USERS_AT_ONCE)
            known = histories.batch_of(batch, n_items=n_items, event_types=[])
            test = histories.lists_of(batch, "test", n_items=n_items)
            relevant = np.diff(test.indptr).astype(np.int64)
            seen, reachable = known.weights[:, known_items], test[:, known_items]
            columns: dict[str, pa.Array] = {}
            for name, model in begun.items():
                scorer = model.scorer(known)
                with threads.limited(1):
                    ranked = ranking.top_unseen(scorer, seen=seen, user_rows=np.arange(batch.num_rows), k=KS[-1])
                hits = full_ranking.find_hits(ranked, reachable)
                found = full_ranking.per_user_figures(ranked, hits, relevant, ks=KS, information=information)
                columns |= {f"{name}/{metric}": pa.array(values) for metric, values in found.items()}
            yield pa.RecordBatch.from_arrays([batch.column("draw"), *columns.values()], ["draw", *columns])


class _Begun:
    """A model on a worker: what does not depend on the users is there already. Ranks what train knows alone."""

    def __init__(self, model: Model, item_users: NDArray[np.int64]) -> None:
        known = item_users > 0
        if isinstance(model, SameForAll):
            self._solve = None
            self._items = model.scores.value[known][:, None]
        else:
            self._solve = model.solver.begin()
            self._items = model.solver.items.value[known] * model.factors.value[known][:, None]

    def scorer(self, known: Interactions) -> Embeddings:
        """The scores of these users."""
        users = len(known.user_ids)
        vectors = np.ones((users, 1), np.float32) if self._solve is None else self._solve(known)
        return Embeddings(vectors, self._items)
