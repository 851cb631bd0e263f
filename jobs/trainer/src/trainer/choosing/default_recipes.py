"""The recipes that are tried on a held-out window when none is given: few, and spread over what shops of a size need.

Small dense shops want few dimensions, a mild confidence and strong regularisation; large sparse ones the opposite
(DESIGN.md, section 6). What is right in between is left to the window.
"""

from typing import Final

from trainer.choosing.recipe import ALSRecipe, IALSRecipe, Recipe, SpectralRecipe
from trainer.models.als import ALSSettings
from trainer.models.ials import IALSSettings
from trainer.models.spectral import SpectralSettings
from trainer.shop_data.interactions import Interactions

_SMALL_UP_TO: Final = 10_000  # users or items, whichever are fewer


def default_recipes(known: Interactions) -> list[Recipe]:
    """Recipes to try, the safest first. About a minute of two cores for a million pairs, seconds for a small shop."""
    smaller_side = min(len(known.user_ids), len(known.item_ids))
    if smaller_side <= _SMALL_UP_TO:
        most = max(2, smaller_side // 8)  # more dimensions than that learn noise
        return [
            ALSRecipe(settings=ALSSettings(dim=min(64, most), alpha=0.5, regularization=10)),
            ALSRecipe(settings=ALSSettings(dim=min(32, most), alpha=0.5, regularization=10)),
            ALSRecipe(settings=ALSSettings(dim=min(64, most), alpha=2, regularization=1)),
            ALSRecipe(settings=ALSSettings(dim=min(128, most), alpha=10, regularization=0.1)),
            IALSRecipe(settings=IALSSettings(dim=min(64, most), unobserved_weight=0.3, user_length_exponent=0.3)),
            SpectralRecipe(settings=SpectralSettings(dim=min(128, most))),
        ]
    return [
        ALSRecipe(settings=ALSSettings(dim=256, alpha=3)),
        ALSRecipe(settings=ALSSettings(dim=128, alpha=0.5, regularization=1)),
        IALSRecipe(settings=IALSSettings(dim=256, unobserved_weight=0.1)),
        IALSRecipe(settings=IALSSettings(dim=512, unobserved_weight=0.02)),
        SpectralRecipe(settings=SpectralSettings(dim=512)),
    ]
