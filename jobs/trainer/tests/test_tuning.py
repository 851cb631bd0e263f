"""A search says whether it found something better than it began with, on users who did not choose it."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import optuna
import pytest
from small_shops import grocer, small_shop

from trainer.choosing import tuning
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.recipe import ALSRecipe, EASERecipe, PersonalRecipe, SpectralRecipe
from trainer.choosing.search_space import SPACE, point_of
from trainer.choosing.tuning import Tuned
from trainer.evaluation import windows
from trainer.evaluation.split import Split
from trainer.models.als import ALSSettings
from trainer.models.ease import EASESettings
from trainer.models.spectral import SpectralSettings
from trainer.settings import ModelName, Settings

# What suits a large sparse catalogue: on a grocer's baskets it learns noise.
MANY_TASTES = ALSRecipe(settings=ALSSettings(dim=64, alpha=10, regularization=0.1))
NEARLY_POPULAR = EASERecipe(settings=EASESettings(dim=64, regularization=100))


@pytest.fixture(scope="module")
def of_a_grocer() -> list[Split]:
    shop = grocer()
    return windows.held_out(shop.events, weights=shop.weights, settings=Settings(), most=3)[:-1]


@pytest.fixture(autouse=True)
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A clock by which every trial takes one second."""
    clock = count()
    monkeypatch.setattr(tuning, "monotonic", lambda: float(next(clock)))
    return clock


def tuned(
    of: Sequence[Split], start_with: Sequence[PersonalRecipe], models: Sequence[ModelName], *, trials: int, at: Path
) -> Tuned:
    settings = Settings(artifact_dir=at)
    return tuning.tune(of, models=models, start_with=start_with, budget_s=trials + 1, settings=settings)


def test_where_the_defaults_are_bad_the_search_wins_and_says_by_how_much(
    of_a_grocer: list[Split], tmp_path: Path
) -> None:
    found = tuned(of_a_grocer, [MANY_TASTES], ["als"], trials=12, at=tmp_path)
    assert found.won
    assert found.gain is not None
    assert found.gain.value > 0.05
    assert found.recipe != MANY_TASTES
    assert found.summary().startswith("the search won: ndcg@20 minus the best default recipe's +0.")


def test_where_nothing_is_better_than_the_defaults_the_search_says_that_it_did_not_win(
    of_a_grocer: list[Split], tmp_path: Path
) -> None:
    found = tuned(of_a_grocer, [NEARLY_POPULAR], ["als", "ease"], trials=8, at=tmp_path)
    assert not found.won
    assert found.recipe.model_copy(update={"recency_strength": 0.0}) == NEARLY_POPULAR
    assert "the search did not win" in found.summary()
    assert f"about {found.users_needed:,} users" in found.summary()
    assert found.users_needed > 0


def test_each_model_gets_its_share_and_no_trial_is_given_up(of_a_grocer: list[Split], tmp_path: Path) -> None:
    start_with = [MANY_TASTES, NEARLY_POPULAR, SpectralRecipe(settings=SpectralSettings(dim=8))]
    found = tuned(of_a_grocer, start_with, ["als", "ease", "spectral"], trials=6, at=tmp_path)
    assert found.trials == {"als": 2, "ease": 2, "spectral": 2}
    storage = f"sqlite:///{tmp_path / 'tuning.db'}"
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    assert {trial.state for study in studies for trial in study.trials} == {optuna.trial.TrialState.COMPLETE}


def test_a_search_goes_on_where_the_last_one_stopped(of_a_grocer: list[Split], tmp_path: Path) -> None:
    tuned(of_a_grocer, [NEARLY_POPULAR], ["ease"], trials=2, at=tmp_path)
    found = tuned(of_a_grocer, [NEARLY_POPULAR], ["ease"], trials=3, at=tmp_path)
    assert found.trials == {"ease": 5}
    [name] = optuna.get_all_study_names(f"sqlite:///{tmp_path / 'tuning.db'}")
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path / 'tuning.db'}")
    tried = [tuple(trial.params.values()) for trial in study.trials]
    assert len(tried) == len(set(tried)) == 6  # the default once, and nothing twice


def test_the_default_recipes_lie_in_the_search_space() -> None:
    known = windows.held_out(small_shop().events, weights=small_shop().weights, settings=Settings())[-1].train
    for recipe in default_recipes(known):
        study = optuna.create_study()
        study.enqueue_trial(point_of(recipe))
        assert study.ask(fixed_distributions=SPACE[recipe.model]).params == point_of(recipe)
