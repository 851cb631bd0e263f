"""Every shop starts, each time in the same way: what goes live follows from the data and the seed alone."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_shops import aged_shop, empty_shop, grocer, shop_without_times, small_shop, ten_users

from recsys.artifact import layout
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import open_artifact
from trainer import pipeline
from trainer.choosing.recipe import ALSRecipe, Recipe, SpectralRecipe
from trainer.models.als import ALSSettings
from trainer.models.spectral import SpectralSettings
from trainer.outcome import Outcome
from trainer.settings import Settings
from trainer.shop_data.shop import Shop

RUNS = 10
# of the kinds that are tried by default, and quicker
RECIPES: list[Recipe] = [
    ALSRecipe(settings=ALSSettings(dim=8, alpha=0.5, regularization=10, iterations=3)),
    SpectralRecipe(settings=SpectralSettings(dim=16)),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "default_recipes", lambda known: RECIPES)
    monkeypatch.setattr("trainer.report.page.write", lambda content, path: None)  # plots cost more than the training


def train(shop: Shop, volume: Path, *, force: bool = False) -> Outcome:
    return pipeline.train(shop, settings=Settings(artifact_dir=volume), recipe=None, force=force)


def live(volume: Path) -> Manifest:
    version = layout.current_version(volume)
    assert version is not None
    return open_artifact(layout.version_dir(volume, version)).manifest


@contextmanager
def busy() -> Iterator[None]:
    """Threads that leave the processor to nobody for long."""
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(range(1_000))

    burning = [threading.Thread(target=burn) for _ in range(2)]
    for thread in burning:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in burning:
            thread.join()


@pytest.mark.parametrize(
    ("make", "is_personal"),
    [
        (small_shop, True),
        (aged_shop, True),
        (grocer, False),
        (ten_users, False),
        (empty_shop, False),
    ],
)
def test_a_shop_trains_ten_times_of_ten_with_the_same_index_and_verdict_whatever_the_clock_says(
    make: Callable[[], Shop], is_personal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make()
    told = set()
    for run in range(RUNS):
        with monkeypatch.context() as clock:
            if run:  # once with the true time
                clock.setattr(time, "perf_counter", random.Random(run).random)
            outcome = train(shop, tmp_path / str(run))
        manifest = live(tmp_path / str(run))
        assert outcome.activated
        told.add((manifest.model, manifest.index, str(manifest.training.recipe), outcome.verdict))
    assert len(told) == 1
    assert (told.pop()[0] != "popularity") is is_personal


@pytest.mark.parametrize("make", [small_shop, aged_shop])
def test_a_busy_machine_changes_neither_index_nor_verdict(make: Callable[[], Shop], tmp_path: Path) -> None:
    shop = make()
    quiet = train(shop, tmp_path / "quiet")
    with busy():
        loud = train(shop, tmp_path / "loud")
    assert loud.verdict == quiet.verdict
    assert live(tmp_path / "loud").index == live(tmp_path / "quiet").index


@pytest.mark.parametrize("make", [small_shop, aged_shop, shop_without_times])
def test_many_users_judge_a_small_shop_and_an_aged_one(make: Callable[[], Shop], tmp_path: Path) -> None:
    verdict = train(make(), tmp_path).verdict
    assert verdict.passed
    assert verdict.users > 700
    assert live(tmp_path).training.gate.users == verdict.users


def test_a_grocer_is_told_that_the_popular_items_are_the_model(tmp_path: Path) -> None:
    outcome = train(grocer(), tmp_path)
    assert "not better than popular items beyond noise" in outcome.verdict.reasons[0]
    artifact = open_artifact(layout.version_dir(tmp_path, outcome.version))
    assert not artifact.item_embeddings.any()  # nobody has a list of their own
    assert artifact.popularity.max() == artifact.popularity[0]  # everybody's favourite is the first item


def test_a_forced_personal_model_goes_live_though_popular_items_are_better(tmp_path: Path) -> None:
    outcome = train(grocer(), tmp_path, force=True)
    assert live(tmp_path).model != "popularity"
    assert not outcome.verdict.passed


def test_where_too_few_users_judge_the_verdict_says_so_and_what_happens(tmp_path: Path) -> None:
    verdict = train(ten_users(), tmp_path).verdict
    assert verdict.passed
    assert verdict.users == 10
    assert verdict.reasons[0].startswith("passed: not enough to judge by: 10 users")
    assert "popular items are the model" in verdict.reasons[0]


def test_a_shop_that_began_with_popular_items_gets_a_personal_model_through_the_same_gate(tmp_path: Path) -> None:
    grown = small_shop()
    began = Shop(grown.events.head(0), grown.catalogue, grown.weights)
    assert train(began, tmp_path).recipe.model == "popularity"
    outcome = train(grown, tmp_path)
    assert outcome.activated
    assert live(tmp_path).model == outcome.recipe.model != "popularity"
    assert any("minus the live version's" in reason for reason in outcome.verdict.reasons)


def test_a_baseline_is_renewed_by_one_of_newer_events(tmp_path: Path) -> None:
    first = train(ten_users(), tmp_path)
    again = train(ten_users(seed=1), tmp_path)
    assert again.activated
    assert layout.current_version(tmp_path) == again.version != first.version
    assert "the live version's recipe" in again.verdict.reasons[0]
