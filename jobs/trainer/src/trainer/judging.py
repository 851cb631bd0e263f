"""Events in, held-out windows; a recipe and a window in, how it does there beside what it is compared with."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from recsys.artifact.manifest import BlendInfo, Manifest
from recsys.errors import DataError, InvalidArgumentError
from trainer import blending, split
from trainer import recipe as recipes
from trainer.evaluation import Evaluation, evaluate
from trainer.gate import Verdict, decide
from trainer.models import item_knn
from trainer.models.baselines import popularity
from trainer.models.embeddings import Embeddings, Scorer
from trainer.recipe import Recipe
from trainer.settings import Settings
from trainer.split import Split

_log = logging.getLogger(__name__)

KS = (10, 20, 50)


@dataclass(frozen=True)
class Judgement:
    """How a recipe does on the newest window, and how the others do there."""

    window: Split
    embeddings: Embeddings  # of the recipe, fitted on what was known before the window
    fit_s: float
    new: Evaluation  # of the lists that would be served: of the blend
    personal: Evaluation | None  # of the recipe's personal score alone, where the blend has more in it
    live: Evaluation | None  # the live version's recipe, fitted on the same, with its blend
    baselines: dict[str, Evaluation]  # always in the table: what a personal model must beat
    other: Scorer  # a model that is not the judged one, to draw hard negatives

    @property
    def popularity(self) -> Evaluation:
        """The baseline that the gate asks for: users in the recent window."""
        return self.baselines["recent popularity"]


def held_out(frame: pl.DataFrame, *, weights: dict[str, float], settings: Settings, most: int = 2) -> list[Split]:
    """`most` windows, newest last: the last for judging, those before it for choosing. Fewer where the events end.

    Windows are `horizon_days` long, or a quarter of the time that the events span where that is shorter; and longer
    where they would hold next to nothing, as after a pause between the shop's files and the first live events.

    Raises:
        DataError: there is no event.
    """
    if frame.is_empty():
        raise DataError("expected events to hold out, found none after checks")
    first, last = frame.select(first=pl.col("timestamp").min(), last=pl.col("timestamp").max()).row(0)
    horizon_days = min(settings.horizon_days, (last - first) / timedelta(days=4))
    least = min(max(frame.height // 200, 200), frame.height // 10)
    for windows in range(most, 0, -1):
        try:
            held = split.rolling(frame, weights=weights, windows=windows, horizon_days=horizon_days, least_events=least)
        except InvalidArgumentError as error:
            _log.warning("too few events to hold out", extra={"windows": windows, "reason": str(error)})
            continue
        # where only new users come, there is nobody to judge a model by
        return [window for window in held if window.test.nnz + window.test_unknown_items.sum() > 0]
    return []


def judge(recipe: Recipe, window: Split, *, blend: BlendInfo, live: Manifest | None, settings: Settings) -> Judgement:
    """Fit and evaluate on a window: the recipe, the live version's recipe, each with its blend, and the baselines.

    Raises:
        InvalidArgumentError: nobody has a test item in the window.
    """
    train = window.train
    recent = train.recent_users(recipes.recent_since(train, settings.recent_days))
    everybody = np.bincount(train.weights.indices, minlength=len(train.item_ids)).astype(np.float32)
    neighbours = item_knn.fit(train, item_knn.ItemKNNSettings(), threads=settings.threads)
    n_users = len(train.user_ids)

    def fitted(one: Recipe) -> Embeddings:
        return recipes.fit(
            one,
            train,
            recent_days=settings.recent_days,
            seed=settings.seed,
            checkpoint_dir=settings.checkpoint_dir,
        )

    def judged(scorer: Scorer) -> Evaluation:
        return evaluate(scorer, window, ks=KS, popularity=recent)

    def served(fitted: Embeddings, info: BlendInfo) -> Evaluation:
        return judged(blending.scorer(fitted, train, info, recent_days=settings.recent_days))

    started = time.perf_counter()
    embeddings = fitted(recipe)
    fit_s = time.perf_counter() - started
    live_recipe = _recipe_of(live) if live else None
    return Judgement(
        window=window,
        embeddings=embeddings,
        fit_s=fit_s,
        new=served(embeddings, blend),
        personal=judged(embeddings) if blending.is_more_than_personal(blend) else None,
        live=served(fitted(live_recipe), live.blend) if live and live_recipe else None,
        baselines={
            "popularity": judged(popularity(everybody, n_users=n_users)),
            "recent popularity": judged(popularity(recent, n_users=n_users)),
            "item-kNN": judged(neighbours),
        },
        other=neighbours,
    )


def _recipe_of(live: Manifest) -> Recipe | None:
    """The live version's recipe; none where a trainer of other recipes made it, and it cannot be fitted again."""
    try:
        return recipes.parse(live.training.get("recipe"), where=live.version)
    except DataError as error:
        _log.warning("the live version cannot be compared with", extra={"reason": str(error)})
        return None


def verdict_on(judgement: Judgement | None, ann_recall: float, *, has_live: bool, settings: Settings) -> Verdict:
    """The gate's verdict; without a window to judge on, only a first version passes."""
    if judgement is None:
        reason = "the events are too few to hold a window out and judge by it"
        return Verdict(passed=not has_live, reasons=(f"{'failed' if has_live else 'passed'}: {reason}",))
    return decide(
        judgement.new,
        live=judgement.live,
        popularity=judgement.popularity,
        ann_recall=ann_recall,
        ann_recall_floor=settings.ann_recall_floor,
        seed=settings.seed,
    )
