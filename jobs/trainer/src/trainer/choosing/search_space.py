"""What a search may try of each model: hyper-parameters by the names that they have in the model's settings.

Recency is not part of it, since every strength is tried with each fit. The default recipes lie inside.
"""

from typing import Final

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial

from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import PersonalRecipe, Recipe
from trainer.settings import ModelName

_DIM: Final = IntDistribution(2, 512, log=True)
_SHARE: Final = FloatDistribution(0, 1)

SPACE: Final[dict[ModelName, dict[str, BaseDistribution]]] = {
    "als": {
        "dim": _DIM,
        "alpha": FloatDistribution(0.05, 50, log=True),
        "regularization": FloatDistribution(1e-3, 100, log=True),
        "b": _SHARE,
    },
    "ials": {
        "dim": _DIM,
        "unobserved_weight": FloatDistribution(1e-3, 3, log=True),
        "regularization": FloatDistribution(1e-4, 0.3, log=True),
        "user_length_exponent": _SHARE,
        "sweeps": IntDistribution(3, 12),
    },
    "spectral": {"dim": _DIM, "user_exponent": _SHARE, "item_exponent": _SHARE, "score_exponent": _SHARE},
    "ease": {"dim": _DIM, "regularization": FloatDistribution(0.3, 300, log=True)},
    "sasrec": {
        "dim": IntDistribution(32, 128, step=32),
        "blocks": IntDistribution(1, 2),
        "dropout": FloatDistribution(0.1, 0.6),
        "learning_rate": FloatDistribution(3e-4, 3e-3, log=True),
        "epochs": IntDistribution(5, 200),
    },
    "lightgcn": {
        "layers": IntDistribution(1, 3),
        "learning_rate": FloatDistribution(1e-3, 3e-2, log=True),
        "l2": FloatDistribution(1e-4, 1e-2, log=True),
        "epochs": IntDistribution(5, 50),
    },
}


def point_of(recipe: PersonalRecipe) -> dict[str, float | int]:
    """Where a recipe lies in the space of its model."""
    return {name: getattr(recipe.settings, name) for name in SPACE[recipe.model]}


def recipe_at(model: ModelName, trial: Trial | FrozenTrial) -> Recipe:
    """The recipe that a trial is to try."""
    return recipes.parse({"model": model, "settings": trial.params}, where=f"trial {trial.number} of {model}")
