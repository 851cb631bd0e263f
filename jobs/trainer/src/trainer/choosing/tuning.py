"""Validation windows of time and a budget in, the best recipe that Optuna found out.

A random holdout reverses the order of models (docs/evaluation.md). The study is kept in a database on the volume: a
later run with the same data and model goes on where the last one stopped.
"""

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
import optuna

from trainer.choosing import recipe as recipes
from trainer.choosing.gate import METRIC
from trainer.choosing.recipe import ALSRecipe, IALSRecipe, LightGCNRecipe, Recipe, SpectralRecipe
from trainer.choosing.selection import score, with_strengths
from trainer.evaluation.split import Split
from trainer.models.als import ALSSettings
from trainer.models.ials import IALSSettings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.spectral import SpectralSettings
from trainer.settings import ModelName, Settings

_log = logging.getLogger(__name__)

DIMS: Final = (16, 32, 64, 128, 256, 512)
_RECIPE: Final = "recipe"
# Settings at the edge of the space may make a system that cannot be solved; that is a trial lost, not a study.
_FIT_FAILED: Final = (RuntimeError, np.linalg.LinAlgError)


def tune(
    windows: Sequence[Split],
    *,
    models: Sequence[ModelName],
    start_with: Sequence[Recipe],
    budget_s: float,
    settings: Settings,
) -> tuple[Recipe, float]:
    """Search hyper-parameters until the budget is spent.

    Args:
        windows: validation windows; a trial is pruned when it does badly on the first ones.
        models: which to search.
        start_with: recipes that are tried first, so that the winner is at least as good as they are.
        budget_s: seconds; the trial that runs when they are over is finished.
        settings: of the run; the study is kept in `tuning.db` on the volume.

    Returns:
        The best recipe and its mean NDCG@20 over the windows.
    """
    storage = settings.artifact_dir / "tuning.db"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=_study_name(windows[-1], models, settings),
        storage=f"sqlite:///{storage}",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=settings.seed),
        pruner=optuna.pruners.PercentilePruner(50.0, n_startup_trials=5),
    )
    deadline = time.monotonic() + budget_s

    def run(trial: optuna.Trial, recipe: Recipe) -> float:
        value, best = _score(trial, recipe, windows, settings=settings)
        trial.set_user_attr(_RECIPE, best.model_dump(mode="json"))
        _log.info("recipe tried", extra={"trial": trial.number, _RECIPE: best.model_dump(), METRIC: value})
        return value

    for recipe in start_with[len(study.trials) :]:  # a study that was killed goes on with those it did not come to
        study.optimize(partial(run, recipe=recipe), n_trials=1, catch=_FIT_FAILED)
    while time.monotonic() < deadline:
        study.optimize(lambda trial: run(trial, suggest(trial, models)), n_trials=1, catch=_FIT_FAILED)
    best = study.best_trial
    return recipes.parse(best.user_attrs[_RECIPE], where=f"{storage}, trial {best.number}"), float(study.best_value)


def _study_name(window: Split, models: Sequence[ModelName], settings: Settings) -> str:
    """Everything that makes scores comparable: the data, the models, and how they are judged."""
    judged_by = f"{settings.recent_days:g} days, {settings.selection_users} users, seed {settings.seed}"
    return f"{'+'.join(models)} on {window.train.fingerprint()[:16]}, {judged_by}"


def suggest(trial: optuna.Trial, models: Sequence[ModelName]) -> Recipe:
    """A recipe out of the search space; recency is not part of it, since every strength is tried with each fit."""
    model = trial.suggest_categorical("model", list(models))
    match model:
        case "als":
            return ALSRecipe(
                settings=ALSSettings(
                    dim=trial.suggest_categorical("als.dim", DIMS),
                    alpha=trial.suggest_float("als.alpha", 0.05, 50, log=True),
                    regularization=trial.suggest_float("als.regularization", 1e-3, 30, log=True),
                    b=trial.suggest_float("als.b", 0, 1),
                )
            )
        case "ials":
            return IALSRecipe(
                settings=IALSSettings(
                    dim=trial.suggest_categorical("ials.dim", DIMS),
                    unobserved_weight=trial.suggest_float("ials.unobserved_weight", 1e-3, 1, log=True),
                    regularization=trial.suggest_float("ials.regularization", 1e-4, 0.1, log=True),
                    user_length_exponent=trial.suggest_float("ials.user_length_exponent", 0, 1),
                    sweeps=trial.suggest_int("ials.sweeps", 3, 12),
                )
            )
        case "spectral":
            return SpectralRecipe(
                settings=SpectralSettings(
                    dim=trial.suggest_categorical("spectral.dim", DIMS),
                    user_exponent=trial.suggest_float("spectral.user_exponent", 0, 1),
                    item_exponent=trial.suggest_float("spectral.item_exponent", 0, 1),
                    score_exponent=trial.suggest_float("spectral.score_exponent", 0, 1),
                )
            )
        case _:
            return LightGCNRecipe(
                settings=LightGCNSettings(
                    layers=trial.suggest_int("lightgcn.layers", 1, 3),
                    learning_rate=trial.suggest_float("lightgcn.learning_rate", 1e-3, 3e-2, log=True),
                    l2=trial.suggest_float("lightgcn.l2", 1e-4, 1e-2, log=True),
                    epochs=trial.suggest_int("lightgcn.epochs", 5, 50),
                )
            )


def _score(
    trial: optuna.Trial, recipe: Recipe, windows: Sequence[Split], *, settings: Settings
) -> tuple[float, Recipe]:
    """Mean over the windows with the best strength of recency, and the recipe with that strength."""
    tried = with_strengths(recipe)
    scores = np.zeros((len(windows), len(tried)))
    for number, window in enumerate(windows):
        fitted = recipes.fit_model(recipe, window.train, seed=settings.seed)
        scores[number] = [score(one, fitted, window, settings=settings) for one in tried]
        trial.report(float(scores[: number + 1].mean(axis=0).max()), step=number)
        if trial.should_prune():
            raise optuna.TrialPruned
    means = scores.mean(axis=0)
    return float(means.max()), tried[int(means.argmax())]
