"""Recipes and a validation window in; what the run trains and serves by out: the best recipe there, and its blend."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from recsys.errors import InvalidArgumentError
from trainer.choosing import blending
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import NO_BLEND, ChosenBlend
from trainer.choosing.gate import METRIC
from trainer.choosing.recipe import LightGCNRecipe, PopularityRecipe, Recipe
from trainer.evaluation.full_ranking import evaluate
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.models.lightgcn_training import Epoch
from trainer.progress import step
from trainer.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """What a run goes by."""

    recipe: Recipe
    blend: ChosenBlend = NO_BLEND
    baseline: PopularityRecipe = field(
        default_factory=PopularityRecipe
    )  # what goes live where the recipe turns out to be no better
    curve: Sequence[Epoch] = ()  # LightGCN's on the validation window; empty for other models


def choose(given: Recipe | None, window: Split | None, to_try: Sequence[Recipe], *, settings: Settings) -> Choice:
    """The given recipe, or the best of `to_try` on the validation window; and the blend that is best there.

    Of LightGCN the window also tells how many epochs are enough. Without a window the first is as good as
    any, and the personal score ranks alone.
    """
    if window is None:
        return Choice(given or to_try[0])
    if isinstance(given, PopularityRecipe):
        return Choice(given, baseline=given)
    strength = best_of([PopularityRecipe()], window, settings=settings)[0].recency_strength
    recipe: Recipe | None = given
    curve: list[Epoch] = []
    if isinstance(recipe, LightGCNRecipe):
        recipe, curve, fitted = stop_early(recipe, window, settings=settings)
    elif recipe is None:
        recipe, fitted = best_of(to_try, window, settings=settings)
    else:
        fitted = recipes.fit_model(recipe, window.train, seed=settings.seed)
    with step("choose a blend"):
        blend = blending.choose(recipe, fitted, window, settings=settings)
    return Choice(recipe, blend, PopularityRecipe(recency_strength=strength), curve)


def best_of(to_try: Iterable[Recipe], window: Split, *, settings: Settings) -> tuple[Recipe, Embeddings]:
    """The recipe and the strength of recency that do best on a window, and its model, fitted on what was known before.

    A fit costs seconds and a strength costs none, so all strengths are tried with each fit. Of equals, the one tried
    first is the best. The model is without recency.

    Raises:
        InvalidArgumentError: there is no recipe.
    """
    winner: tuple[float, Recipe, Embeddings] | None = None
    for one in to_try:
        started = time.perf_counter()
        with step(f"try {recipes.described(one)}: fit"):
            fitted = recipes.fit_model(one, window.train, seed=settings.seed)
        fit_s = time.perf_counter() - started
        with step(f"try {recipes.described(one)}: compare"):
            scores = {tried: score(tried, fitted, window, settings=settings) for tried in with_strengths(one)}
        best = max(scores, key=scores.__getitem__)
        _log.info("recipe tried", extra={"recipe": best.model_dump(), METRIC: scores[best], "fit_s": fit_s})
        if winner is None or scores[best] > winner[0]:
            winner = scores[best], best, fitted
    if winner is None:
        raise InvalidArgumentError("expected recipes to compare, found none")
    return winner[1:]


def with_strengths(recipe: Recipe) -> list[Recipe]:
    """The recipe with each strength of recency that is tried."""
    return [recipe.model_copy(update={"recency_strength": strength}) for strength in (0.0, 0.5, 1.0, 1.5)]


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
