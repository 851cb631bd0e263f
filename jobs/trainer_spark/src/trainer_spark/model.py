"""Histories and a recipe in, a model out: vectors of items on the driver, and what solves users on the workers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from recsys.artifact.fold_in import FoldIn
from trainer.choosing import recency
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe
from trainer.models.embeddings import Embeddings
from trainer.publishing import foldable
from trainer_spark import factors
from trainer_spark.factors import UserSolver
from trainer_spark.judging import Personal, SameForAll
from trainer_spark.statistics import Statistics


@dataclass(frozen=True)
class Fitted:
    """A model with what the artifact needs of it. Vectors are in the eigenbasis of the items' Gram matrix."""

    items: NDArray[np.float32]  # [n_items, dim] in the space that users are solved in
    recency: NDArray[np.float32]  # [n_items] what their scores are multiplied by
    fold_in: FoldIn
    solver: UserSolver

    @property
    def published_items(self) -> NDArray[np.float32]:
        """float32 [n_items, dim]: the score is their dot product with a user's vector."""
        return self.items * self.recency[:, None]


def fit(users: DataFrame, known: Statistics, recipe: ALSRecipe, *, seed: int) -> Fitted:
    """Fit the recipe on histories with `user`, of which `known` are the statistics."""
    context = users.sparkSession.sparkContext
    confidence = factors.confidence(users, recipe.settings, known)
    fitted = factors.fit_items(users, confidence, seed=seed)
    turned, eigenvalues = foldable.rotated(Embeddings(np.empty((0, fitted.shape[1]), np.float32), fitted))
    scales = recency_factors(known, recipe.recency_strength)
    info = foldable.als_info(recipe.settings, weight_scale=known.weight_scale, mean_length=known.mean_length)
    fold_in = FoldIn(
        info=info.model_copy(update={"age": recipe.age}),
        item_weights=known.idf.astype(np.float32),
        item_scale=np.float32(1) / scales,
        spectrum=foldable.als_spectrum(eigenvalues, recipe.settings).astype(np.float32),
    )
    solver = UserSolver(confidence, recipe.age, context.broadcast(turned.item))
    return Fitted(turned.item, scales, fold_in, solver)


def personal(users: DataFrame, fitted: Fitted) -> Personal:
    """A fitted model, to be judged."""
    return Personal(fitted.solver, users.sparkSession.sparkContext.broadcast(fitted.recency))


def popular(users: DataFrame, known: Statistics, recipe: PopularityRecipe) -> SameForAll:
    """The baseline, to be judged."""
    scores = known.item_users.astype(np.float32) * recency_factors(known, recipe.recency_strength)
    return SameForAll(users.sparkSession.sparkContext.broadcast(scores))


def recency_factors(known: Statistics, strength: float) -> NDArray[np.float32]:
    """As `recency.factors` has them: float32 [n_items]."""
    return recency.factors(
        recent_users=known.recent_users, all_users=known.item_users.astype(np.float32), strength=strength
    )
