"""From a Feast online store into the live catalogue, over the real SQLite store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_artifact import checkerboard, publish

from feast_sync.__main__ import LiveVersion
from feast_sync.features import FeastFeatures, read_config
from feast_sync.sync import sync_items
from recsys.artifact.reader import Artifact, open_artifact
from recsys.errors import ArtifactError, DataError
from recsys.feature_store.follower import Following, LiveState
from recsys.feature_store.interface import FeatureStore
from recsys.feature_store.opening import open_store
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.item import ItemChange

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Shop:
    """The live catalogue and the store that it follows."""

    catalogue: LiveCatalogue
    store: FeatureStore
    following: Following

    async def sync(self, features: FeastFeatures) -> int:
        patched = await sync_items(self.catalogue, features, self.store)
        await self.following.turn()
        return patched


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    live = LiveState()
    store = open_store(f"sqlite://{tmp_path}/features.db")
    artifact = open_artifact(publish(checkerboard(), tmp_path / "volume"))
    yield Shop(LiveCatalogue(artifact, live), store, Following(store, live))
    await store.close()


async def test_features_of_feast_hold_in_the_live_catalogue(shop: Shop, config_path: Path) -> None:
    features = FeastFeatures(read_config(config_path))
    assert await shop.sync(features) == 2  # item-02 is on sale already, and Feast says no more of it
    first, second = shop.catalogue.find("item-00"), shop.catalogue.find("item-01")
    assert first is not None
    assert second is not None
    assert (first.price, first.available, first.attributes["margin"]) == (1.5, True, "high")
    assert (second.price, second.available) == (2.5, False)
    assert second.title == "Item number 1"  # what Feast does not keep stays


async def test_what_is_so_already_is_not_written_again(shop: Shop, config_path: Path) -> None:
    features = FeastFeatures(read_config(config_path))
    await shop.sync(features)
    assert await shop.sync(features) == 0
    await shop.store.change_items([ItemChange("item-01", "patch", {"available": True})], now_ms=1)
    await shop.following.turn()
    assert await shop.sync(features) == 1


def test_each_version_is_opened_and_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counted(version_dir: Path) -> Artifact:
        opened.append(version_dir.name)
        return open_artifact(version_dir)

    monkeypatch.setattr("feast_sync.__main__.open_artifact", counted)
    version = LiveVersion(tmp_path, LiveState())
    with pytest.raises(ArtifactError, match="no version has been published"):
        version.catalogue()
    first = publish(checkerboard(), tmp_path).name
    assert version.catalogue() is version.catalogue()
    assert opened == [first]


def test_a_field_that_the_catalogue_does_not_have_is_refused(config_path: Path) -> None:
    config_path.write_text(config_path.read_text().replace("price = ", "cost = "))
    with pytest.raises(DataError, match=r"feast\.toml: items\.features\.cost"):
        read_config(config_path)
