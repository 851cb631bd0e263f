"""The default recipes on generated shops: what is chosen is never below the best baseline by more than noise."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from conftest import interactions_of
from small_shops import grocer, pairs_of_items, small_shop, what_comes_next

from trainer.choosing import selection
from trainer.choosing.default_recipes import affordable_epochs, default_recipes
from trainer.choosing.gate import METRIC
from trainer.choosing.recipe import EASERecipe, IALSRecipe, Recipe, SASRecRecipe
from trainer.evaluation import bootstrap, windows
from trainer.models.ease import EASESettings
from trainer.models.ials import IALSSettings
from trainer.models.sasrec import SASRecSettings
from trainer.report import table
from trainer.settings import Settings
from trainer.shop_data import interactions
from trainer.shop_data.shop import Shop

SETTINGS = Settings()


@pytest.mark.parametrize("make", [small_shop, grocer, pairs_of_items])
def test_the_best_on_the_window_before_is_not_below_the_best_baseline_on_the_newest(make: Callable[[], Shop]) -> None:
    shop = make()
    *before, newest = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=SETTINGS)
    best, _ = selection.best_by_order_too(default_recipes(newest.train), before, settings=SETTINGS)
    personal = table.of_recipe(best.recipe, newest, recent_days=SETTINGS.recent_days).evaluation
    for baseline in table.of_baselines(newest, recent_days=SETTINGS.recent_days):
        gain = bootstrap.paired(personal.per_user[METRIC], baseline.evaluation.per_user[METRIC])
        assert gain.high > 0, (best.recipe, baseline.name, gain)


def test_where_order_decides_the_sequence_model_is_chosen() -> None:
    shop = what_comes_next()
    *before, newest = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=SETTINGS)
    tried = default_recipes(newest.train)
    assert isinstance(tried[-1], SASRecRecipe)  # the riskiest: it must be better than all others by more than noise
    best, _ = selection.best_of(tried, before, settings=SETTINGS)
    assert isinstance(best.recipe, SASRecRecipe)


def test_where_order_decides_the_newest_items_of_a_history_count_more_or_a_model_of_sequences_is_chosen() -> None:
    shop = what_comes_next()
    *before, newest = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=SETTINGS)
    best, _ = selection.best_by_order_too(default_recipes(newest.train), before, settings=SETTINGS)
    assert isinstance(best.recipe, SASRecRecipe) or not best.recipe.age.is_off


def test_where_the_newest_items_say_no_more_than_the_older_ones_no_model_of_sequences_is_fitted(
    fits: list[tuple[Recipe, int]],
) -> None:
    shop = small_shop()
    *before, _ = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=SETTINGS)
    to_try = [EASERecipe(settings=EASESettings(dim=64)), SASRecRecipe()]
    best, _ = selection.best_by_order_too(to_try, before, settings=SETTINGS)
    assert best.recipe.age.is_off
    assert {type(recipe) for recipe, _ in fits} == {EASERecipe}


@pytest.mark.parametrize("make", [small_shop, grocer])
def test_where_order_says_nothing_no_sequence_model_is_tried(make: Callable[[], Shop]) -> None:
    shop = make()
    known = interactions.build(shop.events, weights=shop.weights)
    assert not any(isinstance(one, SASRecRecipe) for one in default_recipes(known))


def test_where_order_is_shuffled_by_chance_and_tried_all_the_same_it_is_not_chosen() -> None:
    shop = small_shop()
    *before, newest = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=SETTINGS)
    sequence_model = SASRecRecipe(settings=SASRecSettings(dim=32, epochs=8))
    best, _ = selection.best_of([*default_recipes(newest.train), sequence_model], before, settings=SETTINGS)
    assert not isinstance(best.recipe, SASRecRecipe)


@pytest.mark.parametrize(
    ("pairs", "n_items", "epochs"),
    [(7_000, 100, 200), (200_000, 0, 20), (200_000, 100_000, 10), (1_000_000, 0, 4), (10_000_000, 0, 0)],
)
def test_the_epochs_of_a_sequence_model_fall_with_pairs_and_items(pairs: int, n_items: int, epochs: int) -> None:
    assert affordable_epochs(pairs=pairs, n_items=n_items) == epochs


@pytest.mark.parametrize(("n_items", "weight"), [(3_000, 0.3), (9_000, 0.1), (40_000, 0.022)])
def test_the_weight_of_an_unobserved_pair_falls_with_the_catalogue(n_items: int, weight: float) -> None:
    """Summed over the items of a catalogue it is about the same; else it would drown the data of a large one."""
    known = interactions_of(np.ones((1, 1), np.float32))
    large = replace(known, user_ids=["u"] * 20_000, item_ids=["i"] * n_items)
    tried = default_recipes(large)
    assert weight in [one.settings.unobserved_weight for one in tried if isinstance(one, IALSRecipe)]
    assert any(isinstance(one, EASERecipe) for one in tried) == (n_items <= 4_000)


def test_a_dense_catalogue_of_three_thousand_items_is_tried_with_ease_and_with_the_ials_that_is_best_there() -> None:
    """As a trial found on unseen pairs of 6 thousand users and 3 thousand items."""
    known = interactions_of(np.ones((1, 1), np.float32))
    tried = default_recipes(replace(known, user_ids=["u"] * 6_000, item_ids=["i"] * 3_000))
    assert {one.settings.dim for one in tried if isinstance(one, EASERecipe)} == {128, 256, 512}
    best = IALSSettings(dim=128, unobserved_weight=0.3, regularization=0.01, user_length_exponent=0.3, sweeps=8)
    assert IALSRecipe(settings=best) in tried


@pytest.mark.parametrize("n_items", [10, 3_000, 9_000, 40_000, 10_000_000])
def test_recipes_of_every_size_of_shop_reach_from_nearly_popular_to_many_dimensions(n_items: int) -> None:
    """A shop whose users have no tastes is left with the first, one of millions of pairs of items wants the last."""
    known = interactions_of(np.ones((1, 1), np.float32))
    tried = default_recipes(replace(known, user_ids=["u"] * 20_000, item_ids=["i"] * n_items))
    strongest = max(one.settings.regularization for one in tried if isinstance(one, IALSRecipe))
    assert strongest == 0.1
    most = max(one.settings.dim for one in tried)
    assert most >= (512 if n_items > 10_000 else min(128, n_items))
