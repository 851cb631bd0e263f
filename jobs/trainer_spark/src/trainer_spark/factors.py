"""Histories in, vectors of items by MLlib's ALS out; then vectors of users, on the workers, by the artifact's formula.

MLlib and `implicit` solve the same least squares (Hu, Koren & Volinsky 2008) but for two things: MLlib's confidence of
a pair is 1 + alpha × its weight, and its regularisation grows with the user's or item's pairs. Users are therefore
solved once more against MLlib's items by the formula that services fold in by (`als`), so that a fold-in gives a known
user the vector that they have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame

from recsys.age import age_factors
from recsys.artifact.manifest import AgeInfo
from trainer import threads
from trainer.models import als, bm25
from trainer.models.als import ALSSettings
from trainer.shop_data.interactions import Interactions
from trainer_spark import histories
from trainer_spark.statistics import Statistics


@dataclass(frozen=True)
class Confidence:
    """BM25 with the statistics of all users."""

    settings: ALSSettings
    weight_scale: float
    mean_length: float
    idf: Broadcast[NDArray[np.float64]]

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.idf.value)

    def of(self, known: Interactions) -> sp.csr_matrix:
        """The confidences of some users' pairs: float32 [n_users, n_items]."""
        weights = known.weights
        scaled = (weights.data * self.weight_scale).astype(np.float32)
        return bm25.with_statistics(
            sp.csr_matrix((scaled, weights.indices, weights.indptr), shape=weights.shape),
            idf=self.idf.value,
            mean_length=self.mean_length,
            k1=self.settings.k1,
            b=self.settings.b,
        )


def confidence(users: DataFrame, settings: ALSSettings, statistics: Statistics) -> Confidence:
    """What makes confidences of weights, on every worker."""
    idf = users.sparkSession.sparkContext.broadcast(statistics.idf)
    return Confidence(settings, statistics.weight_scale, statistics.mean_length, idf)


def fit_items(users: DataFrame, confidence: Confidence, *, seed: int) -> NDArray[np.float32]:
    """Vectors of all items, zeros for one that nobody has: float32 [n_items, dim].

    Args:
        users: histories with `user` (`histories.numbered`).
    """
    settings = confidence.settings
    ratings = users.mapInArrow(partial(_ratings, confidence=confidence), "user int, item int, rating float")
    blocks = max(users.sparkSession.sparkContext.defaultParallelism, 2)
    learner = ALS(
        rank=settings.dim,
        maxIter=settings.iterations,
        regParam=settings.regularization,
        alpha=settings.alpha,
        implicitPrefs=True,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        seed=seed,
    )
    found = learner.fit(ratings).itemFactors.toArrow()
    vectors = np.zeros((confidence.n_items, settings.dim), np.float32)
    values = found.column("features").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors[found.column("id").to_numpy()] = values.reshape(-1, settings.dim)
    return vectors


@dataclass(frozen=True)
class UserSolver:
    """What gives users their vectors, on every worker."""

    confidence: Confidence
    age: AgeInfo
    items: Broadcast[NDArray[np.float32]]  # [n_items, dim] in the space that the model was fitted in

    def begin(self) -> Callable[[Interactions], NDArray[np.float32]]:
        """The vectors of batch after batch of users: float32 [n_users, dim]."""
        solve = als.solver(self.items.value, self.confidence.settings)

        def vectors(known: Interactions) -> NDArray[np.float32]:
            confidences = self.confidence.of(known)
            owners = np.repeat(np.arange(confidences.shape[0]), np.diff(confidences.indptr))
            confidences.data *= age_factors(known.last_seen, owners, self.age).astype(np.float32)
            with threads.limited(1):
                return solve(confidences)

        return vectors


def vectors_of(users: DataFrame, solver: UserSolver, *, event_types: list[str]) -> NDArray[np.float32]:
    """The vectors of a few users, on the driver: float32 [n, dim]."""
    solve = partial(_vectors, solver=solver, event_types=event_types)
    found = users.mapInArrow(solve, "vector array<float>").toArrow()
    dim = solver.confidence.settings.dim
    values = found.column(0).combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float32).reshape(-1, dim)


def _ratings(batches: Iterator[pa.RecordBatch], *, confidence: Confidence) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        known = histories.batch_of(batch, n_items=confidence.n_items, event_types=[])
        weighed = confidence.of(known)
        users = np.repeat(batch.column("user").to_numpy(), np.diff(weighed.indptr))
        arrays = [pa.array(users), pa.array(weighed.indices.astype(np.int32)), pa.array(weighed.data)]
        yield pa.RecordBatch.from_arrays(arrays, ["user", "item", "rating"])


def _vectors(
    batches: Iterator[pa.RecordBatch], *, solver: UserSolver, event_types: list[str]
) -> Iterator[pa.RecordBatch]:
    solve = solver.begin()
    for batch in batches:
        known = histories.batch_of(batch, n_items=solver.confidence.n_items, event_types=event_types)
        vectors = solve(known)
        ends = pa.array(np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1])
        yield pa.RecordBatch.from_arrays([pa.ListArray.from_arrays(ends, pa.array(vectors.ravel()))], ["vector"])
