"""The reranker beside a real feature store: what the shop changes shows; an unavailable store keeps nobody waiting."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from in_process import NEVER_S, TIMEOUT_S, serving
from packed_candidates import candidate_set
from tiny_artifact import checkerboard, publish

from recsys.feature_store.follower import Follower, LiveState
from recsys.feature_store.opening import open_store
from recsys.observability.metrics import Metrics
from recsys.shop.item import ItemChange
from recsys.v1.catalog_service_pb2 import GetItemsRequest
from recsys.v1.catalog_service_pb2_grpc import CatalogServiceStub
from recsys.v1.item_pb2 import Item
from recsys.v1.reranker_service_pb2 import RerankRequest
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceStub
from reranker.app import create
from reranker.settings import Settings


class Client:
    """What the shop's visitors and its staff see."""

    def __init__(self, volume: Path, live: LiveState) -> None:
        self._served = serving(*create(Settings(artifact_dir=volume, poll_interval_s=NEVER_S), live, Metrics()))

    @contextmanager
    def connected(self) -> Iterator["Client"]:
        with self._served as channel:
            self._reranker, self._catalog = RerankerServiceStub(channel), CatalogServiceStub(channel)
            yield self

    def ranked(self, *rows: int) -> list[Item]:
        candidates = candidate_set(rows, scores=[1] * len(rows))
        request = RerankRequest(artifact_version="v1", candidates=candidates, count=12)
        return [ranked.item for ranked in self._reranker.Rerank(request, timeout=TIMEOUT_S).items]

    def items(self, *item_ids: str) -> list[Item]:
        return list(self._catalog.GetItems(GetItemsRequest(item_ids=item_ids), timeout=TIMEOUT_S).items)


async def change(store_url: str, *changes: ItemChange) -> None:
    store = open_store(store_url)
    await store.change_items(changes, now_ms=1_700_000_000_000)
    await store.close()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    publish(checkerboard(), tmp_path / "volume")
    return tmp_path / "volume"


def test_what_the_shop_changed_shows_from_the_first_answer_on(tmp_path: Path, volume: Path) -> None:
    url = f"sqlite://{tmp_path / 'store.db'}"
    changes = [
        ItemChange("item-01", "delete"),
        ItemChange("item-02", "patch", {"available": False}),
        ItemChange("item-03", "patch", {"title": "Renamed", "attributes.colour": "red"}),
        ItemChange("added", "put", {"title": "Just in"}),
    ]
    asyncio.run(change(url, *changes))
    live = LiveState()
    follower = Follower(url, live)
    follower.start(wait_s=TIMEOUT_S)
    try:
        with Client(volume, live).connected() as client:
            assert [item.item_id for item in client.ranked(0, 1, 2, 3)] == ["item-00", "item-03"]
            [renamed, added] = client.items("item-03", "item-01", "added")
            assert (renamed.title, dict(renamed.attributes)) == ("Renamed", {"colour": "red"})
            assert (added.item_id, added.title, added.available) == ("added", "Just in", True)
    finally:
        follower.stop()


def test_a_store_that_is_away_leaves_the_catalogue_as_it_was_trained(volume: Path) -> None:
    live = LiveState()
    follower = Follower("valkey://127.0.0.1:1/0", live)
    follower.start(wait_s=0.01)
    try:
        with Client(volume, live).connected() as client:
            assert [item.item_id for item in client.ranked(0, 1, 2)] == ["item-00", "item-01", "item-02"]
    finally:
        follower.stop()
