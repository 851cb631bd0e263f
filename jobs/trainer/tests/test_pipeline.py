"""A run chooses, judges, publishes, and lets nothing worse go live."""

import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from two_tastes import START, two_tastes

from recsys.artifact import layout
from recsys.artifact.manifest import BlendInfo
from recsys.artifact.reader import Artifact, open_artifact
from recsys.errors import DataError
from trainer import pipeline
from trainer.choosing import blending, judging, selection
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend, ChosenBlend
from trainer.choosing.recipe import ALSRecipe, LightGCNRecipe, PopularityRecipe, Recipe, SpectralRecipe
from trainer.choosing.selection import Choice
from trainer.evaluation import windows
from trainer.evaluation.bootstrap import PairedDifference
from trainer.evaluation.full_ranking import evaluate
from trainer.evaluation.windows import ENOUGH_USERS
from trainer.models.als import ALSSettings
from trainer.models.embeddings import Embeddings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.spectral import SpectralSettings
from trainer.outcome import Outcome
from trainer.report import run_report
from trainer.settings import Settings
from trainer.shop_data.shop import Shop

GOOD = ALSRecipe(settings=ALSSettings(dim=2))
# one dimension cannot tell the two tastes apart
BASELINE = PopularityRecipe()
BAD = ALSRecipe(settings=ALSSettings(dim=1, iterations=1, regularization=1000))


def train(volume: Path, *, shop: Shop | None = None, recipe: Recipe | None = GOOD, force: bool = False) -> Outcome:
    settings = Settings(artifact_dir=volume, horizon_days=30)
    return pipeline.train(shop or two_tastes(), settings=settings, recipe=recipe, force=force)


def live(volume: Path) -> Artifact:
    version = layout.current_version(volume)
    assert version is not None
    return open_artifact(layout.version_dir(volume, version))


def test_the_first_good_version_goes_live_and_keeps_to_each_users_taste(tmp_path: Path) -> None:
    outcome = train(tmp_path)
    assert outcome.activated
    artifact = live(tmp_path)
    assert artifact.manifest.version == outcome.version
    scores = artifact.user_embeddings @ artifact.item_embeddings.T
    parity = np.arange(len(artifact.users))[:, None] % 2 == np.arange(len(artifact.items)) % 2
    assert scores[parity].min() > scores[~parity].max()


def test_the_manifest_tells_how_the_version_was_made(tmp_path: Path) -> None:
    train(tmp_path)
    manifest = live(tmp_path).manifest
    assert manifest.training.recipe == GOOD.model_dump(mode="json")
    assert manifest.training.gate.passed is True
    assert manifest.training.recent_events == pipeline.recent_events(two_tastes().events, days=30)
    assert set(manifest.training.recent_events) == {"purchase"}
    recall = manifest.metrics["recall@20"]
    assert recall.low <= recall.value <= recall.high
    assert recall.value > 0.5


def test_recent_events_are_of_the_last_days_that_there_are_events_of() -> None:
    days = {"view": [0, 15, 30], "purchase": [40]}
    rows = [
        (name, datetime(2024, 5, 1, tzinfo=UTC) + timedelta(days=day))
        for name, all_of in days.items()
        for day in all_of
    ]
    frame = pl.DataFrame(rows, schema=["event_type", "timestamp"], orient="row")
    assert pipeline.recent_events(frame, days=30) == {"purchase": 1, "view": 2}
    assert pipeline.recent_events(frame.clear(), days=30) == {}


def test_what_is_published_folds_in_and_tells_of_types_first_events_attributes_and_the_stream(tmp_path: Path) -> None:
    shop = two_tastes()
    told = shop.catalogue.with_columns(pl.Series("attr:side", ["left", None] * 30))
    train(tmp_path, shop=replace(shop, catalogue=told, stream_sequence=17))
    artifact = live(tmp_path)
    assert artifact.manifest.stream_sequence == 17
    assert artifact.manifest.fold_in == artifact.fold_in.info
    assert artifact.fold_in.info.kind == "als"
    assert set(artifact.history.weights.tolist()) == {5.0}
    assert set(artifact.history.type_sets.tolist()) == {1 << artifact.manifest.event_types.index("purchase")}
    assert artifact.catalogue.item(0).attributes == {"side": "left"}
    assert artifact.catalogue.item(1).attributes == {}
    item = artifact.items.id_of(0)
    first = shop.events.filter(pl.col("item_id") == item)["timestamp"].min()
    assert artifact.first_seen[0] == int(first.timestamp())


def test_a_version_is_judged_by_the_lists_that_its_blend_would_serve(tmp_path: Path) -> None:
    settings = Settings(artifact_dir=tmp_path, horizon_days=30)
    shop = two_tastes()
    window = windows.held_out(shop.events, weights=shop.weights, settings=settings)[-1]
    blend = Blend(BlendInfo(popularity=9))
    judged = judging.judge(GOOD, window, blend=blend, baseline=BASELINE, live=None, settings=settings)
    alone = judging.judge(GOOD, window, blend=Blend(), baseline=BASELINE, live=None, settings=settings)
    assert alone.personal is None
    assert judged.personal is not None
    np.testing.assert_array_equal(judged.personal.ranked, alone.new.ranked)
    assert judged.new.mean("ndcg@20") < alone.new.mean("ndcg@20")  # popularity knows no tastes
    fitted = recipes.fit(GOOD, window.train, recent_days=30, seed=0)
    served = blending.scorer(fitted, window.train, blend, recent_days=30)
    np.testing.assert_array_equal(judged.new.ranked, evaluate(served, window, ks=judging.KS).ranked)


