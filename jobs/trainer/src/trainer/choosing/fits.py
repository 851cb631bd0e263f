"""Models of recipes on held-out windows, each fitted on what was known before; without recency and age.

These cost hardly anything beside a fit, and are added to one model as often as they are asked for.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import Recipe
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings

Fit = Callable[[Recipe, Split], Embeddings]


def fresh(seed: int) -> Fit:
    """Fits a model whenever it is asked for one, and keeps none."""

    def fit(recipe: Recipe, window: Split) -> Embeddings:
        return recipes.fit_model(recipe, window.train, seed=seed)

    return fit


class KeptFits:
    """Fits each model once, and keeps it until it is told to forget its window."""

    def __init__(self, seed: int) -> None:
        self._fit = fresh(seed)
        self._kept: dict[Recipe, list[tuple[Split, Embeddings, float]]] = defaultdict(list)

    def of(self, recipe: Recipe, window: Split) -> Embeddings:
        """The model."""
        return self._of(recipe, window)[0]

    def seconds(self, recipe: Recipe, window: Split) -> float:
        """What its fit took."""
        return self._of(recipe, window)[1]

    def keep_only(self, windows: Sequence[Split]) -> None:
        """Forget the models of other windows."""
        for recipe, kept in self._kept.items():
            self._kept[recipe] = [one for one in kept if any(one[0] is window for window in windows)]

    def _of(self, recipe: Recipe, window: Split) -> tuple[Embeddings, float]:
        plain = recipes.without_recency_and_age(recipe)
        for of_window, fitted, fit_s in self._kept[plain]:
            if of_window is window:
                return fitted, fit_s
        started = time.perf_counter()
        fitted = self._fit(plain, window)
        fit_s = time.perf_counter() - started
        self._kept[plain].append((window, fitted, fit_s))
        return fitted, fit_s
