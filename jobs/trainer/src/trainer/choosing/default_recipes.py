"""The recipes that are tried on a held-out window when none is given: few, and spread over what shops of a size need.

From almost popularity (few dimensions, strong regularisation), which a grocer's dense baskets want, to many dimensions
and a mild one, which large sparse catalogues want; of a small catalogue also which item goes with which (EASE), where
a pair of items says more than a taste. What is right in between is left to the window. Of iALS the weight of an
unobserved pair falls with the catalogue: it is summed over all items, and would drown the data of a large one.
docs/evaluation.md has what each was worth where.
"""

from typing import Final

from trainer.choosing.recipe import ALSRecipe, EASERecipe, IALSRecipe, PersonalRecipe, SASRecRecipe, SpectralRecipe
from trainer.models import sequences
from trainer.models.als import ALSSettings
from trainer.models.ease import EASESettings
from trainer.models.ials import IALSSettings
from trainer.models.sasrec import SASRecSettings
from trainer.models.spectral import SpectralSettings
from trainer.shop_data.interactions import Interactions

# Of iALS: the weight of all unobserved items of a user together. It is best at about this on 3 thousand items (.3 each)
# and on 41 thousand (.02 each), where .1 each drowns the data.
_UNOBSERVED: Final = 900
_MOST_UNOBSERVED: Final = 0.3  # of one item
_SMALL_UP_TO: Final = 10_000  # users or items, whichever are fewer
_ITEM_ITEM_UP_TO: Final = 4_000  # items: EASE solves a square of them, in 5 s at this size
# Of SASRec: pairs times epochs, two minutes of one core; and the catalogue at which the optimiser's pass over all
# items costs as much as a batch of pairs.
_MOST_ENCODED: Final = 4_000_000
_ITEMS_AS_DEAR: Final = 100_000
_LEAST_EPOCHS: Final = 5
_FEW_TASTES: Final = SpectralRecipe(settings=SpectralSettings(dim=8, score_exponent=0.8))


def default_recipes(known: Interactions, *, seed: int = 0) -> list[PersonalRecipe]:
    """Recipes to try, the safest first; `seed` draws what an order of events is compared with.

    About a minute of two cores for a million pairs, seconds for a small shop; minutes where the order counts.
    """
    return [*recipes_without_order(known), *recipes_of_sequences(known, seed=seed)]


def recipes_of_sequences(known: Interactions, *, seed: int) -> list[PersonalRecipe]:
    """SASRec, where the order of events says something, with as many epochs as can be afforded; else nothing."""
    epochs = affordable_epochs(pairs=known.weights.nnz, n_items=len(known.item_ids))
    if epochs < _LEAST_EPOCHS or not sequences.order_matters(known, seed=seed):
        return []
    return [SASRecRecipe(settings=SASRecSettings(epochs=epochs))]


def affordable_epochs(*, pairs: int, n_items: int) -> int:
    """Of SASRec, by what is counted and not by what was timed: the same data always give the same recipe."""
    of_a_pair = 1 + n_items / _ITEMS_AS_DEAR
    return min(int(_MOST_ENCODED / (max(pairs, 1) * of_a_pair)), SASRecSettings().epochs)


def recipes_without_order(known: Interactions) -> list[PersonalRecipe]:
    """Recipes that know what somebody had, and not in which order."""
    n_items = max(len(known.item_ids), 1)
    unobserved = float(f"{min(_MOST_UNOBSERVED, _UNOBSERVED / n_items):.2g}")
    nearly_popular = IALSRecipe(
        settings=IALSSettings(
            dim=32,
            unobserved_weight=float(f"{unobserved / _MOST_UNOBSERVED:.2g}"),
            regularization=0.1,
            user_length_exponent=0.3,
        )
    )
    smaller_side = min(len(known.user_ids), len(known.item_ids))
    if smaller_side <= _SMALL_UP_TO:
        most = max(2, smaller_side // 8)  # more dimensions than that learn noise
        small: list[PersonalRecipe] = [
            EASERecipe(settings=EASESettings(dim=256, regularization=6)),
            EASERecipe(settings=EASESettings(dim=128, regularization=20)),
            nearly_popular,
            _FEW_TASTES,
            ALSRecipe(settings=ALSSettings(dim=min(64, most), alpha=0.5, regularization=10)),
            ALSRecipe(settings=ALSSettings(dim=min(64, most), alpha=2, regularization=1)),
            EASERecipe(settings=EASESettings(dim=512, regularization=2)),
            SpectralRecipe(settings=SpectralSettings(dim=min(128, most))),
            IALSRecipe(
                settings=IALSSettings(
                    dim=min(128, most),
                    sweeps=8,
                    unobserved_weight=unobserved,
                    regularization=0.01,
                    user_length_exponent=0.3,
                )
            ),
            ALSRecipe(settings=ALSSettings(dim=min(128, most), alpha=10, regularization=0.1)),
        ]
        if n_items > _ITEM_ITEM_UP_TO:
            small = [one for one in small if not isinstance(one, EASERecipe)]
        return list(dict.fromkeys(small))  # a small catalogue makes some of them one
    return [
        nearly_popular,
        _FEW_TASTES,
        ALSRecipe(settings=ALSSettings(dim=256, alpha=3, regularization=10, iterations=8)),
        ALSRecipe(settings=ALSSettings(dim=256, alpha=10, regularization=30, iterations=8)),
        IALSRecipe(settings=IALSSettings(dim=512, unobserved_weight=unobserved, user_length_exponent=0.4)),
        SpectralRecipe(settings=SpectralSettings(dim=512)),
    ]
