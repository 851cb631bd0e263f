"""A small artifact in a temporary volume, whole and valid, for tests to read, break and replace."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.artifact import writer
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History
from recsys.artifact.manifest import AgeInfo, ALSFoldIn, IndexInfo, Manifest, MetricValue, TrainingInfo, TransitionsInfo
from recsys.artifact.object_store import ObjectStore
from recsys.artifact.transitions import Transitions
from tools import s3_server
from tools.s3_server import S3

USER_IDS = ["", " 007", "007", "17850.0", "a/b", "ü"]
ITEM_IDS = ["0001", "1", "85123A", "A b"]


def small_contents(*, seed: int = 0) -> writer.Contents:
    rng = np.random.default_rng(seed)
    return writer.Contents(
        user_ids=USER_IDS,
        items=pa.table(
            {
                "item_id": ITEM_IDS,
                "title": ["White Lantern", "lantern red", None, "Mug"],
                "category": ["light", "light", "light", "kitchen"],
                "price": [3.5, 2.0, None, 8.0],
                "image_url": pa.array([None] * 4, pa.string()),
                "available": [True, False, True, True],
                "attr:brand": ["Lumo", None, "Lumo", "Oak & Co"],
            }
        ),
        user_embeddings=rng.standard_normal((6, 3), dtype=np.float32),
        item_embeddings=rng.standard_normal((4, 3), dtype=np.float32),
        history=History(
            indptr=np.array([0, 2, 2, 3, 3, 3, 3], np.int64),
            items=np.array([3, 0, 1], np.int32),
            times=np.array([200, 100, 50], np.int64),
            types=np.array([1, 0, 1], np.uint8),
            weights=np.array([6, 1, 5], np.float32),
            type_sets=np.array([0b11, 0b01, 0b10], np.uint32),
            event_types=["view", "purchase"],
        ),
        popularity=np.array([1, 1, 0, 1], np.float32),
        first_seen=np.array([100, 50, 0, 200], np.int64),
        fold_in=FoldIn(
            info=ALSFoldIn(weight_scale=0.25, alpha=2, k1=100, b=0.8, avg_length=1.5),
            item_weights=np.array([1, 1, 2, 1], np.float32),
            item_scale=np.array([1, 2, 1, 0.5], np.float32),
            spectrum=np.array([1, 2, 3], np.float32),
        ),
        retrieval_index=np.frombuffer(b"an index, unread here", np.uint8),
        similar_index=np.frombuffer(b"another", np.uint8),
        transitions=Transitions(
            info=TransitionsInfo(age=AgeInfo(step_decay=0.5)),
            indptr=np.array([0, 2, 2, 3, 3], np.int64),
            items=np.array([1, 3, 0], np.int32),
            scores=np.array([2, 1, 4], np.float32),
        ),
        bought_together=Transitions(
            info=TransitionsInfo(counted="together", shrinkage=3),
            indptr=np.array([0, 1, 2, 2, 2], np.int64),
            items=np.array([1, 0], np.int32),
            scores=np.array([1, 1], np.float32),
        ),
    )


def small_manifest(version: str = "20260101T000000Z-als-00000000") -> Manifest:
    return Manifest(
        version=version,
        model="als",
        dim=3,
        user_count=6,
        item_count=4,
        interaction_count=3,
        event_types=["view", "purchase"],
        index=IndexInfo(factory="Flat", metric="inner_product", search_effort=None, recall=1.0),
        metrics={"recall@20": MetricValue(value=0.25, low=0.2, high=0.3)},
        training=TrainingInfo(),
        dataset_fingerprint="0" * 64,
        library_versions={"numpy": np.__version__},
        code_revision="unknown",
        trained_at=datetime(2026, 1, 1, tzinfo=UTC),
        files={},
    )


@dataclass(frozen=True)
class Volume:
    """A volume and a way to publish on it."""

    path: Path

    def publish(
        self,
        version: str = "20260101T000000Z-als-00000000",
        *,
        seed: int = 0,
        contents: writer.Contents | None = None,
    ) -> Path:
        """`seed` draws the small contents where none are given."""
        written = contents or small_contents(seed=seed)
        writer.write_version(self.path, manifest=small_manifest(version), contents=written)
        writer.activate(self.path, version)
        return self.path / "versions" / version


@pytest.fixture
def new_volume(tmp_path: Path) -> Callable[[str], Volume]:
    return lambda name: Volume(tmp_path / name)


@pytest.fixture
def volume(new_volume: Callable[[str], Volume]) -> Volume:
    return new_volume("volume")


@pytest.fixture
def contents_with() -> Callable[..., writer.Contents]:
    """The small contents with some parts replaced."""
    return lambda **changes: replace(small_contents(), **changes)


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server.running() as server:
        yield server


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, well and empty."""
    server.tell()
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    store = ObjectStore(server.address)
    store._delete(*(found["path"] for page in store._store.list() for found in page))
    return server


@pytest.fixture(autouse=True)
def no_log_of_another_test() -> None:
    """A process that a test played sent its log to a standard error which pytest has closed since."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
