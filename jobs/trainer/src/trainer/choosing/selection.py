"""Recipes and validation windows in; what the run trains and serves by out: the best recipe there, and its blend."""

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact.manifest import AgeInfo
from recsys.errors import InvalidArgumentError
from trainer.choosing import blending
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import NO_BLEND, ChosenBlend
from trainer.choosing.fits import Fit, fresh
from trainer.choosing.gate import METRIC
from trainer.choosing.learning import Candidates
from trainer.choosing.recipe import AgedRecipe, LightGCNRecipe, PopularityRecipe, Recipe, SASRecRecipe
from trainer.evaluation import metrics, ranking
from trainer.evaluation.exposures import Shown
from trainer.evaluation.full_ranking import find_hits, judged_users
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.models.epochs import Epoch
from trainer.progress import step
from trainer.ranker.training import Learned
from trainer.settings import Settings

_log = logging.getLogger(__name__)

_K: Final = 20  # recipes are compared by NDCG at this length
_STANDARD_ERRORS: Final = 1.5  # of the paired difference, by which a riskier recipe must be better than a safer one

# By time and by step, the mildest first; how much each is worth where: docs/evaluation.md
AGES: Final = (
    AgeInfo(half_life_days=90),
    AgeInfo(half_life_days=30),
    AgeInfo(step_decay=0.8),
    AgeInfo(step_decay=0.6),
    AgeInfo(step_decay=0.4),
)


@dataclass(frozen=True)
class Choice:
    """What a run goes by."""

    recipe: Recipe
    blend: ChosenBlend = NO_BLEND
    ranker: Learned | None = None  # of the newest window, not judged yet; none: too little to learn from
    baseline: PopularityRecipe = field(
        default_factory=PopularityRecipe
    )  # what goes live where the recipe turns out to be no better
    curve: Sequence[Epoch] = ()  # LightGCN's on the validation window; empty for other models
    users: int = 0  # whose items the recipe was chosen by, a user counted once a window; 0: it was not chosen


@dataclass(frozen=True)
class Tried:
    """A recipe with its strength of recency, and what it was worth."""

    recipe: Recipe
    ndcg: NDArray[np.float64]  # [users of all windows, one window after the other]

    def is_better_than(self, safer: "Tried") -> bool:
        """Whether the same users' figures are better by more than the difference varies by chance."""
        gain = self.ndcg - safer.ndcg
        if len(gain) < 2:
            return False
        standard_error = float(gain.std(ddof=1)) / math.sqrt(len(gain))
        return bool(gain.mean() > _STANDARD_ERRORS * standard_error)


def choose(
    given: Recipe | None,
    windows: Sequence[Split],
    to_try: Sequence[Recipe],
    *,
    settings: Settings,
    fit: Fit | None = None,
    catalogue: pl.DataFrame | None = None,
    shown: Shown | None = None,
) -> Choice:
    """The given recipe, or the best of `to_try` on the validation windows; and the blend that is best on the newest.

    Of LightGCN the newest window also tells how many epochs are enough. Without a window the first is as good as
    any, and the personal score ranks alone.

    Args:
        fit: gives models without recency and age, where a caller has some fitted already; none: each is fitted here.
        catalogue: of the items on their first day, which a ranker that learns knows tastes by; none: it knows none.
        shown: lists of the newest window, which such a ranker learns from too; none: there is no log.
    """
    if not windows:
        return Choice(given or to_try[0])
    if isinstance(given, PopularityRecipe):
        return Choice(given, baseline=given)
    newest = windows[-1]
    fit = fit or fresh(settings.seed)
    strength = best_of([PopularityRecipe()], windows, settings=settings)[0].recipe.recency_strength
    recipe: Recipe | None = given
    users = 0
    curve: list[Epoch] = []
    if isinstance(recipe, LightGCNRecipe):
        recipe, curve, fitted = stop_early(recipe, newest, settings=settings)
    elif recipe is None:
        winner, fitted = best_by_order_too(to_try, windows, settings=settings, fit=fit)
        recipe, users = winner.recipe, len(winner.ndcg)
    else:
        fitted = fit(recipe, newest)
    with step("choose a blend"):
        blend = blending.choose(recipe, fitted, newest, settings=settings)
    ranker = None
    if settings.learned_ranker:
        with step("learn a ranker"):
            ranker = Candidates(recipe, fitted, newest, blend.blend, settings, catalogue).learn(shown)
    return Choice(recipe, blend, ranker, PopularityRecipe(recency_strength=strength), curve, users)


def best_by_order_too(
    to_try: Sequence[Recipe], windows: Sequence[Split], *, settings: Settings, fit: Fit | None = None
) -> tuple[Tried, Embeddings]:
    """The best recipe with its age of histories, as `best_of`; of sequences where an age is better than none.

    Models of sequences take minutes, and where the newest items say no more than the older ones they learn nothing.
    """
    of_sequences = [one for one in to_try if isinstance(one, SASRecRecipe)]
    others = [one for one in to_try if one not in of_sequences]
    winner, fitted = best_of(others, windows, settings=settings, fit=fit)
    aged = with_best_age(winner, windows, newest=fitted, settings=settings, fit=fit)
    if aged.recipe == winner.recipe:
        return winner, fitted
    leader = aged, fitted
    for one in of_sequences:
        challengers, model = try_on(one, windows, settings=settings, fit=fit)
        best_yet = best([leader[0], *challengers])
        if best_yet is not leader[0]:
            leader = best_yet, model
    return leader


