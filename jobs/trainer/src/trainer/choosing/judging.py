"""A recipe and a held-out window in, how it does there beside what it is compared with."""

import logging
import time
from dataclasses import dataclass, replace
from functools import partial

from recsys.artifact.manifest import Manifest
from recsys.errors import DataError
from trainer.choosing import blending, new_items
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend
from trainer.choosing.gate import METRIC, Judged, Verdict, decide, with_interval
from trainer.choosing.new_items import Facts, JudgedNewItems
from trainer.choosing.recipe import PopularityRecipe, Recipe
from trainer.evaluation import exposures
from trainer.evaluation.bootstrap import PairedDifference, paired
from trainer.evaluation.exposures import OffPolicy, Shown
from trainer.evaluation.full_ranking import Evaluation, evaluate
from trainer.evaluation.split import Split
from trainer.evaluation.windows import ENOUGH_USERS
from trainer.models import baselines, item_knn
from trainer.models.embeddings import Embeddings, Scorer
from trainer.progress import step
from trainer.ranker.training import Learned
from trainer.settings import Settings

_log = logging.getLogger(__name__)

KS = (10, 20, 50)


@dataclass(frozen=True)
class JudgedRanker:
    """A ranker that learned, beside the blend that it was to better. It ranks only where it did."""

    evaluation: Evaluation  # of lists by the ranker
    blend: Evaluation  # of lists by the blend
    gain: PairedDifference  # in METRIC

    @property
    def wins(self) -> bool:
        """Whether it is better by more than noise."""
        return self.gain.low > 0

    @property
    def reason(self) -> str:
        """Why it ranks, or why it does not."""
        is_better = "is better than the blend" if self.wins else "is not better than the blend beyond noise"
        return f"the learned ranker {is_better} ({METRIC} {with_interval(self.gain)})"


@dataclass(frozen=True)
class Judgement:
    """How a recipe does on the newest window, and how the others do there."""

    window: Split
    recipe: Recipe
    blend: Blend
    embeddings: Embeddings  # of the recipe, fitted on what was known before the window
    fit_s: float
    new: Evaluation  # of the lists that would be served: of the blend
    personal: Evaluation | None  # of the recipe's personal score alone, where the blend has more in it
    live: Evaluation | None  # the live version's recipe, fitted on the same, with its blend
    popularity: Evaluation  # the baseline that goes live where nothing personal is better
    learned: JudgedRanker | None  # what a ranker does there; none: there was none to judge
    baselines: dict[str, Evaluation]  # always in the table
    new_items: JudgedNewItems | None  # embeddings of new items by their facts; none: there was nothing to judge
    other: Scorer  # a model that is not the judged one, to draw hard negatives
    off_policy: OffPolicy | None = None  # by the log of what was shown; none: nothing was
    stands_in: str = ""  # why the baseline takes the place of the recipe that was chosen; empty: it does not


def judge(
    recipe: Recipe,
    window: Split,
    *,
    blend: Blend,
    baseline: PopularityRecipe,
    live: Manifest | None,
    settings: Settings,
    ranker: Learned | None = None,
    shown: Shown | None = None,
    facts: Facts | None = None,
) -> Judgement:
    """Fit and evaluate on a window: the recipe, the live version's recipe, each with its blend, and the baselines.

    Args:
        shown: lists of the window, by which the orders of both are estimated too.

    Raises:
        InvalidArgumentError: nobody has a test item in the window.
    """
    train = window.train
    recent = train.recent_users(recipes.recent_since(train, settings.recent_days))

    fit = partial(
        recipes.fit,
        known=train,
        recent_days=settings.recent_days,
        seed=settings.seed,
        checkpoint_dir=settings.checkpoint_dir,
    )

    def judged(scorer: Scorer) -> Evaluation:
        return evaluate(scorer, window, ks=KS, popularity=recent, max_users=settings.judging_users, seed=settings.seed)

    def lists_of(fitted: Embeddings, by: Blend) -> Scorer:
        return blending.scorer(fitted, train, by, recent_days=settings.recent_days)

    def served(fitted: Embeddings, by: Blend) -> Evaluation:
        return judged(lists_of(fitted, by))

    started = time.perf_counter()
    with step(f"judge {recipes.described(recipe)}: fit"):
        embeddings = fit(recipe)
    fit_s = time.perf_counter() - started
    with step(f"judge {recipes.described(recipe)}"):
        new = served(embeddings, blend)
        personal = None if blend.info.weights.is_personal_only else judged(embeddings)
    learned = None
    if ranker is not None:
        with step("judge the learned ranker"):
            ranked = replace(blend, ranker=ranker)
            learned = _judged_ranker(served(embeddings, ranked), new, seed=settings.seed)
        if learned.wins:
            blend, new = ranked, learned.evaluation
    orders = {f"the new version's order ({recipes.described(recipe)})": lists_of(embeddings, blend)}
    of_new_items = None
    if facts is not None and settings.item_content:
        with step("judge new items"):
            of_new_items = new_items.judge(embeddings, window, facts, blend, settings=settings)
    live_recipe = recipe_of(live) if live else None
    of_live = None
    if live and live_recipe:
        is_same = live_recipe == recipe
        of_blend = Blend.of(live, settings.artifact_dir, catalogue=facts.catalogue if facts else None)
        is_new = is_same and of_blend == blend
        with step("judge the live version's recipe"):
            lists_of_live = lists_of(embeddings if is_same else fit(live_recipe), of_blend)
            of_live = new if is_new else judged(lists_of_live)
        orders["the live version's order"] = lists_of_live
    with step("judge baselines"):
        neighbours = item_knn.fit(train)
        popularity = judged(fit(baseline))
        beside = {
            "popularity": judged(baselines.fit(train)),
            "recent popularity": judged(baselines.popularity(recent, n_users=len(train.user_ids))),
            "item-kNN": judged(neighbours),
        }
    off_policy = None
    if shown is not None:
        with step("judge by what was shown"):
            off_policy = exposures.judge(shown, orders, train, seed=settings.seed)
    return Judgement(
        window=window,
        recipe=recipe,
        blend=blend,
        embeddings=embeddings,
        fit_s=fit_s,
        new=new,
        personal=personal,
        live=of_live,
        popularity=popularity,
        learned=learned,
        baselines=beside,
        new_items=of_new_items,
        other=neighbours,
        off_policy=off_policy,
    )