def test_the_live_version_is_judged_with_its_own_blend(tmp_path: Path) -> None:
    settings = Settings(artifact_dir=tmp_path, horizon_days=30)
    shop = two_tastes()
    train(tmp_path, shop=shop)
    window = windows.held_out(shop.events, weights=shop.weights, settings=settings)[-1]
    manifest = live(tmp_path).manifest.model_copy(update={"blend": BlendInfo(popularity=9)})
    judged = judging.judge(
        GOOD, window, blend=Blend(BlendInfo(popularity=9)), baseline=BASELINE, live=manifest, settings=settings
    )
    assert judged.live is not None
    np.testing.assert_array_equal(judged.live.ranked, judged.new.ranked)


def test_the_report_shows_the_blend_and_the_personal_score_beside_it(tmp_path: Path) -> None:
    settings = Settings(artifact_dir=tmp_path, horizon_days=30)
    shop = two_tastes()
    window = windows.held_out(shop.events, weights=shop.weights, settings=settings)[-1]
    blend = ChosenBlend(Blend(BlendInfo(recency=0.1)), PairedDifference(value=0.02, low=0.01, high=0.03, p_value=0.001))
    judged = judging.judge(GOOD, window, blend=blend.blend, baseline=BASELINE, live=None, settings=settings)
    report = run_report.describe("v", Choice(GOOD, blend, BASELINE, []), judged, two_stage=None, settings=settings)
    assert report.settings["blend: recency"] == 0.1
    assert "+0.0200 [+0.0100, +0.0300]" in report.settings.values()
    assert [model.name for model in report.models][:2] == ["als", "its personal score alone"]
    assert "its personal score alone" in {comparison.baseline for comparison in report.comparisons}


def test_without_a_recipe_one_is_chosen_on_the_window_before_the_newest(tmp_path: Path) -> None:
    outcome = train(tmp_path, recipe=None)
    assert outcome.judgement is not None
    assert outcome.judgement.new.mean("recall@20") > outcome.judgement.popularity.mean("recall@20")


def test_a_worse_version_is_refused_recorded_and_the_old_one_stays(tmp_path: Path) -> None:
    first = train(tmp_path)
    refused = train(tmp_path, recipe=BASELINE)
    assert not refused.activated
    assert layout.current_version(tmp_path) == first.version
    recorded = open_artifact(layout.version_dir(tmp_path, refused.version)).manifest.training.gate
    assert recorded.passed is False
    assert any("live version" in reason and reason.startswith("failed") for reason in recorded.reasons)


def test_force_puts_a_refused_version_live_and_says_so(tmp_path: Path) -> None:
    train(tmp_path)
    forced = train(tmp_path, recipe=BASELINE, force=True)
    assert layout.current_version(tmp_path) == forced.version
    gate = live(tmp_path).manifest.training.gate
    assert (gate.passed, gate.forced) == (False, True)


def test_events_too_few_to_judge_make_a_first_version_but_replace_none(tmp_path: Path) -> None:
    shop = two_tastes(n_users=ENOUGH_USERS - 1)
    assert train(tmp_path, shop=shop).activated
    assert not train(tmp_path, shop=shop, recipe=GOOD.model_copy(update={"recency_strength": 1.0})).activated


def test_events_without_times_are_judged_by_a_random_part_of_them(tmp_path: Path) -> None:
    shop = two_tastes()
    at_once = shop.events.with_columns(timestamp=pl.lit(START).dt.cast_time_unit("us"))
    outcome = train(tmp_path, shop=Shop(at_once, shop.catalogue, shop.weights))
    assert outcome.activated
    assert outcome.judgement is not None
    assert outcome.judgement.window.cut is None
    assert outcome.report is not None
    assert "a random fifth of each user" in outcome.report.read_text()


def test_a_few_live_events_after_a_pause_of_a_year_do_not_end_the_judging_nor_are_all_that_is_popular(
    tmp_path: Path,
) -> None:
    shop = two_tastes()
    train(tmp_path, shop=shop)
    live_events = shop.events.tail(2).with_columns(pl.col("timestamp") + pl.duration(days=400), user_id=pl.lit("new"))
    outcome = train(tmp_path, shop=replace(shop, events=pl.concat([shop.events, live_events])))
    assert outcome.activated
    assert outcome.judgement is not None
    assert outcome.judgement.window.test.nnz > 50
    assert np.count_nonzero(live(tmp_path).popularity) > 5


def test_a_shop_of_guests_only_is_served_though_nobody_can_be_judged(tmp_path: Path) -> None:
    shop = two_tastes(n_users=100, events_a_user=1)
    outcome = train(tmp_path, shop=shop)
    assert outcome.judgement is None
    assert outcome.activated


