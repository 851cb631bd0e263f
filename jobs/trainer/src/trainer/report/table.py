"""Models and a split in, the lines of a Markdown table out: figures with 95 % intervals, and the time of the fit."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from trainer.choosing import recipe as recipes
from trainer.choosing import selection
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.recipe import AgedRecipe, PopularityRecipe, Recipe
from trainer.choosing.selection import Tried
from trainer.evaluation import bootstrap, sample
from trainer.evaluation.full_ranking import Evaluation, evaluate
from trainer.evaluation.split import Split
from trainer.evaluation.windows import newest_enough
from trainer.models import baselines, item_knn
from trainer.models.embeddings import Embeddings, Scorer
from trainer.settings import Settings

METRICS: Final = ("recall@20", "ndcg@20", "recall@10", "ndcg@10")
HEADER: Final = (
    "| model | dim | Recall@20 | NDCG@20 | Recall@10 | NDCG@10 | fit | settings |\n|---|---|---|---|---|---|---|---|"
)

_SHOWN_STRENGTHS: Final = (0.0, 1.0)  # of recency; all that are tried count for the choice


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
    [row], _ = of_strengths([recipe], window, recent_days=recent_days, seed=seed)
    return row


def of_strengths(
    of_one: Sequence[Recipe], window: Split, *, recent_days: float, seed: int = 0
) -> tuple[list[Row], Embeddings]:
    """Recipes that differ in their strength of recency alone: one fit, and its model without recency."""
    started = time.perf_counter()
    fitted = recipes.fit_model(of_one[0], window.train, seed=seed)
    fit_s = time.perf_counter() - started
    return [_scaled(one, fitted, window, fit_s=fit_s, recent_days=recent_days) for one in of_one], fitted


def _scaled(recipe: Recipe, fitted: Embeddings, window: Split, *, fit_s: float, recent_days: float) -> Row:
    aged = recipes.with_age(recipe, fitted, window.train)
    scorer = recipes.with_recency(aged, window.train, recipe.recency_strength, recent_days=recent_days)
    name = f"{recipe.model} × recency" if recipe.recency_strength else recipe.model
    dim = None if isinstance(recipe, PopularityRecipe) else recipe.settings.dim
    return Row(name, dim, fit_s, evaluate(scorer, window, ks=(10, 20)), _settings_of(recipe))


def _settings_of(recipe: Recipe) -> str:
    named = (
        {} if isinstance(recipe, PopularityRecipe) else recipe.settings.model_dump(exclude_unset=True, exclude={"dim"})
    )
    if recipe.recency_strength:
        named["recency"] = recipe.recency_strength
    if isinstance(recipe, AgedRecipe):
        named |= recipe.age.model_dump(exclude_defaults=True)
    return ", ".join(f"{name} {value:g}" for name, value in named.items())


def lines(windows: Sequence[Split], recipe: Recipe | None, *, settings: Settings) -> Iterator[str]:
    """A table for each window: the baselines, and the recipe; none: every default recipe.

    Of the default recipes also what `train` would have chosen by the windows before, where there are some.
    """
    compared = sample.to_compare(windows, settings=settings)
    if any(one is not whole for one, whole in zip(compared, windows, strict=True)):
        yield f"\nwindows before the newest: users with about {sample.COMPARED_PAIRS:,} pairs, as `train` has them"
    if recipe is None:
        yield from _of_defaults(compared, settings=settings)
        return
    for window in compared:
        yield from _begun(window, settings=settings)
        yield of_recipe(recipe, window, recent_days=settings.recent_days, seed=settings.seed).line()


def _of_defaults(windows: Sequence[Split], *, settings: Settings) -> Iterator[str]:
    """Each recipe is fitted once a window: its figures there are also what later windows choose by."""
    to_try = default_recipes(windows[-1].train)
    tried: list[list[Tried]] = []  # a list a window, all in the same order
    for number, window in enumerate(windows):
        yield from _begun(window, settings=settings)
        by = newest_enough(windows[:number])
        chosen = selection.best(selection.together(tried[number - len(by) :])).recipe if by else None
        of_chosen = None
        tried.append([])
        for one in to_try:
            strengths = selection.with_strengths(one)
            shown = _SHOWN_STRENGTHS if window.cut else _SHOWN_STRENGTHS[:1]
            of_one = [each for each in strengths if each.recency_strength in shown or each == chosen]
            rows, fitted = of_strengths(of_one, window, recent_days=settings.recent_days, seed=settings.seed)
            yield from (row.line() for each, row in zip(of_one, rows, strict=True) if each.recency_strength in shown)
            of_chosen = next((row for each, row in zip(of_one, rows, strict=True) if each == chosen), of_chosen)
            if number + 1 < len(windows):
                tried[-1] += selection.tried(strengths, fitted, window, settings=settings)
        if of_chosen:
            judged = sum(each.judged_users for each in by)
            how = "before" if by[-1].cut else "whose items were held out of train at random"
            yield f"\n`train` would have chosen, by {judged:,} users {how}:\n\n{HEADER}\n{of_chosen.line()}"


def _begun(window: Split, *, settings: Settings) -> Iterator[str]:
    yield f"\n{described(window)}\n\n{HEADER}"
    for row in of_baselines(window, recent_days=settings.recent_days):
        yield row.line()


def described(window: Split) -> str:
    """What a window tests, and by how many users."""
    tested = (
        f"{window.test.nnz:,} test pairs, {len(window.train.user_ids):,} users × {len(window.train.item_ids):,} items, "
        f"judged by {window.judged_users:,} users"
    )
    return f"from {window.cut:%Y-%m-%d %H:%M} UTC: {tested}" if window.cut else tested
