"""The straight line of a training run: events in, a published version out. See docs/architecture.md."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from recsys.artifact import layout, writer
from recsys.artifact.manifest import Manifest, MetricValue
from recsys.artifact.reader import read_manifest
from recsys.errors import ArtifactError, DataError, InvalidArgumentError
from trainer import bootstrap, index, interactions, publish, split, tuning
from trainer import recipe as recipes
from trainer.evaluation import Evaluation, evaluate
from trainer.gate import Verdict, decide
from trainer.interactions import Interactions
from trainer.models.baselines import popularity
from trainer.models.candidates import default_candidates
from trainer.progress import step
from trainer.recipe import Recipe
from trainer.selection import compare
from trainer.settings import Settings
from trainer.split import Split
from trainer.tuning import ModelName

_log = logging.getLogger(__name__)

KS = (10, 20, 50)


@dataclass(frozen=True)
class Shop:
    """What a run learns from: checked events, weights of their types, and the catalogue."""

    events: pl.DataFrame  # Events.frame
    catalogue: pl.DataFrame  # Events.catalogue
    weights: dict[str, float]


@dataclass(frozen=True)
class Judgement:
    """How a recipe does on the newest window, beside what it is compared with."""

    split: Split
    new: Evaluation
    popularity: Evaluation
    live: Evaluation | None


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    version: str
    recipe: Recipe
    judgement: Judgement | None  # none: the events are too few to hold a window out
    verdict: Verdict
    activated: bool


def train(shop: Shop, *, settings: Settings, recipe: Recipe | None, force: bool) -> Outcome:
    """Choose a recipe (unless one is given), judge it, fit it on everything, and publish it through the gate.

    Raises:
        DataError: no interaction is left to learn from.
    """
    volume = settings.artifact_dir
    with step("weigh"):
        known = interactions.build(shop.events, weights=shop.weights, catalogue_items=shop.catalogue["item_id"])
    if known.weights.nnz == 0:
        raise DataError("expected events to learn from, found none after checks and removals")
    with step("hold out"):
        windows = held_out(shop, settings=settings)
    if recipe is None:
        recipe = choose(windows[:-1], known, settings=settings)
    with step("judge"):
        judgement = judge(recipe, windows[-1], live=live_manifest(volume), settings=settings) if windows else None
    with step("fit on everything"):
        embeddings = recipes.fit(recipe, known, recent_days=settings.recent_days, seed=settings.seed)
    with step("index"):
        retrieval = index.build_retrieval(
            embeddings, metric="inner_product", target_recall=settings.ann_recall_floor, seed=settings.seed
        )
        similar = index.build_similar(embeddings.item, seed=settings.seed)
    verdict = judged_verdict(judgement, retrieval.recall, has_live=live_manifest(volume) is not None, settings=settings)
    activated = verdict.passed or force
    with step("publish"):
        version = publish.publish(
            volume,
            publish.Fitted(
                known=known,
                catalogue=shop.catalogue,
                embeddings=embeddings,
                retrieval=retrieval,
                similar=similar,
                popularity=known.recent_users(recipes.recent_since(known, settings.recent_days)),
                model=recipe.model,
                metrics=metric_values(judgement.new, seed=settings.seed) if judgement else {},
                training={
                    "recipe": recipe.model_dump(mode="json"),
                    "event_weights": dict(shop.weights),
                    "recent_days": settings.recent_days,
                    "horizon_days": settings.horizon_days,
                    "data_until": str(shop.events["timestamp"].max()),
                    "seed": settings.seed,
                    "gate": {"passed": verdict.passed, "forced": force, "reasons": list(verdict.reasons)},
                },
            ),
        )
        if activated:
            writer.activate(volume, version)
        writer.prune(volume, keep=settings.keep_versions)
    return Outcome(version, recipe, judgement, verdict, activated)


def tune(shop: Shop, *, settings: Settings, models: Sequence[ModelName], budget_s: float) -> tuple[Recipe, float]:
    """The best recipe that a search of `budget_s` seconds finds, and its NDCG@20 on the two validation windows.

    Raises:
        DataError: the events do not span three windows, one of which stays unseen for judging.
    """
    windows = held_out(shop, settings=settings, most=3)
    if len(windows) < 3:
        raise DataError("tuning needs events over three held-out windows and some before them; use `train` as it is")
    known = windows[-1].train
    settings.artifact_dir.mkdir(parents=True, exist_ok=True)
    return tuning.tune(
        windows[:-1],
        models=models or ("als", "ials", "spectral"),
        start_with=[one for one in candidates_for(known) if not models or one.model in models],
        budget_s=budget_s,
        storage=settings.artifact_dir / "tuning.db",
        recent_days=settings.recent_days,
        max_users=settings.selection_users,
        seed=settings.seed,
    )


def held_out(shop: Shop, *, settings: Settings, most: int = 2) -> list[Split]:
    """`most` windows, newest last: the last for judging, those before it for choosing. Fewer where the events end.

    Windows are `horizon_days` long, or a quarter of the time that the events span where that is shorter.
    """
    first, last = shop.events.select(first=pl.col("timestamp").min(), last=pl.col("timestamp").max()).row(0)
    horizon_days = min(settings.horizon_days, (last - first) / timedelta(days=4))
    for windows in range(most, 0, -1):
        try:
            return split.rolling(shop.events, weights=shop.weights, windows=windows, horizon_days=horizon_days)
        except InvalidArgumentError as error:
            _log.warning("too few events to hold out", extra={"windows": windows, "reason": str(error)})
    return []


def choose(validation: list[Split], known: Interactions, *, settings: Settings) -> Recipe:
    """The best of the default candidates on the validation window; the first of them where there is none."""
    candidates = candidates_for(known)
    if not validation:
        return candidates[0]
    with step("choose a recipe"):
        trials = compare(
            validation[0],
            candidates,
            recent_days=settings.recent_days,
            max_users=settings.selection_users,
            seed=settings.seed,
        )
    return trials[0].recipe


def candidates_for(known: Interactions) -> list[Recipe]:
    """The default recipes for data of this size."""
    return default_candidates(len(known.user_ids), len(known.item_ids))


def judge(recipe: Recipe, window: Split, *, live: Manifest | None, settings: Settings) -> Judgement:
    """Fit and evaluate on a window: the recipe, the live version's recipe, and recent popularity."""
    recent = window.train.recent_users(recipes.recent_since(window.train, settings.recent_days))

    def judged(one: Recipe) -> Evaluation:
        fitted = recipes.fit(one, window.train, recent_days=settings.recent_days, seed=settings.seed)
        return evaluate(fitted, window, ks=KS, popularity=recent)

    return Judgement(
        split=window,
        new=judged(recipe),
        popularity=evaluate(popularity(recent, n_users=len(window.train.user_ids)), window, ks=KS, popularity=recent),
        live=judged(recipes.parse(live.training["recipe"], where=live.version)) if live else None,
    )


def judged_verdict(judgement: Judgement | None, ann_recall: float, *, has_live: bool, settings: Settings) -> Verdict:
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


def metric_values(evaluation: Evaluation, *, seed: int) -> dict[str, MetricValue]:
    """The manifest's figures: means with 95 % intervals."""
    return {
        name: MetricValue(value=interval.value, low=interval.low, high=interval.high)
        for name, interval in bootstrap.intervals(evaluation.per_user, seed=seed).items()
    }


def live_manifest(volume: Path) -> Manifest | None:
    """The live version's manifest; none where nothing is live, or what is live cannot be read."""
    version = layout.current_version(volume)
    if version is None:
        return None
    try:
        return read_manifest(layout.version_dir(volume, version))
    except ArtifactError as error:
        _log.warning("the live version cannot be compared with", extra={"reason": str(error)})
        return None


def before(shop: Shop, moment: datetime) -> Shop:
    """The shop as it was: events before a moment."""
    return replace(shop, events=shop.events.filter(pl.col("timestamp") < moment))