def test_refused_versions_do_not_push_out_what_to_roll_back_to(tmp_path: Path) -> None:
    first = train(tmp_path).version
    train(tmp_path)
    for _ in range(5):
        train(tmp_path, recipe=BASELINE)
    assert first in layout.list_versions(tmp_path)


def test_no_events_where_there_were_some_is_a_clear_error_and_the_live_version_stays(tmp_path: Path) -> None:
    shop = two_tastes()
    first = train(tmp_path, shop=shop).version
    with pytest.raises(DataError, match="expected events to learn from, found none"):
        train(tmp_path, shop=Shop(shop.events.head(0), shop.catalogue, shop.weights))
    assert layout.current_version(tmp_path) == first


def test_a_live_recipe_like_the_new_one_is_fitted_and_ranked_once(
    tmp_path: Path, fits: list[tuple[Recipe, int]]
) -> None:
    train(tmp_path)
    fits.clear()
    outcome = train(tmp_path)
    assert outcome.judgement is not None
    assert outcome.judgement.live is outcome.judgement.new
    # for the blend, for the judgement, and on everything
    assert [one for one, _ in fits if one == GOOD] == [GOOD] * 3


def test_the_winner_of_the_comparison_is_not_fitted_again_for_its_blend(
    tmp_path: Path, fits: list[tuple[Recipe, int]]
) -> None:
    settings = Settings(artifact_dir=tmp_path, horizon_days=30)
    shop = two_tastes()
    window = windows.held_out(shop.events, weights=shop.weights, settings=settings)[0]
    choice = selection.choose(None, [window], [GOOD, BAD], settings=settings)
    assert choice.recipe.settings == GOOD.settings
    assert [one for one, _ in fits if one.model == "als"] == [GOOD, BAD]


def test_a_seeded_sample_of_the_users_gives_the_same_verdict(tmp_path: Path) -> None:
    shop = two_tastes()
    verdicts = [
        pipeline.train(
            shop,
            settings=Settings(artifact_dir=tmp_path / str(users), horizon_days=30, judging_users=users),
            recipe=GOOD,
            force=False,
        ).verdict
        for users in (40, 20_000)
    ]
    assert [verdict.passed for verdict in verdicts] == [True, True]
    assert verdicts[0].users == 40
    assert verdicts[1].users > 60


def test_events_are_let_go_before_models_are_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[weakref.ref[pl.DataFrame]] = []
    held: list[bool] = []
    fit_model = recipes.fit_model

    def shop() -> Shop:
        made = two_tastes()
        frames.append(weakref.ref(made.events))
        return made

    def noted(*given: Any, **named: Any) -> Embeddings:
        held.append(frames[0]() is not None)
        return fit_model(*given, **named)

    monkeypatch.setattr(recipes, "fit_model", noted)
    pipeline.train(shop(), settings=Settings(artifact_dir=tmp_path), recipe=GOOD, force=False)
    assert held
    assert not any(held)


def test_items_that_nobody_touched_are_in_the_catalogue(tmp_path: Path) -> None:
    shop = two_tastes()
    train(tmp_path, shop=Shop(shop.events.filter(pl.col("item_id") != "i007"), shop.catalogue, shop.weights))
    artifact = live(tmp_path)
    row = artifact.items.row_of("i007")
    assert row is not None
    assert artifact.catalogue.item(row).title == "Item 7"
    assert not artifact.item_embeddings[row].any()


@pytest.mark.parametrize(
    "recipe",
    [
        SpectralRecipe(settings=SpectralSettings(dim=4)),
        LightGCNRecipe(settings=LightGCNSettings(dim=8, epochs=3)),
    ],
)
def test_every_model_goes_the_same_way(tmp_path: Path, recipe: Recipe) -> None:
    assert train(tmp_path, recipe=recipe).activated
    assert live(tmp_path).manifest.model == recipe.model


def test_training_until_a_moment_knows_nothing_later(tmp_path: Path) -> None:
    shop = two_tastes()
    middle = shop.events["timestamp"].quantile(0.5)
    train(tmp_path, shop=pipeline.before(replace(shop, stream_sequence=17), middle))
    assert live(tmp_path).history.times.max() < middle.timestamp()
    assert live(tmp_path).manifest.stream_sequence == 0


def test_tuning_finds_a_recipe_at_least_as_good_as_the_defaults(tmp_path: Path) -> None:
    settings = Settings(artifact_dir=tmp_path, horizon_days=30)
    found = pipeline.tune(two_tastes(), settings=settings, models=["als"], budget_s=0)
    again = pipeline.tune(two_tastes(), settings=settings, models=["als"], budget_s=0)
    assert found.recipe.model == "als"
    assert again == found  # the study went on where it stood, and there was no time for more
    assert found.score > 0.3


def test_tuning_wants_three_windows(tmp_path: Path) -> None:
    shop = two_tastes()
    short = Shop(shop.events.head(3), shop.catalogue, shop.weights)
    with pytest.raises(DataError, match="three held-out windows"):
        pipeline.tune(short, settings=Settings(artifact_dir=tmp_path), models=["als"], budget_s=0)
