"""The age of histories is chosen by a held-out window: taken where the order of what people do decides, else off."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from trainer.choosing import recipe as recipes
from trainer.choosing import selection
from trainer.choosing.recipe import EASERecipe, LightGCNRecipe, PopularityRecipe
from trainer.choosing.selection import Tried
from trainer.evaluation import split
from trainer.evaluation.split import Split
from trainer.models.ease import EASESettings
from trainer.settings import Settings

TASTES, OF_TASTE, USERS = 6, 12, 300
CUT = datetime(2026, 3, 1, tzinfo=UTC)
RECIPE = EASERecipe(settings=EASESettings(dim=TASTES * OF_TASTE))


def window(*, tastes_move: bool, seed: int = 0) -> Split:
    """Everybody takes up twelve items of two tastes, one a day, and three more after the cut.

    Where tastes move, the first eight are of one taste and all that follow of another; else tastes alternate.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(USERS):
        tastes = rng.permutation(TASTES)[:2]
        left = {taste: rng.permutation(OF_TASTE).tolist() for taste in tastes}
        for step in range(15):
            taste = tastes[int(step >= 8) if tastes_move else step % 2]
            item = f"i{taste * OF_TASTE + left[taste].pop():03}"
            rows.append((f"u{user:03}", item, "purchase", CUT + timedelta(days=step - 12)))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "event_type", "timestamp"], orient="row")
    frame = frame.with_columns(pl.col("timestamp").dt.cast_time_unit("us"), quantity=pl.lit(1.0))
    return split.temporal(frame, weights={"purchase": 1.0}, cut=CUT)


def as_it_is(windows: list[Split]) -> Tried:
    """The recipe without recency and age."""
    return selection.try_on(RECIPE, windows, settings=Settings())[0][0]


def chosen(of: Split) -> EASERecipe:
    fitted = recipes.fit_model(RECIPE, of.train, seed=0)
    found = selection.with_best_age(as_it_is([of]), [of], newest=fitted, settings=Settings()).recipe
    assert isinstance(found, EASERecipe)
    return found


def test_where_tastes_move_on_what_is_old_counts_less() -> None:
    assert chosen(window(tastes_move=True)).age.step_decay < 1


def test_where_the_order_says_nothing_age_stays_off() -> None:
    assert chosen(window(tastes_move=False)).age.is_off


def test_of_windows_before_the_newest_the_model_is_fitted_once_more(fits: list[tuple[recipes.Recipe, int]]) -> None:
    older, newer = window(tastes_move=True, seed=1), window(tastes_move=True)
    fitted = recipes.fit_model(RECIPE, newer.train, seed=0)
    tried = as_it_is([older, newer])
    fits.clear()
    selection.with_best_age(tried, [older, newer], newest=fitted, settings=Settings())
    assert [recipe for recipe, _ in fits] == [RECIPE]


def test_the_recipe_without_an_age_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    of = window(tastes_move=True)
    measured: list[recipes.Recipe] = []
    tried = selection.tried

    def noted(strengths: Sequence[recipes.Recipe], *given: Any, **named: Any) -> list[Tried]:
        measured.extend(strengths)
        return tried(strengths, *given, **named)

    monkeypatch.setattr(selection, "tried", noted)
    selection.best_by_order_too([RECIPE], [of], settings=Settings())
    assert len(measured) == len(set(measured)) == len(selection.with_strengths(RECIPE)) + len(selection.AGES)


@pytest.mark.parametrize("recipe", [LightGCNRecipe(), PopularityRecipe()])
def test_a_model_without_a_formula_for_its_users_knows_no_age(recipe: recipes.Recipe) -> None:
    assert selection.with_ages(recipe) == []


def test_only_the_users_who_matter_are_solved_and_an_age_that_is_off_solves_nobody() -> None:
    of = window(tastes_move=True)
    fitted = recipes.fit_model(RECIPE, of.train, seed=0)
    assert recipes.with_age(RECIPE, fitted, of.train) is fitted
    aged = RECIPE.model_copy(update={"age": selection.AGES[-1]})
    everybody, some = (
        recipes.with_age(aged, fitted, of.train),
        recipes.with_age(aged, fitted, of.train, rows=np.r_[3:5]),
    )
    np.testing.assert_array_equal(some.user[3:5], everybody.user[3:5])
    np.testing.assert_array_equal(some.user[:3], fitted.user[:3])
    assert not np.allclose(everybody.user[:3], fitted.user[:3])
