"""Models and a split in, the rows of tables out: figures with 95 % intervals, and the time of the fit.

A `Heading` begins a table, and the rows up to the next one are its own. Each comes as soon as it is known, as Markdown
or as JSON.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from trainer.choosing import baskets, blending, judging, new_items, selection
from trainer.choosing import recipe as recipes
from trainer.choosing.baskets import JudgedBaskets, OfWindow
from trainer.choosing.blending import Blend
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.fits import KeptFits
from trainer.choosing.gate import METRIC, Judged, with_interval
from trainer.choosing.new_items import ORDERS, Facts, JudgedNewItems
from trainer.choosing.recipe import AgedRecipe, PopularityRecipe, Recipe
from trainer.choosing.selection import Choice
from trainer.evaluation import basket_completion, bootstrap, sample
from trainer.evaluation.bootstrap import Interval
from trainer.evaluation.full_ranking import evaluate
from trainer.evaluation.split import Split
from trainer.evaluation.windows import newest_enough
from trainer.models import baselines, item_knn
from trainer.models.embeddings import Scorer
from trainer.settings import Settings

METRICS: Final = ("recall@20", "ndcg@20", "recall@10", "ndcg@10")
HEADER: Final = (
    "| model | dim | Recall@20 | NDCG@20 | Recall@10 | NDCG@10 | fit | settings |\n|---|---|---|---|---|---|---|---|"
)
NEW_ITEMS_HEADER: Final = (
    f"| window from | new items | users | {' | '.join(ORDERS)} | length | all items, minus today's lists | live |\n"
    f"|{'---|' * (len(ORDERS) + 6)}"
)
BASKETS_HEADER: Final = (
    f"| window from | baskets | people | {' | '.join(baskets.LISTS)} | bought together over similar items |\n"
    f"|{'---|' * (len(baskets.LISTS) + 4)}"
)

_SHOWN_STRENGTHS: Final = (0.0, 1.0)  # of recency; all that are tried count for the choice


@dataclass(frozen=True)
class Row:
    """One model on one split."""

    name: str
    dim: int | None  # none for a model without vectors
    fit_s: float
    evaluation: Judged
    settings: str = ""  # the hyper-parameters that its recipe names

    def intervals(self) -> dict[str, Interval]:
        """Of `METRICS`, by bootstrap over users."""
        return bootstrap.intervals({metric: self.evaluation.per_user[metric] for metric in METRICS})

    def line(self) -> str:
        """The row as Markdown."""
        figures = " | ".join(found.told() for found in self.intervals().values())
        return f"| {self.name} | {self.dim or '–'} | {figures} | {self.fit_s:.0f} s | {self.settings} |"

    def as_json(self) -> dict[str, Any]:
        """The row for a program."""
        return {
            "model": self.name,
            "dim": self.dim,
            "fit_s": round(self.fit_s, 3),
            "settings": self.settings,
            "metrics": {metric: asdict(found) for metric, found in self.intervals().items()},
        }


@dataclass(frozen=True)
class NewItemsRow:
    """What the map from facts to embeddings does on one window: of its new items by each order, and of all lists."""

    cut: datetime
    judged: JudgedNewItems

    def line(self) -> str:
        """The row as Markdown."""
        of = self.judged
        recalls = (found.told() for found in of.intervals().values())
        change = f"{with_interval(of.change)}, {of.share:.1%} of the places"
        return (
            f"| {self.cut:%Y-%m-%d} | {of.items} | {of.users} | {' | '.join(recalls)} | "
            f"× {of.scale:g} | {change} | "
            f"{'yes' if of.wins else 'no'} |"
        )

    def as_json(self) -> dict[str, Any]:
        """The row for a program."""
        return {
            "from": self.cut.isoformat(),
            "new_items": self.judged.items,
            f"recall@{new_items.K}": {order: asdict(found) for order, found in self.judged.intervals().items()},
            "scale": self.judged.scale,
            "change_of_all": asdict(self.judged.change),
            "share_of_places": self.judged.share,
            "wins": self.judged.wins,
        }


@dataclass(frozen=True)
class BasketsRow:
    """What is bought together in one window: recall of the rest of a basket, by each list for one of its items."""

    judged: JudgedBaskets

    def line(self) -> str:
        """The row as Markdown."""
        of, found = self.judged, self.judged.intervals()
        recalls = (found[name].told() if name in found else "–" for name in baskets.LISTS)
        return f"| {of.cut:%Y-%m-%d} | {of.baskets} | {of.buyers} | {' | '.join(recalls)} | {with_interval(of.gain)} |"

    def as_json(self) -> dict[str, Any]:
        """The row for a program."""
        return {
            "from": self.judged.cut.isoformat(),
            "baskets": self.judged.baskets,
            "counted": self.judged.counted,
            f"recall@{basket_completion.K}": {name: asdict(one) for name, one in self.judged.intervals().items()},
            "gain": asdict(self.judged.gain),
        }


@dataclass(frozen=True)
class Heading:
    """What the rows after it are of."""

    text: str
    # all models; what `train` would have chosen; popular items instead; items that the window brought; its baskets
    of: Literal["window", "choice", "stand_in", "new_items", "bought_together"]
    users: int  # who judged the rows; of a choice, who chose
    facts: dict[str, Any] = field(default_factory=dict)
    head: str = HEADER

    def line(self) -> str:
        """The heading, and the head of its table, as Markdown."""
        return f"\n{self.text}\n\n{self.head}"

    def as_json(self) -> dict[str, Any]:
        """A table for a program, without rows yet."""
        return {"of": self.of, "text": self.text, "users": self.users, **self.facts, "rows": []}


Told = Heading | Row | NewItemsRow | BasketsRow


def as_json(told: Iterable[Told]) -> list[dict[str, Any]]:
    """The tables, each with its rows."""
    tables: list[dict[str, Any]] = []
    for one in told:
        if isinstance(one, Heading):
            tables.append(one.as_json())
        else:
            tables[-1]["rows"].append(one.as_json())
    return tables


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


def of_recipe(recipe: Recipe, window: Split, *, recent_days: float, seed: int = 0, fits: KeptFits | None = None) -> Row:
    """A recipe fitted on what was known before the window; `fits` may have its model."""
    return _row(recipe, Blend(), window, fits=fits or KeptFits(seed), recent_days=recent_days)


def served(choice: Choice, window: Split, *, recent_days: float, fits: KeptFits) -> Row:
    """The lists that would be served of a choice, fitted on what was known before the window."""
    return _row(choice.recipe, choice.blend.blend, window, fits=fits, recent_days=recent_days)


def _row(recipe: Recipe, blend: Blend, window: Split, *, fits: KeptFits, recent_days: float) -> Row:
    fitted, train = fits.of(recipe, window), window.train
    personal = recipes.with_age_and_recency(recipe, fitted, train, recent_days=recent_days)
    scorer = blending.scorer(personal, train, blend, recent_days=recent_days)
    beside = ["recency"] if recipe.recency_strength else []
    beside += [] if blend.info.weights.is_personal_only else ["blend"]
    beside += ["learned ranker"] if blend.ranker else []
    return Row(
        name=" × ".join([recipe.model, *beside]),
        dim=None if isinstance(recipe, PopularityRecipe) else recipe.settings.dim,
        fit_s=fits.seconds(recipe, window),
        evaluation=evaluate(scorer, window, ks=(10, 20)),
        settings=", ".join([*settings_of(recipe), *_weights_of(blend)]),
    )


def settings_of(recipe: Recipe) -> list[str]:
    """The hyper-parameters that a recipe names, for a row."""
    named = (
        {} if isinstance(recipe, PopularityRecipe) else recipe.settings.model_dump(exclude_unset=True, exclude={"dim"})
    )
    if recipe.recency_strength:
        named["recency"] = recipe.recency_strength
    if isinstance(recipe, AgedRecipe):
        named |= recipe.age.model_dump(exclude_defaults=True)
    return [f"{name} {value:g}" for name, value in named.items()]


def _weights_of(blend: Blend) -> list[str]:
    if blend.info.weights.is_personal_only:
        return []
    weights = asdict(blend.info.weights)
    counted = blend.transitions.counted.replace("_", " ") if blend.transitions else ""
    names = {"transitions": f"transitions ({counted})", "recency": "newness"}
    return [f"{names.get(name, name)} × {weight:g}" for name, weight in weights.items() if weight or name == "personal"]


def tables(
    windows: Sequence[Split],
    recipe: Recipe | None,
    *,
    choose_by: Sequence[Split] = (),
    facts: Facts | None = None,
    of_baskets: Mapping[datetime, OfWindow] | None = None,
    settings: Settings,
) -> Iterator[Told]:
    """A table for each window: the baselines, and the recipe; none: every default recipe.

    Of the default recipes also what `train` would have chosen by the windows before, where there are some. And, of what
    was given or chosen, how it does on items that the window brought, and beside what is bought together.

    Args:
        facts: of the shop's items; none: new ones are not judged.
        of_baskets: what is bought together, by the window's beginning.
        choose_by: those that `train` chooses by before it judges on the newest; none: as of the other windows.
    """
    compared = sample.to_compare(windows, settings=settings)
    whole = dict(zip(map(id, windows), compared, strict=True))
    by = [whole.get(id(one)) or sample.to_compare([one, one], settings=settings)[0] for one in choose_by]
    headings = [
        heading(one)
        if one is of_all
        else heading(one, f"users with about {sample.COMPARED_PAIRS:,} pairs, as `train` has them")
        for one, of_all in zip(compared, windows, strict=True)
    ]
    of_baskets = of_baskets or {}
    if recipe is None:
        yield from _of_defaults(compared, headings, by, facts, of_baskets, settings=settings)
        return
    for window, begun in zip(compared, headings, strict=True):
        fits = KeptFits(settings.seed)
        yield begun
        yield from of_baselines(window, recent_days=settings.recent_days)
        yield of_recipe(recipe, window, recent_days=settings.recent_days, fits=fits)
        yield from _first_days(recipe, Blend(), window, facts, fits=fits, settings=settings)
        yield from _bought_together(recipe, window, of_baskets, fits=fits, settings=settings)


def _of_defaults(
    windows: Sequence[Split],
    headings: Sequence[Heading],
    choose_by: Sequence[Split],
    facts: Facts | None,
    of_baskets: Mapping[datetime, OfWindow],
    *,
    settings: Settings,
) -> Iterator[Told]:
    """Each recipe is fitted once a window: later windows choose by the same models, as `train` chooses."""
    to_try = default_recipes(windows[-1].train)
    fits = KeptFits(settings.seed)
    for number, window in enumerate(windows):
        is_newest = number + 1 == len(windows)
        by = choose_by if is_newest and choose_by else newest_enough(windows[:number])
        choice = selection.choose(None, by, to_try, settings=settings, fit=fits.of) if by else None
        fits.keep_only([*newest_enough(windows[: number + 1]), *choose_by])
        yield headings[number]
        yield from of_baselines(window, recent_days=settings.recent_days)
        of_choice: list[Row] = []
        beside: list[Told] = []
        for one in to_try:
            yield from _shown(one, window, fits=fits, settings=settings)
            if choice and recipes.without_recency_and_age(choice.recipe) == one:
                of_choice.append(served(choice, window, recent_days=settings.recent_days, fits=fits))
                beside += _first_days(choice.recipe, choice.blend.blend, window, facts, fits=fits, settings=settings)
                beside += _bought_together(choice.recipe, window, of_baskets, fits=fits, settings=settings)
            if is_newest:
                fits.keep_only([])
        if choice:
            yield from _chosen(choice, of_choice[0], by, window, settings=settings)
            yield from beside


def _shown(recipe: Recipe, window: Split, *, fits: KeptFits, settings: Settings) -> list[Row]:
    """The rows of a default recipe: with recency and without, where events have times."""
    strengths = _SHOWN_STRENGTHS if window.cut else _SHOWN_STRENGTHS[:1]
    of_one = [each for each in selection.with_strengths(recipe) if each.recency_strength in strengths]
    return [of_recipe(each, window, recent_days=settings.recent_days, fits=fits) for each in of_one]


def _chosen(choice: Choice, row: Row, by: Sequence[Split], window: Split, *, settings: Settings) -> Iterator[Told]:
    """What `train` would have chosen, and what it would have published instead where that is no better."""
    users = sum(each.judged_users for each in by)
    how = "before" if by[-1].cut else "whose items were held out of train at random"
    recipe = choice.recipe.model_dump(mode="json")
    yield Heading(f"`train` would have chosen, by {users:,} users {how}:", "choice", users, {"recipe": recipe})
    yield row
    popular = of_recipe(choice.baseline, window, recent_days=settings.recent_days, seed=settings.seed)
    gain = judging.gain_over_popular(row.evaluation, popular.evaluation, seed=settings.seed)
    if gain.low <= 0:
        yield Heading(
            f"It is not better than popular items beyond noise ({METRIC} {with_interval(gain)}): where no personal "
            "version is live, these would be the model:",
            "stand_in",
            window.judged_users,
            {"gain": asdict(gain)},
        )
        yield popular


def _first_days(
    recipe: Recipe, blend: Blend, window: Split, facts: Facts | None, *, fits: KeptFits, settings: Settings
) -> Iterator[Told]:
    """The table of items that a window brought, where it brought some."""
    if facts is None or window.cut is None:
        return
    fitted = recipes.with_age_and_recency(
        recipe, fits.of(recipe, window), window.train, recent_days=settings.recent_days
    )
    found = new_items.judge(fitted, window, facts, blend, settings=settings)
    if found is not None:
        yield Heading(
            f"Items that nobody had taken up before, Recall@{new_items.K} of them alone:",
            "new_items",
            found.users,
            head=NEW_ITEMS_HEADER,
        )
        yield NewItemsRow(window.cut, found)


def _bought_together(
    recipe: Recipe, window: Split, of_baskets: Mapping[datetime, OfWindow], *, fits: KeptFits, settings: Settings
) -> Iterator[Told]:
    """The table of a window's baskets, where some were held out."""
    found = of_baskets.get(window.cut) if window.cut else None
    if found is None:
        return
    embeddings = None if isinstance(recipe, PopularityRecipe) else fits.of(recipe, window).item
    judged = baskets.judge(found, embeddings, seed=settings.seed)
    yield Heading(
        f"Of a basket one item is given, Recall@{basket_completion.K} of the others by the list for it:",
        "bought_together",
        judged.buyers,
        head=BASKETS_HEADER,
    )
    yield BasketsRow(judged)


def heading(window: Split, *notes: str) -> Heading:
    """Of a window's table: what it tests, and by how many users."""
    users, items = len(window.train.user_ids), len(window.train.item_ids)
    tested = (
        f"{window.test.nnz:,} test pairs, {users:,} users × {items:,} items, judged by {window.judged_users:,} users"
    )
    text = f"from {window.cut:%Y-%m-%d %H:%M} UTC: {tested}" if window.cut else tested
    facts = {
        "from": window.cut.isoformat() if window.cut else None,
        "test_pairs": window.test.nnz,
        "train_users": users,
        "train_items": items,
    }
    return Heading("; ".join([text, *notes]), "window", window.judged_users, facts)
