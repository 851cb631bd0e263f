"""From the store to the next model: what a shop's API took is learnt, what was erased is not."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import checkerboard_shop as shop
import pytest

from recsys.artifact import layout
from recsys.artifact.reader import Artifact, open_artifact
from recsys.feature_store.interface import Erasure, Event, FeatureStore, Subject
from recsys.feature_store.opening import open_store
from recsys.shop.item import ItemChange

NOW_MS = 1_790_000_000_000
ANNA, GUEST = Subject("user", "anna"), Subject("session", "guest")


class Volume:
    """A model volume whose store, sink and trainer are the real ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = folder / "events.csv"
        self.url = f"sqlite://{folder}/features.db"
        shop.write_events(self.events)

    def tell(self, act: Callable[[FeatureStore], Awaitable[object]]) -> None:
        """Something that the API does; then the sink moves it."""

        async def with_store() -> None:
            store = open_store(self.url)
            await act(store)
            await store.close()

        asyncio.run(with_store())
        settings = {"EVENT_SINK_FEATURE_STORE_URL": self.url, "EVENT_SINK_ARTIFACT_DIR": str(self.folder)}
        subprocess.run([sys.executable, "-m", "event_sink", "--once"], env=os.environ | settings, check=True)

    def train(self) -> Artifact:
        return open_artifact(layout.version_dir(self.folder, shop.train(self.folder, self.events)))

    def erasure(self, user_id: str) -> Erasure:
        async def ask() -> Erasure | None:
            store = open_store(self.url)
            try:
                return await store.erasure(user_id)
            finally:
                await store.close()

        found = asyncio.run(ask())
        assert found is not None
        return found


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def bought(subject: Subject, *item_ids: str) -> list[Event]:
    return [
        Event(f"{subject.id}-{item_id}", subject, item_id, "purchase", NOW_MS + n, 5.0)
        for n, item_id in enumerate(item_ids)
    ]


def users(artifact: Artifact) -> set[str]:
    return {artifact.users.id_of(row) for row in range(len(artifact.users))}


def test_events_and_items_of_the_api_are_in_the_next_model_with_their_place_in_the_stream(volume: Volume) -> None:
    assert volume.train().manifest.stream_sequence == 0

    async def act(store: FeatureStore) -> None:
        appended = await store.append(bought(ANNA, *shop.IDS[:2]) + bought(GUEST, *shop.IDS[:2]), now_ms=NOW_MS)
        assert appended[-1].sequence == 4
        await store.change_items([ItemChange(shop.IDS[0], "patch", {"title": "As told by the API"})], now_ms=NOW_MS)

    volume.tell(act)
    artifact = volume.train()
    assert artifact.manifest.stream_sequence == 4
    assert {"anna", "session:guest"} <= users(artifact)
    row = artifact.items.row_of(shop.IDS[0])
    assert row is not None
    assert artifact.catalogue.item(row).title == "As told by the API"


def test_an_erased_user_and_their_sessions_are_in_no_later_model_and_in_no_file(volume: Volume) -> None:
    known_of_old = shop.IDS[3]  # a user of the shop's own files

    async def act(store: FeatureStore) -> None:
        await store.append(bought(GUEST, *shop.IDS[:2]), now_ms=NOW_MS)
        await store.append(bought(ANNA, *shop.IDS[:2]), now_ms=NOW_MS)
        await store.append(bought(Subject("user", known_of_old), *shop.IDS[:2]), now_ms=NOW_MS)
        await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)

    volume.tell(act)
    gone = {"anna", known_of_old}
    assert gone <= users(volume.train())

    async def erase(store: FeatureStore) -> None:
        for user_id in ("anna", known_of_old):
            await store.erase_user(user_id, now_ms=NOW_MS)

    volume.tell(erase)
    assert not gone & users(volume.train())
    assert volume.erasure("anna").lake_rows == 5  # of events, and the merge
    assert volume.erasure(known_of_old).lake_rows == 2
    kept = [
        path for path in [*(volume.folder / "lake").rglob("*"), *(volume.folder / "cache").rglob("*")] if path.is_file()
    ]
    assert kept
    assert not any(b"anna" in path.read_bytes() for path in kept)
