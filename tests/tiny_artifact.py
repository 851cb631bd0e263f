"""Small artifacts whose right answers are known, for tests of everything that reads one.

A shop as plain lists and arrays comes in; a version on a volume goes out, written by the real writer.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.artifact import writer
from recsys.artifact.history import History
from recsys.artifact.manifest import IndexInfo, Manifest, MetricValue

FIRST_EVENT_UNIX_S = 1_700_000_000


@dataclass(frozen=True)
class Shop:
    """What a model learned about a shop. Users and items are sorted by id."""

    user_ids: list[str]
    item_ids: list[str]
    user_embeddings: NDArray[np.float32]
    item_embeddings: NDArray[np.float32]
    histories: list[list[int]]  # item rows of each user, most recent first
    popularity: NDArray[np.float32]
    available: NDArray[np.bool_]


def checkerboard(*, users: int = 6, items: int = 12) -> Shop:
    """Even users like even items, odd users odd ones; everybody had all of theirs but the one on the diagonal.

    Of the items that a user likes, the earlier ones score higher. The last item is the most popular one.
    """
    parity_of_user, parity_of_item = np.arange(users) % 2, np.arange(items) % 2
    sides = np.eye(2, dtype=np.float32)
    appeal = np.linspace(1, 0.5, items, dtype=np.float32)
    return Shop(
        user_ids=[f"user-{row:02d}" for row in range(users)],
        item_ids=[f"item-{row:02d}" for row in range(items)],
        user_embeddings=sides[parity_of_user],
        item_embeddings=sides[parity_of_item] * appeal[:, np.newaxis],
        histories=[[item for item in range(user % 2, items, 2) if item != user] for user in range(users)],
        popularity=np.arange(1, items + 1, dtype=np.float32),
        available=np.ones(items, dtype=bool),
    )


def random_shop(*, seed: int, users: int, items: int, dim: int = 8) -> Shop:
    """Random vectors, histories of any length, a quarter of the items not on sale."""
    rng = np.random.default_rng(seed)
    return Shop(
        user_ids=[f"user-{row:05d}" for row in range(users)],
        item_ids=[f"item-{row:05d}" for row in range(items)],
        user_embeddings=rng.standard_normal((users, dim), dtype=np.float32),
        item_embeddings=rng.standard_normal((items, dim), dtype=np.float32),
        histories=[rng.permutation(items)[: rng.integers(0, items + 1)].tolist() for _ in range(users)],
        popularity=rng.integers(0, 5, items).astype(np.float32),
        available=rng.random(items) < 0.75,
    )


def off_sale(shop: Shop, *item_rows: int) -> Shop:
    """The shop with these items not available."""
    available = shop.available.copy()
    available[list(item_rows)] = False
    return replace(shop, available=available)


def publish(
    shop: Shop,
    volume: Path,
    *,
    version: str = "v1",
    factory: str = "Flat",
    metric: Literal["inner_product", "cosine"] = "inner_product",
    search_effort: int | None = None,
    index_of: Shop | None = None,
) -> Path:
    """Write the shop as a version, make it the live one, and return its directory.

    `index_of` puts another shop's indexes into it, as a faulty trainer might.
    """
    recall = 1.0 if search_effort is None else 0.4  # random vectors are hard on an approximate index
    index = IndexInfo(factory=factory, metric=metric, search_effort=search_effort, recall=recall)
    manifest = _manifest(shop, version=version, index=index)
    retrieval, similar = _indexes(index_of or shop, factory=factory, metric=metric)
    writer.write_version(volume, manifest=manifest, contents=_contents(shop, retrieval=retrieval, similar=similar))
    writer.activate(volume, version)
    return volume / "versions" / version


def serialized_index(vectors: NDArray[np.float32], factory: str = "Flat") -> NDArray[np.uint8]:
    """The bytes of a FAISS index of these vectors, by inner product."""
    index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    serialized: NDArray[np.uint8] = faiss.serialize_index(index)
    return serialized


def normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length 1; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def _indexes(shop: Shop, *, factory: str, metric: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    unit_items = normalised(shop.item_embeddings)
    searched = unit_items if metric == "cosine" else shop.item_embeddings
    return serialized_index(searched, factory), serialized_index(unit_items, factory)


def _contents(shop: Shop, *, retrieval: NDArray[np.uint8], similar: NDArray[np.uint8]) -> writer.Contents:
    count = len(shop.item_ids)
    items = pa.table(
        {
            "item_id": pa.array(shop.item_ids, pa.large_string()),
            "title": pa.array([f"Item number {row}" for row in range(count)], pa.large_string()),
            "category": pa.array([("even", "odd")[row % 2] for row in range(count)], pa.large_string()),
            "image_url": pa.nulls(count, pa.large_string()),
            "price": pa.array([float(row) if row else None for row in range(count)], pa.float64()),
            "available": pa.array(shop.available.tolist(), pa.bool_()),
        }
    )
    return writer.Contents(
        user_ids=shop.user_ids,
        items=items.select(["item_id", "title", "category", "price", "image_url", "available"]),
        user_embeddings=shop.user_embeddings,
        item_embeddings=shop.item_embeddings,
        history=_history(shop.histories),
        popularity=shop.popularity,
        retrieval_index=retrieval,
        similar_index=similar,
    )


def _history(histories: list[list[int]]) -> History:
    lengths = [len(rows) for rows in histories]
    return History(
        indptr=np.cumsum([0, *lengths], dtype=np.int64),
        items=np.array([row for rows in histories for row in rows], np.int32),
        times=np.array([FIRST_EVENT_UNIX_S - age for rows in histories for age in range(len(rows))], np.int64),
        types=np.zeros(sum(lengths), np.uint8),
        event_types=["purchase"],
    )


def _manifest(shop: Shop, *, version: str, index: IndexInfo) -> Manifest:
    return Manifest(
        version=version,
        model="als",
        dim=shop.item_embeddings.shape[1],
        user_count=len(shop.user_ids),
        item_count=len(shop.item_ids),
        interaction_count=sum(len(rows) for rows in shop.histories),
        event_types=["purchase"],
        index=index,
        metrics={"recall@20": MetricValue(value=0.25, low=0.2, high=0.3), "coverage": MetricValue(value=0.5)},
        training={},
        dataset_fingerprint="0" * 64,
        library_versions={},
        code_revision="test",
        trained_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        files={},
    )