def _judged_ranker(ranked: Evaluation, blended: Evaluation, *, seed: int) -> JudgedRanker:
    gain = paired(ranked.per_user[METRIC], blended.per_user[METRIC], seed=seed)
    judged = JudgedRanker(ranked, blended, gain)
    _log.info(judged.reason)
    return judged


def recipe_of(live: Manifest) -> Recipe | None:
    """The live version's recipe; none where a trainer of other recipes made it, and it cannot be fitted again."""
    try:
        return recipes.parse(live.training.recipe, where=live.version)
    except DataError as error:
        _log.warning("the live version cannot be compared with", extra={"reason": str(error)})
        return None


def is_personal(live: Manifest | None) -> bool:
    """Whether a version is live that shows each user a list of their own."""
    return live is not None and live.model != PopularityRecipe().model


def gain_over_popular(new: Judged, popular: Judged, *, seed: int) -> PairedDifference:
    """By so much lists are better than popular items, which stand in for them where it may be nothing."""
    return paired(new.per_user[METRIC], popular.per_user[METRIC], seed=seed)


def with_stand_in(judgement: Judgement, baseline: PopularityRecipe, *, settings: Settings) -> Judgement:
    """The judgement as it is where its model beats the baseline by more than noise; else that of the baseline."""
    if isinstance(judgement.recipe, PopularityRecipe):
        return judgement
    popular = judgement.popularity
    gain = gain_over_popular(judgement.new, popular, seed=settings.seed)
    if gain.low > 0:
        return judgement
    train = judgement.window.train
    return replace(
        judgement,
        recipe=baseline,
        blend=Blend(),
        embeddings=recipes.fit(baseline, train, recent_days=settings.recent_days, seed=settings.seed),
        new=popular,
        personal=None,
        new_items=None,
        baselines={**judgement.baselines, f"{judgement.recipe.model}, chosen by the window before": judgement.new},
        stands_in=f"{judgement.recipe.model} is not better than popular items beyond noise "
        f"({METRIC} {with_interval(gain)}): the popular items are the model",
    )


def verdict_on(judgement: Judgement, ann_recall: float, *, settings: Settings) -> Verdict:
    """The gate's verdict."""
    is_baseline = isinstance(judgement.recipe, PopularityRecipe)
    verdict = decide(
        judgement.new,
        live=judgement.live,
        baseline=None if is_baseline else judgement.popularity,
        ann_recall=ann_recall,
        ann_recall_floor=settings.ann_recall_floor,
        seed=settings.seed,
    )
    if judgement.stands_in:
        return replace(verdict, reasons=(f"passed: {judgement.stands_in}", *verdict.reasons))
    judged = (judgement.learned, judgement.new_items)
    told = tuple(f"passed: {part.reason}" for part in judged if part is not None)
    return replace(verdict, reasons=(*verdict.reasons, *told))


def unjudged(recipe: Recipe, users: int, *, live: Manifest | None) -> Verdict:
    """The verdict where too few users can be judged: nothing but the live recipe may replace what is live."""
    reason = f"not enough to judge by: {users} users with items new to them, {ENOUGH_USERS} are needed"
    if live is None:
        began = "the popular items are the model" if isinstance(recipe, PopularityRecipe) else "it goes live unjudged"
        return Verdict(True, (f"passed: {reason}; a first version, {began}",), users)
    if recipe == recipe_of(live):
        return Verdict(True, (f"passed: {reason}; it is the live version's recipe, fitted on newer events",), users)
    return Verdict(False, (f"failed: {reason}; the live version stays",), users)
