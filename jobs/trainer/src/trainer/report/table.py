"""Models and a split in, the lines of a Markdown table out: figures with 95 % intervals, and the time of the fit."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from trainer.choosing import recipe as recipes
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.recipe import PopularityRecipe, Recipe
from trainer.evaluation import bootstrap
from trainer.evaluation.full_ranking import Evaluation, evaluate
from trainer.evaluation.split import Split
from trainer.models import baselines, item_knn
from trainer.models.embeddings import Scorer
from trainer.settings import Settings

METRICS: Final = ("recall@20", "ndcg@20")
HEADER: Final = "| model | dim | Recall@20 | NDCG@20 | fit |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Row:
    """One model on one split."""

    name: str
    dim: int | None  # none for a model without vectors
    fit_s: float
    evaluation: Evaluation

    def line(self) -> str:
        """The row as Markdown, intervals by bootstrap over users."""
        intervals = bootstrap.intervals({metric: self.evaluation.per_user[metric] for metric in METRICS})
        figures = " | ".join(f"{i.value:.4f} [{i.low:.4f}, {i.high:.4f}]" for i in intervals.values())
        return f"| {self.name} | {self.dim or '–'} | {figures} | {self.fit_s:.0f} s |"


def judged(name: str, dim: int | None, window: Split, fit: Callable[[], Scorer]) -> Row:
    """Fit and evaluate one model."""
    started = time.perf_counter()
    scorer = fit()
    fit_s = time.perf_counter() - started
    return Row(name, dim, fit_s, evaluate(scorer, window, ks=(20,)))


def of_baselines(window: Split, *, recent_days: float) -> Iterator[Row]:
    """What every personal model must beat. Without times there is no recent popularity."""
    train = window.train
    yield judged("popularity", None, window, lambda: baselines.fit(train))
    if window.cut is not None:
        recent = train.recent_users(recipes.recent_since(train, recent_days))
        yield judged(
            "recent popularity", None, window, lambda: baselines.popularity(recent, n_users=len(train.user_ids))
        )
    yield judged("item-kNN", None, window, lambda: item_knn.fit(train))


def of_recipe(recipe: Recipe, window: Split, *, recent_days: float, seed: int = 0) -> Row:
    """A recipe fitted on what was known before the window."""
    name = f"{recipe.model} × recency" if recipe.recency_strength else recipe.model

    def fit() -> Scorer:
        return recipes.fit(recipe, window.train, recent_days=recent_days, seed=seed)

    return judged(name, None if isinstance(recipe, PopularityRecipe) else recipe.settings.dim, window, fit)


def rows(window: Split, recipe: Recipe | None, *, settings: Settings) -> Iterator[Row]:
    """The baselines and the recipe; none: every default recipe, without recency and with it where there are times."""
    yield from of_baselines(window, recent_days=settings.recent_days)
    judged_recipes = [recipe] if recipe else default_recipes(window.train)
    if recipe is None and window.cut is not None:
        judged_recipes += [one.model_copy(update={"recency_strength": 1.0}) for one in judged_recipes]
    for one in judged_recipes:
        yield of_recipe(one, window, recent_days=settings.recent_days, seed=settings.seed)


def described(window: Split) -> str:
    """What a window tests, and by how many users."""
    tested = (
        f"{window.test.nnz:,} test pairs, {len(window.train.user_ids):,} users × {len(window.train.item_ids):,} items, "
        f"judged by {window.judged_users:,} users"
    )
    return f"from {window.cut:%Y-%m-%d %H:%M} UTC: {tested}" if window.cut else tested
