"""Users whom the model was not trained on are served nearly as well as if it had been: by the services' own fold-in."""

import pytest

from benchmarks.fold_in import compare
from recsys.artifact.manifest import AgeInfo
from trainer.choosing.recipe import ALSRecipe, EASERecipe, IALSRecipe, LightGCNRecipe, Recipe, SpectralRecipe
from trainer.evaluation.split import Split
from trainer.evaluation.windows import rolling
from trainer.models.als import ALSSettings
from trainer.models.ease import EASESettings
from trainer.models.ials import IALSSettings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.spectral import SpectralSettings
from trainer.shop_data import demo_shop
from trainer.shop_data.mapping import ColumnMapping

ALS = ALSRecipe(settings=ALSSettings(dim=32, alpha=0.5, regularization=10))


@pytest.fixture(scope="module")
def window() -> Split:
    """The last 30 days of a small demo shop."""
    frame, _ = demo_shop.generate(users=2_500, items=500)
    return rolling(frame, weights=ColumnMapping().event_weights, windows=1)[0]


@pytest.mark.parametrize(
    ("recipe", "least"),
    [
        (ALS, 0.9),
        (ALS.model_copy(update={"recency_strength": 1.0}), 0.9),
        (ALS.model_copy(update={"age": AgeInfo(step_decay=0.8, half_life_days=60)}), 0.9),
        (IALSRecipe(settings=IALSSettings(dim=32, unobserved_weight=0.3, user_length_exponent=0.3)), 0.9),
        (SpectralRecipe(settings=SpectralSettings(dim=48)), 0.9),
        (EASERecipe(settings=EASESettings(dim=128), recency_strength=1.0), 0.9),
        (LightGCNRecipe(settings=LightGCNSettings(dim=32, epochs=10)), 0.85),
    ],
)
def test_folding_in_a_user_whom_training_left_out_keeps_most_of_the_recall(
    window: Split, recipe: Recipe, least: float
) -> None:
    """Three of ten judged users are left out: some three hundred, so that a tenth of the recall is no chance."""
    comparison = compare(recipe, window, share=0.3)
    assert comparison.ratio >= least, comparison.line()
    assert comparison.folded.mean() > 1.2 * comparison.popular.mean(), comparison.line()
