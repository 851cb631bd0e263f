"""The ranker that learns: what it knows, what LightGBM says of its trees, and where it may not rank."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from two_tastes import DAYS, START, two_tastes

from recsys.ranking_features import (
    CATEGORY_FEATURES,
    FEATURES,
    ITEM_FEATURES,
    LIST_FEATURES,
    PRICE_FEATURES,
    USER_FEATURES,
    of_taste,
)
from recsys.trees import Trees
from trainer.choosing import judging
from trainer.choosing.blending import Blend
from trainer.choosing.learning import Candidates
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe
from trainer.evaluation import split as splits
from trainer.evaluation.split import Split
from trainer.models import als
from trainer.models.als import ALSSettings
from trainer.ranker import item_features, taste, training
from trainer.ranker.training import Learned, Lists
from trainer.settings import Settings
from trainer.shop_data import interactions
from trainer.shop_data.interactions import Interactions

ROWS, CANDIDATES = 4_000, 40
WEIGHTS = {"purchase": 5.0}
RECIPE = ALSRecipe(settings=ALSSettings(dim=8, iterations=3))


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    found = rng.normal(size=(ROWS, len(FEATURES))).astype(np.float32)
    found[:, FEATURES.index("blend_rank")] = rng.integers(CANDIDATES, size=ROWS)
    return found


@pytest.fixture(scope="module")
def lists(rows: NDArray[np.float32]) -> Lists:
    """What is taken depends on two features at once."""
    noise = np.random.default_rng(4).normal(size=ROWS)
    taken = rows[:, 0] * rows[:, 7] + noise > 1.5
    parts = ROWS // CANDIDATES
    return Lists.of(list(FEATURES), np.split(rows, parts), np.split(taken, parts))


@pytest.fixture(scope="module")
def booster(lists: Lists) -> lgb.Booster:
    settings = training._settings(0) | {"num_leaves": 32, "min_data_in_leaf": 5, "num_threads": 1}
    data = lgb.Dataset(lists.features, label=lists.taken.astype(np.int32), group=lists.sizes)
    return lgb.train(settings, data, num_boost_round=30)


def test_the_trees_as_arrays_score_as_lightgbm_does(booster: lgb.Booster, rows: NDArray[np.float32]) -> None:
    trees = training.trees_of(booster)
    assert trees.leaves.shape == (30, 32)
    np.testing.assert_allclose(trees.scores(rows), booster.predict(rows), atol=1e-9)


def test_a_value_that_equals_a_threshold_goes_where_lightgbm_sends_it(booster: lgb.Booster) -> None:
    trees = training.trees_of(booster)
    on_edges = np.zeros((50, len(FEATURES)), np.float64)
    for column in range(len(FEATURES)):
        thresholds = trees.thresholds[trees.features == column]
        on_edges[:, column] = np.resize(thresholds, 50) if len(thresholds) else 0
    np.testing.assert_allclose(trees.scores(on_edges), booster.predict(on_edges), atol=1e-9)  # type: ignore[arg-type]


def test_what_each_feature_adds_is_the_shap_value_that_lightgbm_has(
    booster: lgb.Booster, rows: NDArray[np.float32]
) -> None:
    trees = training.trees_of(booster)
    ours = np.stack([trees.contributions(row, n_features=len(FEATURES)) for row in rows[:5]])
    np.testing.assert_allclose(ours, booster.predict(rows[:5], pred_contrib=True), atol=1e-9)
    np.testing.assert_allclose(ours.sum(axis=1), trees.scores(rows[:5]), atol=1e-9)


def test_trees_without_a_split_score_every_row_alike(rows: NDArray[np.float32]) -> None:
    data = lgb.Dataset(rows[:40], label=np.r_[1, np.zeros(39)], group=[40])
    trees = training.trees_of(lgb.train(training._settings(0) | {"min_data_in_leaf": 1000}, data, 3))
    assert np.ptp(trees.scores(rows)) == 0
    assert (trees.contributions(rows[0], n_features=len(FEATURES))[:-1] == 0).all()


def test_the_same_lists_and_seed_teach_the_same_trees(lists: Lists) -> None:
    one, other = (training.train(lists, base_weight=3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.trees.leaves, other.trees.leaves)
    np.testing.assert_array_equal(one.trees.thresholds, other.trees.thresholds)


def test_lists_of_which_everything_or_nothing_was_taken_teach_nothing() -> None:
    features = [np.full((3, len(FEATURES)), number, np.float32) for number in range(3)]
    taken = [np.array(each) for each in ([False] * 3, [True] * 3, [False, True, False])]
    lists = Lists.of(list(FEATURES), features, taken)
    assert lists.sizes.tolist() == [3]
    assert (lists.features == 2).all()


def window_of(events: pl.DataFrame) -> Split:
    return splits.temporal(events, weights=WEIGHTS, cut=START + timedelta(days=DAYS - 40), horizon_days=40)


def with_another_future(events: pl.DataFrame) -> pl.DataFrame:
    """Who buys what after the cut is dealt out anew, among users and items of before, at other times."""
    cut = START + timedelta(days=DAYS - 40)
    before, after = events.filter(pl.col("timestamp") < cut), events.filter(pl.col("timestamp") >= cut)
    return pl.concat(
        [
            before,
            after.with_columns(pl.col("item_id").shuffle(seed=1), timestamp=pl.col("timestamp").sort(descending=True)),
        ]
    )


def of_every_candidate(window: Split) -> Lists:
    """The lists of the window's users as if they had taken everything but one item: no list is left out."""
    fitted = als.fit(window.train, RECIPE.settings, seed=0)
    taken = np.ones(window.test.shape, np.float32)
    taken[:, 7] = 0
    asked = replace(window, test=sp.csr_matrix(taken))
    catalogue = two_tastes().catalogue
    return Candidates(RECIPE, fitted, asked, Blend(), Settings(), catalogue).lists()


