"""`--engine spark` of `trainer train` and `trainer evaluate`: the straight line of a run."""

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import pyarrow as pa
import typer
from pyspark.sql import SparkSession

from recsys.errors import DataError, InvalidArgumentError
from recsys.lake import lake_dir, read_committed, read_erasures
from trainer import pipeline
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe, Recipe
from trainer.models.als import ALSSettings
from trainer.outcome import Outcome
from trainer.progress import step
from trainer.report import table
from trainer.settings import Settings, ShopFiles
from trainer.shop_data import interactions, mapping
from trainer.shop_data.shop_files import QUARANTINE
from trainer_spark import gate, judging, model, reading, session, splits
from trainer_spark.histories import Terms
from trainer_spark.reading import Events
from trainer_spark.run import Run
from trainer_spark.splits import Window

_log = logging.getLogger(__name__)

DEFAULT_RECIPE: Final = ALSRecipe(settings=ALSSettings(dim=64, alpha=10, regularization=0.01, iterations=10))
_EVALUATED_USERS: Final = 200_000  # at most so many are in a row of the table


class SparkEngine:
    """What `trainer.engines` calls."""

    def train(
        self,
        files: ShopFiles,
        settings: Settings,
        recipe: Recipe | None,
        *,
        master: str,
        before: datetime | None,
        force: bool,
    ) -> Outcome[gate.Judgement]:
        """Judge the recipe on the newest window, fit it on everything, and publish it through the gate.

        Raises:
            InvalidArgumentError: the recipe is of a model that Spark does not fit.
            DataError: there is nothing to learn from, or a file cannot be read.
        """
        of_als = _of_als(recipe)
        live = pipeline.live_manifest(settings.artifact_dir)
        with session.opened(master) as spark:
            events, terms = _read(spark, files, settings, before=before)
            with step("hold out"):
                window = next(splits.newest_first(events, terms, settings=settings), None)
            judgement = gate.judge(of_als, window, live=live, settings=settings)
            if window is not None:
                window.release()
            run = Run(settings, of_als, events, terms)
            return run.finish(judgement, judged_users=window.judged_users if window else 0, live=live, force=force)

    def evaluate(
        self, files: ShopFiles, settings: Settings, recipe: Recipe | None, *, master: str, windows: int
    ) -> Iterator[table.Told]:
        """Baselines and the recipe on rolling windows, newest last.

        Raises: as `train`.
        """
        of_als = _of_als(recipe)
        with session.opened(master) as spark:
            events, terms = _read(spark, files, settings, before=None)
            held_out = splits.newest_first(events, terms, settings=settings)
            tables = [_table(window, of_als, settings) for _, window in zip(range(windows), held_out, strict=False)]
            if not tables:
                raise DataError("expected events that reach over a held-out window, found too few; see the log")
            for told in reversed(tables):
                yield from told


def _of_als(recipe: Recipe | None) -> ALSRecipe:
    if recipe is None:
        return DEFAULT_RECIPE
    if not isinstance(recipe, ALSRecipe):
        raise InvalidArgumentError(f"--engine spark: expected a recipe of the model als, found {recipe.model}")
    return recipe


def _read(
    spark: SparkSession, files: ShopFiles, settings: Settings, *, before: datetime | None
) -> tuple[Events, Terms]:
    if files.events is None:
        raise InvalidArgumentError(
            "--engine spark: expected --events; `trainer demo-data --out DIR` writes those of the demo shop"
        )
    if settings.users_in != "artifact":
        raise InvalidArgumentError("TRAINER_USERS_IN: expected artifact with --engine spark, found feature_store")
    if files.lake is not None:
        raise InvalidArgumentError("--lake: expected --engine local, which alone reads a lake; found --engine spark")
    lake = lake_dir(settings.artifact_dir)
    if read_committed(lake) is not None:
        _log.warning("Spark reads files alone: what is in the lake is folded in by the services", extra={"lake": lake})
    shop = mapping.read(files.mapping)
    with step("read"):
        events = reading.load(
            spark,
            files.events,
            mapping=shop,
            catalogue_path=files.catalogue,
            quarantine_path=settings.artifact_dir / QUARANTINE,
            erased=frozenset(read_erasures(lake)["user_hash"]),
        )
    typer.echo(events.report.render(), err=True)
    if before is not None:
        events = reading.before(events, before)
    if events.count == 0:
        raise DataError(f"{files.events}: expected events to learn from, found none")
    weights = shop.event_weights
    item_ids = events.catalogue["item_id"].to_arrow().cast(pa.string())
    event_types = interactions.weighted_types(events.types, weights)
    return events, Terms(weights, event_types, spark.sparkContext.broadcast(item_ids))


def _table(window: Window, recipe: ALSRecipe, settings: Settings) -> list[table.Told]:
    users, known = window.users, window.statistics
    models = {
        "popularity": model.popular(users, known, PopularityRecipe(recency_strength=0)),
        "recent popularity": judging.SameForAll(users.sparkSession.sparkContext.broadcast(known.recent_users)),
    }
    started = time.perf_counter()
    with step("fit"):
        fitted = model.personal(users, model.fit(users, known, recipe, seed=settings.seed))
    fit_s = time.perf_counter() - started
    found = judging.judge(users, {**models, recipe.model: fitted}, known, most=_EVALUATED_USERS, seed=settings.seed)
    judged, items = min(window.judged_users, _EVALUATED_USERS), len(known.item_users)
    tested = f"{known.users:,} users × {items:,} items, judged by {judged:,} users"
    told: list[table.Told] = [
        table.Heading(
            f"from {window.cut:%Y-%m-%d %H:%M} UTC: {tested}",
            "window",
            judged,
            {"from": window.cut.isoformat(), "train_users": known.users, "train_items": items},
        )
    ]
    for name, figures in found.items():
        is_ours = name == recipe.model
        told.append(
            table.Row(
                name,
                recipe.settings.dim if is_ours else None,
                fit_s if is_ours else 0.0,
                figures,
                ", ".join(table.settings_of(recipe)) if is_ours else "",
            )
        )
    return told
