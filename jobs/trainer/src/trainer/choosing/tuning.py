"""Validation windows of time and a budget in; the best recipe that Optuna found out, if it beats the defaults.

A random holdout reverses the order of models (docs/evaluation.md). The best of many trials is better by chance alone on
the users whom it was chosen by: half of them choose, and the other half say whether it is better than the best recipe
that the search began with. Each model has a study of its own, and as many trials as the others. Studies are kept in a
database on the volume: a later run with the same data goes on where the last one stopped.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Any, Final

import numpy as np
import optuna
from numpy.typing import NDArray

from recsys.errors import DataError
from trainer.choosing import recipe as recipes
from trainer.choosing.gate import METRIC, with_interval
from trainer.choosing.recipe import PersonalRecipe, Recipe
from trainer.choosing.search_space import SPACE, point_of, recipe_at
from trainer.choosing.selection import Tried, try_on, with_best_age
from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import PairedDifference
from trainer.evaluation.full_ranking import judged_users
from trainer.evaluation.split import Split
from trainer.evaluation.windows import ENOUGH_USERS
from trainer.settings import ModelName, Settings

_log = logging.getLogger(__name__)

_RECIPE: Final = "recipe"  # of a trial: with its strength of recency
_IS_DEFAULT: Final = "is_default"  # of a trial: the search began with it
_WORTH_FINDING: Final = 0.02  # of the default's figure: what a search is made for
_SIGMAS: Final = 1.96  # of a 95 % interval
# Settings at the edge of the space may make a system that cannot be solved; that is a trial lost, not a study.
_FIT_FAILED: Final = (RuntimeError, np.linalg.LinAlgError)


@dataclass(frozen=True)
class Tuned:
    """What a search came to."""

    recipe: Recipe  # what was found, where it is better than the best default by more than noise; else that default
    score: float  # its mean NDCG@20, histories of all ages alike, over the users who did not choose it
    gain: PairedDifference | None  # of the best that was found over the best default, on those users; none: no trial
    users: int  # those users, counted once a window
    users_needed: int  # so that the interval of that gain, or of one of 2 % where it is less, would lie above 0
    trials: Mapping[ModelName, int]  # beside the defaults, of each model

    @property
    def won(self) -> bool:
        """Whether something better than the defaults was found."""
        return self.gain is not None and self.gain.low > 0 and self.users >= ENOUGH_USERS

    def as_json(self) -> dict[str, Any]:
        """The same as `summary`, for a program."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            METRIC: self.score,
            "won": self.won,
            "gain": None if self.gain is None else asdict(self.gain),
            "users": self.users,
            "users_needed": self.users_needed,
            "trials": dict(self.trials),
        }

    def summary(self) -> str:
        """A few sentences for a terminal."""
        tried = ", ".join(f"{count} of {model}" for model, count in self.trials.items())
        if self.gain is None:
            return f"no trial beside the default recipes: the recipe is the best of them, on {self.users:,} users"
        found = f"{METRIC} minus the best default recipe's {with_interval(self.gain)}"
        on = f"on {self.users:,} users who chose neither; trials: {tried}"
        if self.won:
            return f"the search won: {found}, {on}"
        return (
            f"the search did not win: {found}, {on}. To tell such a gain, or one of 2 %, from chance takes about "
            f"{self.users_needed:,} users. The recipe is the best default one"
        )


def tune(
    windows: Sequence[Split],
    *,
    models: Sequence[ModelName],
    start_with: Sequence[PersonalRecipe],
    budget_s: float,
    settings: Settings,
) -> Tuned:
    """Search hyper-parameters until the budget is spent.

    Args:
        windows: validation windows.
        models: which to search.
        start_with: the defaults, which are tried first; at least one, and of these models.
        budget_s: seconds; the trial that runs when they are over is finished.
        settings: of the run; the studies are kept in `tuning.db` on the volume.

    Raises:
        DataError: none of `start_with` could be fitted.
    """
    chooses = _choosing(windows, settings=settings)
    studies = {model: _study(model, windows[-1], settings=settings) for model in models}
    deadline = monotonic() + budget_s
    for one in start_with:
        study = studies[one.model]
        if not any(trial.params == point_of(one) for trial in _finished(study)):
            study.enqueue_trial(point_of(one), user_attrs={_IS_DEFAULT: True})
            _run(study, one.model, windows, chooses=chooses, settings=settings)
    while monotonic() < deadline:
        model = min(models, key=lambda each: len(_finished(studies[each], is_default=False)))
        _run(studies[model], model, windows, chooses=chooses, settings=settings)
    default = _best(studies.values(), is_default=True)
    found = _best(studies.values(), is_default=False)
    trials = {model: len(_finished(study, is_default=False)) for model, study in studies.items()}
    return _verdict(default, found, trials, windows=windows, confirms=~chooses, settings=settings)


