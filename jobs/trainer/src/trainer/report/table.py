"""Models and a split in, the lines of a Markdown table out: figures with 95 % intervals, and the time of the fit."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from trainer.choosing import recipe as recipes
from trainer.choosing import selection
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.recipe import PopularityRecipe, Recipe
from trainer.evaluation import bootstrap
from trainer.evaluation.full_ranking import Evaluation, evaluate
from trainer.evaluation.split import Split
from trainer.models import baselines, item_knn
from trainer.models.embeddings import Scorer
from trainer.settings import Settings

METRICS: Final = ("recall@20", "ndcg@20", "recall@10", "ndcg@10")
HEADER: Final = (
    "| model | dim | Recall@20 | NDCG@20 | Recall@10 | NDCG@10 | fit | settings |\n|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Row:
    """One model on one split."""

    name: str
    dim: int | None  # none for a model without vectors
    fit_s: float
    evaluation: Evaluation
    settings: str = ""  # the hyper-parameters that its recipe names

    def line(self) -> str:
        """The row as Markdown, intervals by bootstrap over users."""
        intervals = bootstrap.intervals({metric: self.evaluation.per_user[metric] for metric in METRICS})
        figures = " | ".join(f"{i.value:.4f} [{i.low:.4f}, {i.high:.4f}]" for i in intervals.values())
        return f"| {self.name} | {self.dim or '–'} | {figures} | {self.fit_s:.0f} s | {self.settings} |"


def judged(name: str, dim: int | None, window: Split, fit: Callable[[], Scorer], *, settings: str = "") -> Row:
    """Fit and evaluate one model."""
    started = time.perf_counter()
    scorer = fit()
    fit_s = time.perf_counter() - started
    return Row(name, dim, fit_s, evaluate(scorer, window, ks=(10, 20)), settings)


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

    dim = None if isinstance(recipe, PopularityRecipe) else recipe.settings.dim
    return judged(name, dim, window, fit, settings=_settings_of(recipe))


def _settings_of(recipe: Recipe) -> str:
    named = (
        {} if isinstance(recipe, PopularityRecipe) else recipe.settings.model_dump(exclude_unset=True, exclude={"dim"})
    )
    if recipe.recency_strength:
        named["recency"] = recipe.recency_strength
    return ", ".join(f"{name} {value:g}" for name, value in named.items())


def lines(windows: Sequence[Split], recipe: Recipe | None, *, settings: Settings) -> Iterator[str]:
    """A table for each window; and what `train` would have chosen by the window before it, where there is one."""
    for before, window in zip([None, *windows], windows, strict=False):
        yield f"\n{described(window)}\n\n{HEADER}"
        for row in rows(window, recipe, settings=settings):
            yield row.line()
        if recipe is None and before is not None:
            chosen, _ = selection.best_of(default_recipes(before.train), before, settings=settings)
            row = of_recipe(chosen, window, recent_days=settings.recent_days, seed=settings.seed)
            yield f"\n`train` would have chosen, by the window before this one:\n\n{HEADER}\n{row.line()}"


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
