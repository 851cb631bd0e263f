"""The straight line of a training run: events in, a published version out. See docs/architecture.md."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact import layout, reports, runs
from recsys.artifact.manifest import Manifest, MetricValue
from recsys.artifact.reader import read_manifest
from recsys.artifact.transitions import Transitions
from recsys.errors import ArtifactError, DataError
from trainer.choosing import baskets, blending, decision, new_items, tuning
from trainer.choosing import recipe as recipes
from trainer.choosing.baskets import OfWindow
from trainer.choosing.decision import Decision
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.gate import Judged, Verdict
from trainer.choosing.judging import Judgement
from trainer.choosing.new_items import Facts
from trainer.choosing.recipe import LightGCNRecipe, PersonalRecipe, PopularityRecipe, Recipe, SASRecRecipe
from trainer.choosing.tuning import Tuned
from trainer.evaluation import bootstrap, exposures, sample, windows
from trainer.models import transitions
from trainer.models.embeddings import Embeddings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.outcome import Outcome
from trainer.progress import step
from trainer.publishing import foldable, going_live, histories, index, publish, store, two_stage
from trainer.publishing.index import EXACT, IndexSpec
from trainer.report import page, run_report
from trainer.report.figures import TwoStageFigures
from trainer.settings import ModelName, Settings
from trainer.shop_data import interactions
from trainer.shop_data.interactions import Interactions
from trainer.shop_data.shop import Shop

_IN_THE_MANIFEST = ("recall", "ndcg", "hit_rate", "mrr")


def train(shop: Shop, *, settings: Settings, recipe: Recipe | None, force: bool) -> Outcome[Judgement]:
    """Choose a recipe (unless one is given), judge it, fit it on everything, and publish it through the gate.

    A shop without events gets a version that knows its catalogue only, so that it can serve and collect some.

    Raises:
        DataError: no interaction is left to learn from, and a version is live that had some.
    """
    volume = settings.artifact_dir
    live = live_manifest(volume)
    with step("weigh"):
        known = interactions.build(shop.events, weights=shop.weights, catalogue_items=shop.catalogue["item_id"])
    if known.weights.nnz == 0 and live is not None and live.interaction_count > 0:
        raise DataError("expected events to learn from, found none after checks and removals; the live version stays")
    with step("hold out"):
        held_out = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=settings)
        if not isinstance(recipe, LightGCNRecipe):  # which learns there how many epochs are enough for so many pairs
            held_out = sample.to_compare(held_out, settings=settings)
    shown = shown_before = None
    if shop.lake is not None and held_out:
        with step("read what was shown"):
            shown = exposures.in_window(shop.lake, held_out[-1])
            if settings.learned_ranker and len(held_out) > 1:
                shown_before = exposures.in_window(shop.lake, held_out[-2], until=held_out[-1].cut)
    with step("bought together"):
        of_window = baskets.of_window(shop.events, held_out[-1], settings=settings) if held_out else None
        together = baskets.fit(shop.events, known.item_ids, of_window.info if of_window else None)
    given = recipe if known.weights.nnz else PopularityRecipe()  # of nothing, nothing else can be fitted
    last = shop.events["timestamp"].max()
    data_until = None if last is None else str(last)
    recent = recent_events(shop.events, days=settings.recent_days)
    facts = Facts.of(shop)
    shop = replace(shop, events=shop.events.clear())  # nobody may read them again: models need the room
    decided = decision.decide(
        given,
        held_out,
        default_recipes(known),
        live=live,
        force=force,
        settings=settings,
        facts=facts,
        shown=shown,
        shown_before=shown_before,
    )
    del held_out, facts, shown, shown_before
    version, verdict, spec = _fit_and_publish(
        shop, known, decided, together, data_until=data_until, recent=recent, force=force, settings=settings
    )
    path = _report(version, decided, spec, of_window, settings=settings)
    store.publish_run(settings, version)
    off_policy = decided.judgement.off_policy if decided.judgement else None
    return Outcome(
        version,
        decided.recipe,
        decided.judgement,
        verdict,
        activated=verdict.passed or force,
        report=path,
        by_exposures=off_policy.lines() if off_policy else (),
    )


def _fit_and_publish(
    shop: Shop,
    known: Interactions,
    decided: Decision,
    together: Transitions | None,
    *,
    data_until: str | None,
    recent: dict[str, int],
    force: bool,
    settings: Settings,
) -> tuple[str, Verdict, IndexSpec]:
    """Fit on everything, publish, and go live where the gate lets it: the version, the verdict, and what index it has.

    Args:
        together: what is bought together.
        data_until: time of the last event, if there is one.
        recent: `recent_events`.
    """
    volume = settings.artifact_dir
    with step("fit on everything"):
        fitted_model = recipes.fit_model(
            decided.recipe, known, seed=settings.seed, checkpoint_dir=settings.checkpoint_dir
        )
    with step("rotate for fold-in"):
        ready = foldable.export(
            decided.recipe, fitted_model, known, recent_days=settings.recent_days, seed=settings.seed
        )
    content = None
    of_new_items = decided.judgement.new_items if decided.judgement else None
    if of_new_items and of_new_items.wins:
        with step("item content"):
            content = new_items.fit(ready.embeddings, known, shop.catalogue, scale=of_new_items.scale)
            if content is not None and of_new_items.few is not None:
                drawn = new_items.shrunk_to(
                    ready.embeddings, known, shop.catalogue, content, strength=of_new_items.few.strength
                )
                ready = replace(ready, embeddings=drawn)
    popularity = popularity_of(decided.recipe, fitted_model, known, settings=settings)
    del fitted_model
    with step("index"):
        retrieval = index.choose(ready.embeddings, recall_floor=settings.ann_recall_floor, seed=settings.seed)
    with step("index of similar items"):
        similar = index.build_similar(ready.embeddings.item, seed=settings.seed)
    with step("transitions"):
        following = transitions.fit(known, decided.blend.transitions) if decided.blend.transitions else None
    verdict = decided.verdict(retrieval.recall, settings=settings)
    fitted = publish.Fitted(
        known=known,
        catalogue=shop.catalogue,
        embeddings=ready.embeddings,
        fold_in=ready.fold_in,
        transitions=following,
        bought_together=together,
        ranker=decided.blend.ranker.over(known) if decided.blend.ranker else None,
        item_content=content,
        retrieval=retrieval,
        similar=similar,
        popularity=popularity,
        blend=decided.blend.info,
        stream_sequence=shop.stream_sequence,
        model=decided.recipe.model,
        metrics=metric_values(decided.judgement.new, seed=settings.seed) if decided.judgement else {},
        training=publish.training_info(
            decided.recipe,
            verdict,
            event_weights=shop.weights,
            data_until=data_until,
            force=force,
            settings=settings,
            recent_events=recent,
        ),
    )
    with step("publish"):
        version = publish.publish(volume, fitted, users_in=settings.users_in)
        runs.note(volume, version)
    goes_live = verdict.passed or force
    if goes_live and settings.users_in == "feature_store":
        with step("write histories"):
            histories.write(known, stream_sequence=shop.stream_sequence, url=settings.feature_store_url)
    with step("activate"):
        going_live.bring(settings, version, live=goes_live)
        shutil.rmtree(settings.checkpoint_dir, ignore_errors=True)  # the run is over: nothing to go on with
    return version, verdict, retrieval.spec


def _report(
    version: str, decided: Decision, chosen: IndexSpec, of_window: OfWindow | None, *, settings: Settings
) -> Path | None:
    """Write what was measured; none where nothing was."""
    if decided.judgement is None or decided.choice is None:
        return None
    with step("report"):
        path = reports.path(settings.artifact_dir, version)
        path.parent.mkdir(exist_ok=True)
        serving = measure_serving(decided.judgement, chosen, settings=settings)
        content = run_report.describe(
            version, decided.choice, decided.judgement, of_window, two_stage=serving, settings=settings
        )
        page.write(content, path)
    return path


def tune(shop: Shop, *, settings: Settings, models: Sequence[ModelName], budget_s: float) -> Tuned:
    """The best recipe that a search of `budget_s` seconds finds on two validation windows, where it beats the defaults.

    Raises:
        DataError: the events do not span three windows, one of which stays unseen for judging.
    """
    held_out = windows.held_out(shop.events, weights=shop.weights, settings=settings, most=3)
    if len(held_out) < 3:
        raise DataError("tuning needs events over three held-out windows and some before them; use `train` as it is")
    settings.artifact_dir.mkdir(parents=True, exist_ok=True)
    defaults = default_recipes(held_out[-1].train)
    if models:  # those that take long only where they are asked for
        of_their_own: list[PersonalRecipe] = [LightGCNRecipe(settings=LightGCNSettings(epochs=40)), SASRecRecipe()]
        known = {one.model for one in defaults}
        defaults += [one for one in of_their_own if one.model not in known]
    to_try = [one for one in defaults if not models or one.model in models]
    if not to_try:
        raise DataError(f"tuning {', '.join(models)}: the catalogue is too large for it; choose another model")
    compared = sample.to_compare(held_out, settings=settings)[:-1]
    return tuning.tune(
        compared,
        models=models or list(dict.fromkeys(one.model for one in to_try)),
        start_with=to_try,
        budget_s=budget_s,
        settings=settings,
    )


def measure_serving(judgement: Judgement, chosen: IndexSpec, *, settings: Settings) -> TwoStageFigures | None:
    """What the chosen index, exact search and cosine lose on the judged window; none where no vector is asked with."""
    if isinstance(judgement.recipe, PopularityRecipe):
        return None
    specs = list(dict.fromkeys([EXACT, chosen, IndexSpec("SQfp16", "cosine", None)]))
    budget = two_stage.measure(judgement.embeddings, judgement.window, specs=specs, seed=settings.seed)
    of_chosen = [row for row in budget.rows if row.spec == chosen]
    served = [row for row in of_chosen if row.n <= blending.CANDIDATES] or of_chosen[:1]
    return TwoStageFigures(budget=budget, chosen=served[-1])


def popularity_of(
    recipe: Recipe, fitted: Embeddings, known: Interactions, *, settings: Settings
) -> NDArray[np.float32]:
    """What popular items are ordered by: users in the recent window; for the baseline, its own scores."""
    if isinstance(recipe, PopularityRecipe):
        scaled = recipes.with_recency(fitted, known, recipe.recency_strength, recent_days=settings.recent_days)
        return np.ascontiguousarray(scaled.item[:, 0])
    return known.recent_users(recipes.recent_since(known, settings.recent_days))


def recent_events(frame: pl.DataFrame, *, days: float) -> dict[str, int]:
    """Events by type of the last so many days that there are events of."""
    at = pl.col("timestamp")
    counted = frame.filter(at > at.max() - timedelta(days=days)).group_by("event_type").len()
    return dict(counted.with_columns(pl.col("event_type").cast(pl.String)).sort("event_type").iter_rows())


def metric_values(evaluation: Judged, *, seed: int) -> dict[str, MetricValue]:
    """The manifest's figures: means with 95 % intervals of what lies between 0 and 1."""
    told = {name: values for name, values in evaluation.per_user.items() if name.startswith(_IN_THE_MANIFEST)}
    return {name: MetricValue(**asdict(one)) for name, one in bootstrap.intervals(told, seed=seed).items()}


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
    return replace(shop, events=shop.events.filter(pl.col("timestamp") < moment), stream_sequence=0, lake=None)