def _choosing(windows: Sequence[Split], *, settings: Settings) -> NDArray[np.bool_]:
    """Which users of the windows choose, one window after the other: half of each, drawn by the seed."""
    sizes = (len(judged_users(one, max_users=settings.selection_users, seed=settings.seed)) for one in windows)
    return np.concatenate([np.random.default_rng(settings.seed).permutation(size) % 2 == 0 for size in sizes])


def _study(model: ModelName, window: Split, *, settings: Settings) -> optuna.Study:
    """Its name has everything that makes scores comparable: the data, and how they are judged."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    judged_by = f"{settings.recent_days:g} days, half of {settings.selection_users} users, seed {settings.seed}"
    study = optuna.create_study(
        study_name=f"{model} on {window.train.fingerprint()[:16]}, {judged_by}",
        storage=f"sqlite:///{settings.artifact_dir / 'tuning.db'}",
        load_if_exists=True,
        direction="maximize",
    )
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))  # going on is no repetition
    return study


def _run(
    study: optuna.Study,
    model: ModelName,
    windows: Sequence[Split],
    *,
    chooses: NDArray[np.bool_],
    settings: Settings,
) -> None:
    """One trial, with its best strength of recency, on all windows: one window is no reason to give a recipe up."""
    trial = study.ask(fixed_distributions=SPACE[model])
    try:
        tried, _ = try_on(recipe_at(model, trial), windows, settings=settings)
    except _FIT_FAILED as error:
        _log.warning("a trial failed", extra={"trial": trial.number, "reason": str(error)})
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    best = max(tried, key=lambda one: float(one.ndcg[chooses].mean()))
    trial.set_user_attr(_RECIPE, best.recipe.model_dump(mode="json"))
    study.tell(trial, float(best.ndcg[chooses].mean()))


def _finished(study: optuna.Study, *, is_default: bool | None = None) -> list[optuna.trial.FrozenTrial]:
    """Trials that came to an end; of both kinds, or of one."""
    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    return [one for one in finished if is_default in (None, one.user_attrs.get(_IS_DEFAULT, False))]


def _best(studies: Iterable[optuna.Study], *, is_default: bool) -> Recipe | None:
    finished = [trial for study in studies for trial in _finished(study, is_default=is_default)]
    fitted = [trial for trial in finished if trial.value is not None]
    if not fitted:
        return None
    best = max(fitted, key=lambda trial: trial.value or 0.0)
    return recipes.parse(best.user_attrs[_RECIPE], where=f"trial {best.number}")


def _verdict(
    default: Recipe | None,
    found: Recipe | None,
    trials: Mapping[ModelName, int],
    *,
    windows: Sequence[Split],
    confirms: NDArray[np.bool_],
    settings: Settings,
) -> Tuned:
    """Fit both once more, compare them on the users who chose neither, and give the better one its age of histories."""

    def again(recipe: Recipe) -> Tried:
        tried = try_on(recipe, windows, settings=settings)[0]
        [one] = [each for each in tried if each.recipe == recipe]
        return one

    def aged(tried: Tried) -> Recipe:
        return with_best_age(tried, windows, settings=settings).recipe

    if default is None:
        raise DataError("no default recipe could be fitted on the validation windows; see the log")
    best_default = again(default)
    of_default = best_default.ndcg[confirms]
    users, score = len(of_default), float(of_default.mean())
    if found is None:
        return Tuned(aged(best_default), score, None, users, 0, trials)
    best_found = again(found)
    of_found = best_found.ndcg[confirms]
    gain = bootstrap.paired(of_found, of_default, seed=settings.seed)
    worth = max(gain.value, _WORTH_FINDING * score, np.finfo(np.float64).tiny)
    needed = math.ceil((_SIGMAS * float((of_found - of_default).std()) / worth) ** 2)
    tuned = Tuned(found, float(of_found.mean()), gain, users, needed, trials)
    if tuned.won:
        return replace(tuned, recipe=aged(best_found))
    return replace(tuned, recipe=aged(best_default), score=score)
