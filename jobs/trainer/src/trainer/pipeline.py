"""The straight line of a training run: events in, a published version out. See docs/architecture.md."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from recsys.artifact import layout, writer
from recsys.artifact.manifest import Manifest, MetricValue
from recsys.artifact.reader import open_artifact, read_manifest
from recsys.errors import ArtifactError, DataError, InvalidArgumentError
from trainer import (
    blending,
    bootstrap,
    fold_in,
    index,
    interactions,
    judging,
    publish,
    report,
    retention,
    run_report,
    selection,
    tuning,
    two_stage,
)
from trainer import recipe as recipes
from trainer.evaluation import Evaluation
from trainer.gate import Verdict
from trainer.index import BuiltIndex
from trainer.interactions import Interactions
from trainer.judging import Judgement
from trainer.models.candidates import default_candidates
from trainer.models.embeddings import Embeddings
from trainer.progress import step
from trainer.recipe import Recipe
from trainer.report import TwoStageFigures
from trainer.settings import Settings
from trainer.tuning import ModelName

REPORTS = "reports"
_IN_THE_MANIFEST = ("recall", "ndcg", "hit_rate", "mrr")


@dataclass(frozen=True)
class Shop:
    """What a run learns from: checked events, weights of their types, and the catalogue."""

    events: pl.DataFrame  # Events.frame
    catalogue: pl.DataFrame  # Events.catalogue
    weights: dict[str, float]
    stream_sequence: int = 0  # of the last event of the stream among the events; 0: none is of the stream


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    version: str
    recipe: Recipe
    judgement: Judgement | None  # none: the events are too few to hold a window out
    verdict: Verdict
    activated: bool
    report: Path | None  # HTML, with the same as JSON beside it


def train(shop: Shop, *, settings: Settings, recipe: Recipe | None, force: bool) -> Outcome:
    """Choose a recipe (unless one is given), judge it, fit it on everything, and publish it through the gate.

    Raises:
        DataError: no interaction is left to learn from.
    """
    volume = settings.artifact_dir
    live = live_manifest(volume)
    with step("weigh"):
        known = interactions.build(shop.events, weights=shop.weights, catalogue_items=shop.catalogue["item_id"])
    if known.weights.nnz == 0:
        raise DataError("expected events to learn from, found none after checks and removals")
    with step("hold out"):
        windows = judging.held_out(shop.events, weights=shop.weights, settings=settings)
    with step("choose a recipe and a blend"):
        validation = windows[0] if len(windows) > 1 else None
        choice = selection.choose(recipe, validation, candidates_for(known), settings=settings)
        recipe, blend = choice.recipe, choice.blend.info
    with step("judge"):
        judgement = judging.judge(recipe, windows[-1], blend=blend, live=live, settings=settings) if windows else None
    with step("choose an index"):
        serving = measure_serving(judgement, settings=settings)
    with step("fit on everything"):
        fitted_model = recipes.fit_model(recipe, known, seed=settings.seed, checkpoint_dir=settings.checkpoint_dir)
        ready = fold_in.export(recipe, fitted_model, known, recent_days=settings.recent_days, seed=settings.seed)
    with step("index"):
        retrieval = build_retrieval(ready.embeddings, serving, settings=settings)
        similar = index.build_similar(ready.embeddings.item, seed=settings.seed)
    verdict = judging.verdict_on(judgement, retrieval.recall, has_live=live is not None, settings=settings)
    fitted = publish.Fitted(
        known=known,
        catalogue=shop.catalogue,
        embeddings=ready.embeddings,
        fold_in=ready.fold_in,
        retrieval=retrieval,
        similar=similar,
        popularity=known.recent_users(recipes.recent_since(known, settings.recent_days)),
        blend=blend,
        stream_sequence=shop.stream_sequence,
        model=recipe.model,
        metrics=metric_values(judgement.new, seed=settings.seed) if judgement else {},
        training={
            "recipe": recipe.model_dump(mode="json"),
            "event_weights": dict(shop.weights),
            "recent_days": settings.recent_days,
            "horizon_days": settings.horizon_days,
            "data_until": str(shop.events["timestamp"].max()),
            "seed": settings.seed,
            "candidates": serving.chosen.n if serving and serving.chosen else None,
            "gate": {"passed": verdict.passed, "forced": force, "reasons": list(verdict.reasons)},
        },
    )
    with step("publish"):
        version = publish.publish(volume, fitted)
        if verdict.passed or force:
            open_artifact(layout.version_dir(volume, version))  # what services would refuse does not become live
            writer.activate(volume, version)
        writer.prune(volume, keep=retention.worth_keeping(volume, settings.keep_versions))
        shutil.rmtree(settings.checkpoint_dir, ignore_errors=True)  # the run is over: nothing to go on with
    path = None
    if judgement is not None:
        with step("report"):
            path = volume / REPORTS / f"{version}.html"
            path.parent.mkdir(exist_ok=True)
            content = run_report.describe(version, choice, judgement, two_stage=serving, settings=settings)
            report.write(content, path)
    return Outcome(version, recipe, judgement, verdict, activated=verdict.passed or force, report=path)


def tune(shop: Shop, *, settings: Settings, models: Sequence[ModelName], budget_s: float) -> tuple[Recipe, float]:
    """The best recipe that a search of `budget_s` seconds finds, and its NDCG@20 on the two validation windows.

    Raises:
        DataError: the events do not span three windows, one of which stays unseen for judging.
    """
    windows = judging.held_out(shop.events, weights=shop.weights, settings=settings, most=3)
    if len(windows) < 3:
        raise DataError("tuning needs events over three held-out windows and some before them; use `train` as it is")
    settings.artifact_dir.mkdir(parents=True, exist_ok=True)
    return tuning.tune(
        windows[:-1],
        models=models or ("als", "ials", "spectral"),
        start_with=[one for one in candidates_for(windows[-1].train) if not models or one.model in models],
        budget_s=budget_s,
        settings=settings,
    )


def candidates_for(known: Interactions) -> list[Recipe]:
    """The default recipes for data of this size."""
    return default_candidates(len(known.user_ids), len(known.item_ids))


def measure_serving(judgement: Judgement | None, *, settings: Settings) -> TwoStageFigures | None:
    """What each way of serving loses on the judged window, and the cheapest one that loses too little to matter."""
    if judgement is None:
        return None
    budget = two_stage.measure(
        judgement.embeddings,
        judgement.window,
        candidates=two_stage.default_candidates(len(judgement.embeddings.item)),
        seed=settings.seed,
    )
    try:
        few = replace(budget, rows=tuple(row for row in budget.rows if row.n <= blending.CANDIDATES))
        return TwoStageFigures(budget=budget, chosen=two_stage.choose(few))
    except InvalidArgumentError:  # every index loses too much: the report shows how much, and the gate looks at recall
        return TwoStageFigures(budget=budget, chosen=None)


def build_retrieval(embeddings: Embeddings, serving: TwoStageFigures | None, *, settings: Settings) -> BuiltIndex:
    """The chosen index over all items; where nothing was measured, the one that is usual for so many."""
    if serving is not None and serving.chosen is not None:
        chosen = serving.chosen
        return index.build_retrieval(
            embeddings,
            factory=chosen.factory,
            metric=chosen.metric,
            search_effort=chosen.search_effort,
            seed=settings.seed,
        )
    factory, effort = index.default_factory(len(embeddings.item))
    return index.build_retrieval(
        embeddings, factory=factory, metric="inner_product", search_effort=effort, seed=settings.seed
    )


def metric_values(evaluation: Evaluation, *, seed: int) -> dict[str, MetricValue]:
    """The manifest's figures: means with 95 % intervals of what lies between 0 and 1."""
    shown = {name: values for name, values in evaluation.per_user.items() if name.startswith(_IN_THE_MANIFEST)}
    return {
        name: MetricValue(value=interval.value, low=interval.low, high=interval.high)
        for name, interval in bootstrap.intervals(shown, seed=seed).items()
    }


def live_manifest(volume: Path) -> Manifest | None:
    """The live version's manifest; none where nothing is live.

    Raises:
        ArtifactError: what is live cannot be read; activate another version first.
    """
    version = layout.current_version(volume)
    if version is None:
        return None
    try:
        return read_manifest(layout.version_dir(volume, version))
    except ArtifactError as error:
        raise ArtifactError(f"the live version cannot be compared with; activate another one first: {error}") from error


def before(shop: Shop, moment: datetime) -> Shop:
    """The shop as it was: events before a moment. Which of the stream are among them is not known any more."""
    return replace(shop, events=shop.events.filter(pl.col("timestamp") < moment), stream_sequence=0)
