"""Recipes and a validation window in; what the run trains and serves by out: the best recipe there, and its blend."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from recsys.artifact.manifest import BlendInfo
from recsys.errors import InvalidArgumentError
from trainer.choosing import blending
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import ChosenBlend
from trainer.choosing.gate import METRIC
from trainer.choosing.recipe import LightGCNRecipe, PopularityRecipe, Recipe
from trainer.evaluation.full_ranking import evaluate
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.models.lightgcn_training import Epoch
from trainer.settings import Settings

_log = logging.getLogger(__name__)

RECENCY_STRENGTHS: Final = (0.0, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Trial:
    """What a recipe was worth on the validation window."""

    recipe: Recipe
    score: float
    fit_s: float  # of the model, on the part of the data before the window


@dataclass(frozen=True)
class Compared:
    """All trials, best first, and the model of the best as it was fitted for them, without recency."""

    trials: list[Trial]
    fitted: Embeddings


@dataclass(frozen=True)
class Choice:
    """What a run goes by."""

    recipe: Recipe
    blend: ChosenBlend
    baseline: PopularityRecipe  # what goes live where the recipe turns out to be no better
    curve: list[Epoch]  # LightGCN's on the validation window; empty for other models


def choose(given: Recipe | None, window: Split | None, to_try: Sequence[Recipe], *, settings: Settings) -> Choice:
    """The given recipe, or the best of `to_try` on the validation window; and the blend that is best there.

    Of LightGCN the window also tells how many epochs are enough. Without a window the first is as good as
    any, and the personal score ranks alone.
    """
    if window is None:
        return Choice(given or to_try[0], ChosenBlend(BlendInfo(), None), PopularityRecipe(), [])
    strengths = compare(window, [PopularityRecipe()], settings=settings).trials
    baseline = PopularityRecipe(recency_strength=strengths[0].recipe.recency_strength)
    recipe = given
    curve: list[Epoch] = []
    if isinstance(recipe, PopularityRecipe):
        return Choice(recipe, ChosenBlend(BlendInfo(), None), recipe, [])
    if isinstance(recipe, LightGCNRecipe):
        recipe, curve, fitted = stop_early(recipe, window, settings=settings)
    elif recipe is None:
        compared = compare(window, to_try, settings=settings)
        recipe, fitted = compared.trials[0].recipe, compared.fitted
    else:
        fitted = recipes.fit_model(recipe, window.train, seed=settings.seed)
    return Choice(recipe, blending.choose(recipe, fitted, window, settings=settings), baseline, curve)


def compare(
    window: Split,
    to_try: Iterable[Recipe],
    *,
    strengths: Sequence[float] = RECENCY_STRENGTHS,
    settings: Settings,
) -> Compared:
    """Fit every recipe on what was known before the window and judge it there with every strength of recency.

    A fit costs seconds and a strength costs none, so all strengths are tried with each fit. Best first; of equals, the
    one tried first.

    Raises:
        InvalidArgumentError: there is no recipe.
    """
    trials: list[Trial] = []
    winner: tuple[float, Embeddings] | None = None
    for untuned in to_try:
        started = time.perf_counter()
        fitted = recipes.fit_model(untuned, window.train, seed=settings.seed)
        fit_s = time.perf_counter() - started
        with_strengths = []
        for strength in strengths:
            tried = untuned.model_copy(update={"recency_strength": strength})
            with_strengths.append(Trial(tried, score(tried, fitted, window, settings=settings), fit_s))
        best = max(with_strengths, key=lambda trial: trial.score)
        _log.info("recipe tried", extra={"recipe": best.recipe.model_dump(), METRIC: best.score, "fit_s": fit_s})
        trials += with_strengths
        if winner is None or best.score > winner[0]:
            winner = best.score, fitted
    if winner is None:
        raise InvalidArgumentError("expected recipes to compare, found none")
    return Compared(sorted(trials, key=lambda trial: -trial.score), winner[1])


def stop_early(
    recipe: LightGCNRecipe, window: Split, *, settings: Settings
) -> tuple[LightGCNRecipe, list[Epoch], Embeddings]:
    """The recipe with as many epochs as were best on the validation window, the training curve, and what it fitted.

    Without a checkpoint: one that is gone on with would know only the epochs after the kill.
    """
    curve: list[Epoch] = []

    def tell(epoch: Epoch) -> None:
        curve.append(epoch)
        _log.info("epoch", extra={"epoch": epoch.number, "loss": epoch.loss, METRIC: epoch.score})

    fitted = recipes.fit_lightgcn(
        recipe,
        window.train,
        seed=settings.seed,
        validate=lambda fitted: score(recipe, fitted, window, settings=settings),
        on_epoch=tell,
    )
    scored = [epoch for epoch in curve if epoch.score is not None]
    best = max(scored, key=lambda epoch: epoch.score or 0.0)
    stopped = recipe.settings.model_copy(update={"epochs": best.number})
    return recipe.model_copy(update={"settings": stopped}), curve, fitted


def score(recipe: Recipe, fitted: Embeddings, window: Split, *, settings: Settings) -> float:
    """What a fitted model with the recipe's recency is worth on a window."""
    scaled = recipes.with_recency(fitted, window.train, recipe.recency_strength, recent_days=settings.recent_days)
    judged = evaluate(scaled, window, ks=(20,), max_users=settings.selection_users, seed=settings.seed)
    return judged.mean(METRIC)
