"""What choosing a recipe costs where few users judge: generated shops, whose users' futures can be drawn again."""

from collections.abc import Callable

import numpy as np
import pytest
from small_shops import grocer, small_shop

from trainer.choosing import recipe as recipes
from trainer.choosing import selection
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.recipe import Recipe
from trainer.choosing.selection import Tried
from trainer.evaluation import split, windows
from trainer.evaluation.split import Split
from trainer.settings import Settings
from trainer.shop_data import interactions
from trainer.shop_data.shop import Shop

SETTINGS = Settings()
SEEDS = range(2)
FUTURES = 2


def of_tastes(n_users: int, seed: int) -> Shop:
    return small_shop(n_users=n_users, n_items=60 + n_users, n_events=12 * n_users, seed=seed)


def without_tastes(n_users: int, seed: int) -> Shop:
    return grocer(n_users=n_users, seed=seed)


def loss(make: Callable[[int, int], Shop], n_users: int, seed: int) -> float:
    """How far below the best candidate the chosen one is, in NDCG@20 over several futures of all users."""
    shop = make(n_users, seed)
    *before, _ = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=SETTINGS)
    known = interactions.build(shop.events, weights=shop.weights)
    to_try = default_recipes(known)
    chosen, _ = selection.best_of(to_try, before, settings=SETTINGS)
    drawn = (make(n_users, 1_000 + 10 * seed + one).events for one in range(FUTURES))
    futures = [split.hold_out(known, interactions.build(one, weights=shop.weights), cut=None) for one in drawn]
    truth = {each.recipe: float(each.ndcg.mean()) for one in to_try for each in tried_on_all(one, futures)}
    return 1 - truth[chosen.recipe] / max(truth.values())


def tried_on_all(recipe: Recipe, futures: list[Split]) -> list[Tried]:
    """One fit, since all futures have the same past."""
    fitted = recipes.fit_model(recipe, futures[0].train, seed=0)
    strengths = selection.with_strengths(recipe)
    return selection.together([selection.tried(strengths, fitted, one, settings=SETTINGS) for one in futures])


@pytest.mark.parametrize(("n_users", "at_most"), [(10, 0.15), (50, 0.05), (200, 0.1)])
def test_the_choice_costs_little_against_the_best_candidate(n_users: int, at_most: float) -> None:
    losses = [loss(make, n_users, seed) for make in (of_tastes, without_tastes) for seed in SEEDS]
    assert np.mean(losses) < at_most, losses
