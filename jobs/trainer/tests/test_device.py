"""LightGCN and SASRec are trained where the settings say, and nowhere else without a word."""

from types import ModuleType

import pytest
import torch
from typer.testing import CliRunner

from recsys.errors import InvalidArgumentError
from trainer import device
from trainer.__main__ import app
from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import LightGCNRecipe, Recipe, SASRecRecipe
from trainer.models import lightgcn_training, sasrec_training
from trainer.models.embeddings import Embeddings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.sasrec import SASRecSettings
from trainer.shop_data.interactions import Interactions

LIGHTGCN = LightGCNRecipe(settings=LightGCNSettings(dim=4, epochs=1, batch_size=64), warm_start=False)
SASREC = SASRecRecipe(settings=SASRecSettings(dim=4, epochs=1))
BOTH = pytest.mark.parametrize(
    ("recipe", "module"), [(LIGHTGCN, lightgcn_training), (SASREC, sasrec_training)], ids=["lightgcn", "sasrec"]
)


@BOTH
def test_a_recipe_is_fitted_on_the_chosen_device(
    recipe: Recipe, module: ModuleType, long_tail: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = []
    fit = module.fit

    def on_the_cpu_all_the_same(*given: object, device: str, **named: object) -> Embeddings:
        devices.append(device)
        return fit(*given, device="cpu", **named)

    monkeypatch.setattr(module, "fit", on_the_cpu_all_the_same)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with device.used("cuda"):
        recipes.fit_model(recipe, long_tail, seed=0)
    with device.used("cpu"):
        recipes.fit_model(recipe, long_tail, seed=0)
    recipes.fit_model(recipe, long_tail, seed=0)
    assert devices == ["cuda", "cpu", "cpu"]  # never a GPU that was not asked for


def test_a_gpu_that_is_not_there_is_an_error_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("TRAINER_DEVICE", "cuda")
    done = CliRunner().invoke(app, ["evaluate", "--events", "nothing.csv"])
    assert done.exit_code != 0
    assert isinstance(done.exception, InvalidArgumentError)
    assert "TRAINER_DEVICE=cuda: expected a GPU that torch sees, found none" in str(done.exception)