def best_of(
    to_try: Iterable[Recipe], windows: Sequence[Split], *, settings: Settings, fit: Fit | None = None
) -> tuple[Tried, Embeddings]:
    """The recipe and the strength of recency that do `best`, and its model, fitted on what was known before the newest.

    The model is without recency.

    Raises:
        InvalidArgumentError: there is no recipe.
    """
    leader: tuple[Tried, Embeddings] | None = None
    for one in to_try:
        challengers, fitted = try_on(one, windows, settings=settings, fit=fit)
        winner = best(challengers if leader is None else [leader[0], *challengers])
        if leader is None or winner is not leader[0]:
            leader = winner, fitted
    if leader is None:
        raise InvalidArgumentError("expected recipes to compare, found none")
    return leader


def try_on(
    recipe: Recipe, windows: Sequence[Split], *, settings: Settings, fit: Fit | None = None
) -> tuple[list[Tried], Embeddings]:
    """The recipe with each strength of recency on all windows, and its model of the newest, without recency."""
    fit = fit or fresh(settings.seed)
    by_window = []
    for window in windows:
        started = time.perf_counter()
        with step(f"try {recipes.described(recipe)}: fit"):
            fitted = fit(recipe, window)
        fit_s = time.perf_counter() - started
        with step(f"try {recipes.described(recipe)}: compare"):
            by_window.append(tried(with_strengths(recipe), fitted, window, settings=settings))
    found = together(by_window)
    best_of_all = max(found, key=lambda one: float(one.ndcg.mean()))
    told = {"recipe": best_of_all.recipe.model_dump(), METRIC: float(best_of_all.ndcg.mean()), "fit_s": fit_s}
    _log.info("recipe tried", extra=told)
    return found, fitted


def with_best_age(
    of: Tried, windows: Sequence[Split], *, newest: Embeddings | None = None, settings: Settings, fit: Fit | None = None
) -> Tried:
    """The recipe with the age of histories that does `best` on the windows: as it is, unless another is better.

    Asked once, of a recipe that was tried already: each age solves the users of a window once more.

    Args:
        of: the recipe as it is, and its figures on these windows.
        newest: its model of the newest window, without recency and age, where it is at hand; the others are fitted.
    """
    ages = with_ages(of.recipe)
    if not ages:
        return of
    fit = fit or fresh(settings.seed)
    by_window = []
    for window in windows:
        with step(f"try ages of {recipes.described(of.recipe)}"):
            fitted = newest if newest is not None and window is windows[-1] else fit(of.recipe, window)
            by_window.append([one for age in ages for one in tried([age], fitted, window, settings=settings)])
    found = best([of, *together(by_window)])
    _log.info("ages tried", extra={"recipe": found.recipe.model_dump(), METRIC: float(found.ndcg.mean())})
    return found


def best(of: Sequence[Tried]) -> Tried:
    """The safest comes first: each later one must be better than the best before it by more than chance."""
    leader = of[0]
    for challenger in of[1:]:
        if challenger.is_better_than(leader):
            leader = challenger
    return leader


def tried(strengths: Sequence[Recipe], fitted: Embeddings, window: Split, *, settings: Settings) -> list[Tried]:
    """One model with several strengths of recency: a fit and its scores cost seconds, and a strength hardly anything.

    Args:
        strengths: recipes that differ in nothing else.
        fitted: without recency and age.
    """
    train = window.train
    users = judged_users(window, max_users=settings.selection_users, seed=settings.seed)
    strong = [one.recency_strength for one in strengths]
    factors = [recipes.recency_factors(train, one, recent_days=settings.recent_days) if one else None for one in strong]
    aged = recipes.with_age(strengths[0], fitted, train, rows=users)
    ranked = ranking.top_unseen_scaled(aged, factors, seen=train.weights, user_rows=users, k=_K)
    test = window.test[users]
    relevant = np.diff(test.indptr) + window.test_unknown_items[users]
    figures = (metrics.ndcg(find_hits(each, test), relevant, _K) for each in ranked)
    return [Tried(each, ndcg) for each, ndcg in zip(strengths, figures, strict=True)]


def together(by_window: Sequence[Sequence[Tried]]) -> list[Tried]:
    """What was tried on several windows, in the same order on each, as if on one."""
    figures = zip(*by_window, strict=True)
    return [Tried(of_one[0].recipe, np.concatenate([each.ndcg for each in of_one])) for of_one in figures]


def with_strengths(recipe: Recipe) -> list[Recipe]:
    """The recipe with each strength of recency that is tried."""
    return [recipe.model_copy(update={"recency_strength": strength}) for strength in (0.0, 0.5, 1.0, 1.5)]


def with_ages(recipe: Recipe) -> list[Recipe]:
    """The recipe with each age of histories that is tried, the mildest first; none of a model that knows no age."""
    if not isinstance(recipe, AgedRecipe):
        return []
    return [recipe.model_copy(update={"age": age}) for age in AGES]


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
        validate=lambda fitted: float(tried([recipe], fitted, window, settings=settings)[0].ndcg.mean()),
        on_epoch=tell,
    )
    scored = [epoch for epoch in curve if epoch.score is not None]
    best = max(scored, key=lambda epoch: epoch.score or 0.0)
    stopped = recipe.settings.model_copy(update={"epochs": best.number})
    return recipe.model_copy(update={"settings": stopped}), curve, fitted
