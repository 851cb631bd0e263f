"""The table of `trainer evaluate`: every recipe fitted once a window, and what `train` would have chosen."""

import json
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from small_shops import grocer, shop_without_times, small_shop, what_comes_next

from trainer.choosing import selection
from trainer.choosing.fits import KeptFits
from trainer.choosing.recipe import ALSRecipe, PersonalRecipe, Recipe, SpectralRecipe
from trainer.choosing.selection import Choice
from trainer.evaluation import sample, split, windows
from trainer.evaluation.split import Split
from trainer.models.als import ALSSettings
from trainer.models.spectral import SpectralSettings
from trainer.report import table
from trainer.settings import Settings
from trainer.shop_data.shop import Shop

SETTINGS = Settings()
RECIPES: list[PersonalRecipe] = [
    SpectralRecipe(settings=SpectralSettings(dim=8)),
    ALSRecipe(settings=ALSSettings(dim=16, alpha=0.5, regularization=10, iterations=5)),
]


def few_users() -> Shop:
    """Fewer than 300 a window."""
    return small_shop(n_users=150, n_events=3_000)


@pytest.fixture(scope="module")
def held_out() -> list[Split]:
    shop = small_shop()
    return windows.held_out(shop.events, weights=shop.weights, settings=SETTINGS, most=2)


@pytest.fixture(autouse=True)
def two_default_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "default_recipes", lambda known: RECIPES)


def test_each_recipe_is_fitted_once_a_window(held_out: list[Split], fits: list[tuple[Recipe, int]]) -> None:
    lines = [one.line() for one in table.tables(held_out, None, settings=SETTINGS)]
    shown = [line for line in lines if line.startswith(("| spectral", "| als"))]
    assert len(shown) == 2 * 4 + 1  # with recency and without; then the choice
    assert models(fits) == ["spectral", "als"] * 2  # the choice by the first window too goes by these


def test_rows_are_those_of_each_recipe_alone(held_out: list[Split]) -> None:
    printed = printed_of(held_out)
    for window in held_out:
        for one in RECIPES:
            for strength in (0.0, 1.0):
                recipe = one.model_copy(update={"recency_strength": strength})
                row = table.of_recipe(recipe, window, recent_days=SETTINGS.recent_days).line()
                assert without_time(row) in without_time(printed)


@pytest.mark.parametrize("make", [small_shop, what_comes_next])
def test_what_train_would_have_chosen_is_what_it_chooses_and_serves(make: Callable[[], Shop]) -> None:
    shop = make()
    *before, newest = windows.held_out(shop.events, weights=shop.weights, settings=SETTINGS, most=2)
    printed = printed_of([*before, newest])
    choice = selection.choose(None, before, RECIPES, settings=SETTINGS)
    assert printed.count("`train` would have chosen") == 1
    assert without_time(printed).endswith(without_time(chosen_row(choice, newest)))
    if make is what_comes_next:
        assert choice.blend.blend.transitions is not None
        assert "transitions (in order) ×" in printed


@pytest.mark.parametrize("make", [small_shop, shop_without_times, few_users])
def test_of_the_newest_window_the_table_has_what_the_windows_of_train_choose(make: Callable[[], Shop]) -> None:
    shop = make()
    held = windows.held_out(shop.events, weights=shop.weights, settings=SETTINGS, most=4)
    choose_by = windows.to_choose_by(shop.events, held, weights=shop.weights, settings=SETTINGS)
    *before, newest = windows.to_choose_and_judge(shop.events, weights=shop.weights, settings=SETTINGS)
    printed = printed_of(held, choose_by=choose_by)
    expected = chosen_row(selection.choose(None, before, RECIPES, settings=SETTINGS), newest)
    last = printed[printed.rindex("`train` would have chosen") :]
    assert f"by {sum(one.judged_users for one in before):,} users" in last
    assert without_time(expected) in without_time(last)
    if make is small_shop:  # the window before the newest is one of the table's: its models are not fitted again
        assert all(any(one is window for window in held) for one in choose_by)


def test_where_the_choice_is_no_better_than_popular_items_the_table_says_that_these_would_be_the_model() -> None:
    shop = grocer()
    held_out = windows.held_out(shop.events, weights=shop.weights, settings=SETTINGS, most=2)
    printed = printed_of(held_out)
    assert "It is not better than popular items beyond noise (ndcg@20 " in printed
    assert printed.splitlines()[-1].startswith("| popularity")


def test_for_a_program_each_table_has_its_rows(held_out: list[Split]) -> None:
    told = list(table.tables(held_out, None, settings=SETTINGS))
    tables = table.as_json(told)
    assert [each["of"] for each in tables[:3]] == ["window", "window", "choice"]
    assert sum(len(each["rows"]) for each in tables) == sum(isinstance(one, table.Row) for one in told)
    newest, choice = tables[1:3]
    assert (newest["users"], newest["from"]) == (held_out[-1].judged_users, held_out[-1].cut.isoformat())
    assert choice["rows"][0]["model"].startswith(choice["recipe"]["model"])
    json.dumps(tables, allow_nan=False)


def test_of_a_given_test_train_would_choose_by_pairs_of_train_alone(held_out: list[Split]) -> None:
    given = split.at_random(held_out[0].train, seed=7)
    before = windows.of_train(given, seed=SETTINGS.seed)
    printed = printed_of([*before, given])
    row = chosen_row(selection.choose(None, before, RECIPES, settings=SETTINGS), given)
    assert f"by {before[0].judged_users:,} users whose items were held out of train at random" in printed
    assert without_time(printed).endswith(without_time(row))


def test_a_large_window_before_the_newest_is_of_fewer_users_as_train_has_it_and_the_newest_is_whole(
    held_out: list[Split], fits: list[tuple[Recipe, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "of_users", partial(sample.of_users, pairs=3_000))
    settings = Settings(selection_users=100)
    printed = [one.line() for one in table.tables(held_out, None, settings=settings)]
    assert "users with about" in printed[0]
    of_table = [pairs for recipe, pairs in fits if recipe.model != "popularity"]
    assert [pairs <= 3_000 for pairs in of_table] == [True, True, False, False]
    assert of_table[-1] == held_out[-1].train.weights.nnz


def printed_of(held_out: list[Split], *, choose_by: Sequence[Split] = ()) -> str:
    """The tables of the default recipes as a terminal has them."""
    return "\n".join(one.line() for one in table.tables(held_out, None, choose_by=choose_by, settings=SETTINGS))


def models(fits: list[tuple[Recipe, int]]) -> list[str]:
    """What was fitted beside popularity, in order."""
    return [one.model for one, _ in fits if one.model != "popularity"]


def chosen_row(choice: Choice, window: Split) -> str:
    """The row of a choice by itself."""
    return table.served(choice, window, recent_days=SETTINGS.recent_days, fits=KeptFits(SETTINGS.seed)).line()


def without_time(text: str) -> str:
    """A row without how long its fit took."""
    return "".join(part for part in text.split("|") if not part.strip().endswith(" s"))
