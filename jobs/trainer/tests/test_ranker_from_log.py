"""The ranker that learns from what was shown: a made log, whose first places are looked at most, and a lake's."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from lake_files import Row
from numpy.typing import NDArray
from test_exposures import SHOP, click, lake_of, list_shown
from two_tastes import DAYS, START

from recsys.ranking_features import FEATURES, LIST_FEATURES
from trainer.choosing.blending import Blend
from trainer.choosing.learning import Candidates
from trainer.choosing.recipe import ALSRecipe
from trainer.evaluation import exposures, off_policy, windows
from trainer.evaluation.off_policy import Log
from trainer.evaluation.split import Split
from trainer.models import als
from trainer.models.als import ALSSettings
from trainer.ranker import training
from trainer.ranker.training import Lists
from trainer.settings import Settings

LISTS, PLACES, ITEMS = 4_000, 10, 100
LOOKED_AT = 0.9 / np.arange(1, PLACES + 1) ** 1.3
LIKED = np.linspace(0.05, 0.6, ITEMS)  # once an item is looked at
RECIPE = ALSRecipe(settings=ALSSettings(dim=8, iterations=3))


def log_with_a_bias() -> Log:
    """The worse an item, the higher it stands, give or take some places."""
    rng = np.random.default_rng(0)
    drawn = np.array([rng.choice(ITEMS, PLACES, replace=False) for _ in range(LISTS)])
    order = np.argsort(drawn + rng.normal(scale=15, size=drawn.shape), axis=1)
    items = np.take_along_axis(drawn, order, axis=1)
    return Log(
        people=np.arange(LISTS),
        lists=np.repeat(np.arange(LISTS), PLACES),
        places=np.tile(np.arange(PLACES), LISTS),
        items=items.ravel(),
        propensities=np.ones(items.size),
        earned=(rng.random(items.shape) < LOOKED_AT * LIKED[items]).ravel().astype(np.float64),
    )


def learned_order(log: Log, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """What a ranker scores the items that knows nothing of them but their number."""
    column = FEATURES.index("user_price_ratio")
    rows = np.zeros((len(log.items), len(FEATURES)), np.float32)
    rows[:, column] = log.items
    counts = None if weights is None else np.split(weights, LISTS)
    lists = Lists.of(list(FEATURES), np.split(rows, LISTS), np.split(log.earned > 0, LISTS), counts)
    of_items = np.zeros((ITEMS, len(FEATURES)), np.float32)
    of_items[:, column] = np.arange(ITEMS)
    return training.train(lists, base_weight=3, seed=0).trees.scores(of_items)


def right_pairs(scores: NDArray[np.float64]) -> float:
    """The share of pairs of items whose better one scores higher; of those that score alike, half."""
    worse, better = np.triu_indices(ITEMS, k=1)
    return float(np.mean((1 + np.sign(scores[better] - scores[worse])) / 2))


def test_the_log_tells_how_often_a_place_is_looked_at() -> None:
    log = log_with_a_bias()
    np.testing.assert_allclose(off_policy.looked_at(log), LOOKED_AT / LOOKED_AT[0], rtol=0.35)
    raw = log.earned.reshape(LISTS, PLACES).mean(axis=0)
    assert raw[-1] / raw[0] > 1.5 * LOOKED_AT[-1] / LOOKED_AT[0]  # what a place earns does not


def test_weights_of_places_make_the_ranker_order_by_what_is_liked() -> None:
    log = log_with_a_bias()
    assert right_pairs(learned_order(log, off_policy.weights_of_places(log))) > 0.75
    assert right_pairs(learned_order(log, None)) < 0.35  # worse than chance: as they were shown


def test_a_place_that_nobody_looks_at_counts_no_more_than_the_largest_weight() -> None:
    log = log_with_a_bias()
    blind = replace(log, earned=np.where(log.places == PLACES - 1, 0.0, log.earned))
    assert off_policy.weights_of_places(blind).max() == off_policy.MOST_WEIGHT


@pytest.fixture
def held_out() -> list[Split]:
    return windows.held_out(SHOP.events, weights=SHOP.weights, settings=Settings(horizon_days=30))


def shown_on(day: float, list_id: str, items: list[str]) -> Row:
    at = START + timedelta(days=day)
    return list_shown(list_id, "u002", items, [1.0] * len(items), unix_ms=int(at.timestamp() * 1000))


def test_of_the_candidates_that_were_shown_those_taken_then_teach_the_ranker(
    held_out: list[Split], tmp_path: Path
) -> None:
    before = held_out[-2]
    of_user = before.train.user_ids.index("u002")
    had = {before.train.item_ids[item] for item in before.train.weights[of_user].indices}
    unseen = [item for item in before.train.item_ids if item not in had][:3]
    shown = [
        shown_on(DAYS - 50, "in the window", [*unseen, "unknown", sorted(had)[0]]),
        shown_on(DAYS - 5, "in the window that judges", unseen),
    ]
    when = shown[0]["unix_ms"] + 60_000
    done = [
        click("in the window", "u002", unseen[1]) | {"unix_ms": when},
        click(shown[1]["list_id"], "u002", unseen[0]),
    ]

    found = exposures.in_window(lake_of(tmp_path, shown, done), before, until=held_out[-1].cut)
    assert found is not None
    fitted = als.fit(before.train, RECIPE.settings, seed=0)
    candidates = Candidates(RECIPE, fitted, before, Blend(), Settings())
    lists = candidates.lists_shown(found)

    assert lists.sizes.tolist() == [3]
    assert lists.taken.tolist() == [False, True, False]
    ranks = lists.features[:, LIST_FEATURES.index("personal_rank")]
    assert len(set(ranks)) == 3  # among all candidates, as when they are served
    both = candidates.lists().and_of(lists)
    assert both.sizes[-1] == 3
    assert len(both.taken) == len(both.weights) == len(both.features) == both.sizes.sum()
