"""A trained shop whose users are in the feature store is served the lists of one whose users are in the artifact."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small_shops import what_comes_next

from candidate_gen.query.query_vectors import VectorOrigin
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact import layout
from recsys.artifact.reader import Artifact, open_artifact
from recsys.errors import StoreUnavailableError
from recsys.feature_store.follower import LiveState
from recsys.feature_store.interface import Profile, Subject
from recsys.feature_store.opening import open_store
from trainer import pipeline
from trainer.choosing.recipe import ALSRecipe, EASERecipe, Recipe, SpectralRecipe
from trainer.models.als import ALSSettings
from trainer.models.spectral import SpectralSettings
from trainer.settings import Settings

SHOP = what_comes_next()
COUNT = 20
LEAST_SHARED = 0.98  # of a list, over all users: what rounding may turn round


def train(folder: Path, recipe: Recipe, **settings: str) -> Artifact:
    outcome = pipeline.train(SHOP, settings=Settings(artifact_dir=folder, **settings), recipe=recipe, force=True)
    return open_artifact(layout.version_dir(folder, outcome.version))


def profiles(url: str, user_ids: list[str]) -> list[Profile]:
    async def ask() -> list[Profile]:
        store = open_store(url)
        try:
            return [await store.profile(Subject("user", user_id)) for user_id in user_ids]
        finally:
            await store.close()

    return asyncio.run(ask())


def lists(artifact: Artifact, askers: list[Asker], origin: VectorOrigin) -> list[NDArray[np.uint32]]:
    counts = SourceCounts(session=0, popular=0, trending=0, new=0, transitions=0)
    retriever = Retriever(artifact, live=LiveState(), counts=counts)
    found = [retriever.candidates(asker, Conditions(), count=COUNT) for asker in askers]
    assert {one.query.origin for one in found} == {origin}
    return [one.candidates.rows for one in found]


@pytest.mark.parametrize(
    "recipe",
    [ALSRecipe(settings=ALSSettings(dim=16)), SpectralRecipe(settings=SpectralSettings(dim=16)), EASERecipe()],
    ids=lambda recipe: recipe.model,
)
def test_lists_with_and_without_stored_users_are_the_same(tmp_path: Path, recipe: Recipe) -> None:
    url = f"sqlite://{tmp_path}/features.db"
    stored = train(tmp_path / "stored", recipe)
    without = train(tmp_path / "without", recipe, users_in="feature_store", feature_store_url=url)
    user_ids = [stored.users.id_of(row) for row in range(len(stored.users))]
    histories = [profile.history for profile in profiles(url, user_ids)]
    assert all(histories)
    expected = lists(stored, [Asker(user_id=one) for one in user_ids], VectorOrigin.TRAINED)
    askers = [Asker(user_id=one, history=text) for one, text in zip(user_ids, histories, strict=True)]
    found = lists(without, askers, VectorOrigin.FOLDED_IN)
    shared = [len(np.intersect1d(*pair)) / len(pair[0]) for pair in zip(expected, found, strict=True)]
    assert float(np.mean(shared)) >= LEAST_SHARED
    for artifact in (stored, without):
        assert artifact.manifest.user_count == len(user_ids)
    sizes = [sum(file.bytes for file in each.manifest.files.values()) for each in (stored, without)]
    assert sizes[1] < sizes[0]


def test_a_version_whose_histories_could_not_be_written_does_not_go_live(tmp_path: Path) -> None:
    nowhere = tmp_path / "features.db"
    nowhere.mkdir()
    volume = tmp_path / "volume"
    with pytest.raises(StoreUnavailableError, match="not complete there: train again"):
        train(volume, EASERecipe(), users_in="feature_store", feature_store_url=f"sqlite://{nowhere}")
    assert layout.current_version(volume) is None


def test_users_cannot_be_left_to_a_store_that_nobody_named() -> None:
    with pytest.raises(ValueError, match="expected a feature_store_url for the histories"):
        Settings(users_in="feature_store")
