"""Recipes and a validation window in, the recipes by what they are worth there out, best first."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from trainer import recipe as recipes
from trainer.evaluation import Evaluation, evaluate
from trainer.gate import METRIC
from trainer.recipe import Recipe
from trainer.split import Split

_log = logging.getLogger(__name__)

RECENCY_STRENGTHS: Final = (0.0, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Trial:
    """What a recipe was worth on the validation window."""

    recipe: Recipe
    evaluation: Evaluation
    fit_s: float  # of the model, on the part of the data before the window

    @property
    def score(self) -> float:
        """The figure that recipes are compared by."""
        return self.evaluation.mean(METRIC)


def compare(
    split: Split,
    candidates: Iterable[Recipe],
    *,
    strengths: Sequence[float] = RECENCY_STRENGTHS,
    recent_days: float,
    max_users: int,
    seed: int,
) -> list[Trial]:
    """Fit every candidate on what was known before the window and judge it there with every strength of recency.

    A fit costs seconds and a strength costs none, so all strengths are tried with each fit. Best first; of equals, the
    one tried first.
    """
    trials: list[Trial] = []
    for candidate in candidates:
        started = time.perf_counter()
        fitted = recipes.fit_model(candidate, split.train, seed=seed)
        fit_s = time.perf_counter() - started
        for strength in strengths:
            scaled = recipes.with_recency(fitted, split.train, strength, recent_days=recent_days)
            judged = evaluate(scaled, split, ks=(20,), max_users=max_users, seed=seed)
            tried = candidate.model_copy(update={"recency_strength": strength})
            trials.append(Trial(recipe=tried, evaluation=judged, fit_s=fit_s))
        best = max(trials[-len(strengths) :], key=lambda trial: trial.score)
        _log.info("recipe tried", extra={"recipe": best.recipe.model_dump(), METRIC: best.score, "fit_s": fit_s})
    return sorted(trials, key=lambda trial: -trial.score)