def test_no_feature_knows_the_future() -> None:
    events = two_tastes(n_users=120).events
    true, other = window_of(events), window_of(with_another_future(events))
    assert (true.test != other.test).nnz > 100
    np.testing.assert_array_equal(item_features.of_items(true.train), item_features.of_items(other.train))
    lists = of_every_candidate(true)
    assert lists.names == list(FEATURES)
    assert len(lists.sizes) > 50
    assert (np.ptp(lists.features[:, len(LIST_FEATURES) :], axis=0) > 0).all()  # a taste that all share tests nothing
    np.testing.assert_array_equal(lists.features, of_every_candidate(other).features)


def test_features_of_all_events_would_know_the_future() -> None:
    events = two_tastes(n_users=120).events
    true, other = (
        item_features.of_items(interactions.build(each, weights=WEIGHTS))
        for each in (events, with_another_future(events))
    )
    assert (true != other).any()


def test_a_taste_of_all_events_would_know_the_future() -> None:
    events = two_tastes(n_users=120).events
    true, other = (interactions.build(each, weights=WEIGHTS) for each in (events, with_another_future(events)))
    shelf = taste.shelf_of(true, two_tastes().catalogue)
    names, rows = taste.names_of(shelf), np.arange(len(true.item_ids))

    def tastes(known: Interactions) -> NDArray[np.float32]:
        now = int(known.last_seen.max())
        had = taste.histories(known, np.arange(120))
        return np.array([of_taste(names, rows, history=each, shelf=shelf, now=now) for each in had])

    assert (tastes(true) != tastes(other)).any(axis=(0, 1)).all()  # each of the features


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["category", "price"], FEATURES),
        (["category"], [*LIST_FEATURES, *CATEGORY_FEATURES, *USER_FEATURES]),
        (["price"], [*LIST_FEATURES, *PRICE_FEATURES, *USER_FEATURES]),
        ([], [*LIST_FEATURES, *USER_FEATURES]),
    ],
)
def test_a_ranker_learns_of_a_taste_what_the_catalogue_has_facts_for(
    columns: list[str], expected: Sequence[str]
) -> None:
    window = window_of(two_tastes().events)
    fitted = als.fit(window.train, RECIPE.settings, seed=0)
    catalogue = two_tastes().catalogue.with_columns(
        pl.lit(None).alias(name) for name in ("category", "price") if name not in columns
    )
    lists = Candidates(RECIPE, fitted, window, Blend(), Settings(), catalogue).lists()
    assert lists.names == list(expected)
    assert lists.features.shape[1] == len(expected)


def test_few_lists_teach_no_ranker() -> None:
    window = window_of(two_tastes().events)
    fitted = als.fit(window.train, RECIPE.settings, seed=0)
    assert Candidates(RECIPE, fitted, window, Blend(), Settings()).learn() is None


def unfitting(lists: Lists) -> Learned:
    """Trees that put the worst first."""
    learned = training.train(lists, base_weight=3, seed=0)
    rank = FEATURES.index("blend_rank")
    return replace(
        learned,
        trees=Trees(
            features=np.array([[rank]], np.int32),
            thresholds=np.array([[3.5]]),
            children=np.array([[[-1, -2]]], np.int32),
            leaves=np.array([[0.0, 100.0]]),
            counts=np.ones((1, 2)),
        ),
    )


def test_a_ranker_that_is_no_better_than_the_blend_does_not_rank_and_the_run_says_so(
    lists: Lists, tmp_path: Path
) -> None:
    window = window_of(two_tastes().events)
    settings = Settings(artifact_dir=tmp_path)
    judged = judging.judge(
        RECIPE,
        window,
        blend=Blend(),
        ranker=unfitting(lists),
        baseline=PopularityRecipe(),
        live=None,
        settings=settings,
    )
    assert judged.learned is not None
    assert judged.learned.gain.high < 0
    assert judged.blend == Blend()
    assert judged.new is judged.learned.blend
    [reason] = [one for one in judging.verdict_on(judged, 1.0, settings=settings).reasons if "ranker" in one]
    assert reason.startswith("passed: the learned ranker is not better than the blend beyond noise")


def test_an_item_without_events_is_neither_new_nor_in_demand() -> None:
    known = interactions.build(two_tastes().events, weights=WEIGHTS, catalogue_items=["never"])
    features = dict(
        zip(ITEM_FEATURES, item_features.of_items(known)[known.item_ids.index("never")].tolist(), strict=True)
    )
    assert features.pop("age_days") == features.pop("days_since_last_event") == 100_000
    assert set(features.values()) == {0.0}
