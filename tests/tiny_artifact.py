"""Small artifacts whose right answers are known, for tests of everything that reads one.

A shop as plain lists and arrays comes in; a version on a volume goes out, written by the real writer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.artifact import writer
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import (
    AgeInfo,
    ALSFoldIn,
    BlendInfo,
    GateInfo,
    IndexInfo,
    ItemContentInfo,
    Manifest,
    MetricValue,
    RankerInfo,
    SumFoldIn,
    TrainingInfo,
    TransitionsInfo,
    UsersIn,
)
from recsys.artifact.packed_history import packed_histories
from recsys.artifact.ranker import Ranker
from recsys.artifact.transitions import Transitions
from recsys.item_features import COLUMNS, KINDS, features
from recsys.ranking_features import FEATURES, ITEM_FEATURES
from recsys.shop.item import Item
from recsys.trees import Trees

FIRST_EVENT_UNIX_S = 1_700_000_000
EVENT_WEIGHTS = {"view": 1.0, "cart": 3.0, "purchase": 5.0}


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
    categories: list[str | None] | None = None  # none: "even" and "odd" by row
    prices: list[float | None] | None = None  # none: the row, and null of the first
    attributes: dict[str, list[str | None]] = field(default_factory=dict)  # name → value of each item
    first_seen: NDArray[np.int64] | None = None  # none: zeros
    transitions: Transitions | None = None  # none: nothing comes next
    bought_together: Transitions | None = None  # none: nothing is
    ranker: Ranker | None = None  # none: the blend alone ranks
    item_content: ItemContent | None = None  # none: items without events have no vector
    vectors: list[str | None] | None = None  # that the shop brings; none: the file has no column of them
    fold_in: FoldIn | None = None  # none: the plain sum of the items' vectors, each times its raw weight


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


def with_transitions(shop: Shop, leads_to: Mapping[int, Mapping[int, float]], *, step_decay: float = 0.5) -> Shop:
    """The shop with transitions: item row → the rows that come after it → how often."""
    info = TransitionsInfo(age=AgeInfo(step_decay=step_decay))
    return replace(shop, transitions=_leading_to(shop, leads_to, info))


def with_baskets(shop: Shop, share: Mapping[int, Mapping[int, float]]) -> Shop:
    """The shop with what is bought together: item row → the rows that share its baskets → how often."""
    return replace(shop, bought_together=_leading_to(shop, share, TransitionsInfo(counted="together")))


def _leading_to(shop: Shop, leads_to: Mapping[int, Mapping[int, float]], info: TransitionsInfo) -> Transitions:
    parts = [sorted(leads_to.get(row, {}).items(), key=lambda pair: -pair[1]) for row in range(len(shop.item_ids))]
    found = [pair for part in parts for pair in part]
    return Transitions(
        info=info,
        indptr=np.cumsum([0, *map(len, parts)], dtype=np.int64),
        items=np.array([row for row, _ in found], np.int32),
        scores=np.array([score for _, score in found], np.float32),
    )


def with_ranker(shop: Shop) -> Shop:
    """The shop with a ranker of two trees: the second of the blend is lifted by 10, an item older than 5 days by 1.

    Item i is i days old.
    """
    trees = Trees(
        features=np.array(
            [
                [FEATURES.index("blend_rank"), FEATURES.index("blend_rank")],
                [FEATURES.index("item_age_days"), -1],
            ],
            np.int32,
        ),
        thresholds=np.array([[0.5, 1.5], [5.0, 0.0]]),
        children=np.array([[[-1, 1], [-2, -3]], [[-1, -2], [-1, -1]]], np.int32),
        leaves=np.array([[0.0, 10.0, 0.0], [0.0, 1.0, 0.0]]),
        counts=np.array([[1.0, 1.0, 8.0], [5.0, 5.0, 0.0]]),
    )
    items = np.zeros((len(shop.item_ids), len(ITEM_FEATURES)), np.float32)
    items[:, ITEM_FEATURES.index("age_days")] = np.arange(len(shop.item_ids))
    info = RankerInfo(features=list(FEATURES), trees=2, leaves=3, base_weight=3)
    return replace(shop, ranker=Ranker(info, trees, items))


def with_item_content(shop: Shop, sides: Mapping[str, Sequence[float]]) -> Shop:
    """The shop with a map from categories to vectors, which knows no other fact and nothing of other categories."""
    weights = np.zeros((COLUMNS, shop.item_embeddings.shape[1]), np.float32)
    for category, vector in sides.items():
        columns, values, _ = features(Item("", category=category), price_edges=[])
        weights[columns[-1]] = np.array(vector, np.float32) / values[-1]
    info = ItemContentInfo(features=list(KINDS), columns=COLUMNS, price_edges=[])
    return replace(shop, item_content=ItemContent(info, weights))


def with_als_fold_in(shop: Shop, *, recency: NDArray[np.float32] | None = None) -> Shop:
    """The shop with vectors that ALS could have made: each user's is the least-squares answer to their history.

    Solved here over all items, as the formula of docs/artifact-format.md stands. Every event has weight 1; `recency`
    (float32 [n_items], above 0) is what the trainer scaled the item vectors by afterwards.
    """
    n_items, dim = shop.item_embeddings.shape
    info = ALSFoldIn(weight_scale=0.5, alpha=4, k1=2, b=0.5, avg_length=2)
    had = np.zeros((len(shop.user_ids), n_items))
    for user, rows in enumerate(shop.histories):
        had[user, rows] = info.weight_scale
    idf = 1 + np.arange(n_items, dtype=np.float32) / n_items
    norm = info.k1 * (1 - info.b + info.b * had.sum(axis=1, keepdims=True) / info.avg_length)
    confidence = info.alpha * idf * had * (info.k1 + 1) / (had + norm)
    eigenvalues, rotation = np.linalg.eigh(shop.item_embeddings.T.astype(np.float64) @ shop.item_embeddings)
    items = (shop.item_embeddings @ rotation).astype(np.float32)
    spectrum = np.maximum(eigenvalues, 0) + 0.5
    users = np.zeros((len(shop.user_ids), dim))
    for user in np.flatnonzero(had.any(axis=1)).tolist():
        extra = np.where(had[user] > 0, confidence[user] - 1, 0)
        system = np.diag(spectrum) + items.T @ (extra[:, None] * items)
        users[user] = np.linalg.solve(system, items.T @ confidence[user])
    factor = np.ones(n_items, np.float32) if recency is None else recency
    return replace(
        shop,
        user_embeddings=users.astype(np.float32),
        item_embeddings=items * factor[:, np.newaxis],
        fold_in=FoldIn(
            info=info, item_weights=idf, item_scale=np.float32(1) / factor, spectrum=spectrum.astype(np.float32)
        ),
    )


def publish(
    shop: Shop,
    volume: Path,
    *,
    version: str = "v1",
    factory: str = "Flat",
    metric: Literal["inner_product", "cosine"] = "inner_product",
    search_effort: int | None = None,
    index_of: Shop | None = None,
    blend: BlendInfo | None = None,
    stream_sequence: int = 0,
    gate: GateInfo | None = None,
    users_in: UsersIn = "artifact",
) -> Path:
    """Write the shop as a version, make it the live one, and return its directory.

    `gate` is what its manifest says of the gate's verdict.
    `index_of` puts another shop's indexes into it, as a faulty trainer might.
    """
    recall = 1.0 if search_effort is None else 0.4  # random vectors are hard on an approximate index
    index = IndexInfo(factory=factory, metric=metric, search_effort=search_effort, recall=recall)
    manifest = _manifest(shop, version=version, index=index)
    training = manifest.training.model_copy(update={"gate": gate})
    manifest = manifest.model_copy(
        update={"blend": blend or BlendInfo(), "stream_sequence": stream_sequence, "training": training}
        | {"users_in": users_in}
    )
    retrieval, similar = _indexes(index_of or shop, factory=factory, metric=metric)
    writer.write_version(volume, manifest=manifest, contents=_contents(shop, retrieval=retrieval, similar=similar))
    writer.activate(volume, version)
    return volume / "versions" / version


def packed_histories_of(shop: Shop, *, stream_sequence: int = 0) -> dict[str, str]:
    """User id → what the feature store has of them, where the version holds no users."""
    texts = packed_histories(_history(shop.histories), shop.item_ids, stream_sequence=stream_sequence)
    return dict(zip(shop.user_ids, texts, strict=True))


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
    categories = shop.categories or [("even", "odd")[row % 2] for row in range(count)]
    prices = shop.prices or [float(row) if row else None for row in range(count)]
    items = pa.table(
        {
            "item_id": pa.array(shop.item_ids, pa.large_string()),
            "title": pa.array([f"Item number {row}" for row in range(count)], pa.large_string()),
            "category": pa.array(categories, pa.large_string()),
            "price": pa.array(prices, pa.float64()),
            "image_url": pa.nulls(count, pa.large_string()),
            "available": pa.array(shop.available.tolist(), pa.bool_()),
            **({"vector": pa.array(shop.vectors, pa.large_string())} if shop.vectors else {}),
            **{f"attr:{name}": pa.array(values, pa.large_string()) for name, values in shop.attributes.items()},
        }
    )
    return writer.Contents(
        user_ids=shop.user_ids,
        items=items,
        user_embeddings=shop.user_embeddings,
        item_embeddings=shop.item_embeddings,
        history=_history(shop.histories),
        popularity=shop.popularity,
        first_seen=np.zeros(count, np.int64) if shop.first_seen is None else shop.first_seen,
        fold_in=shop.fold_in or _plain_sum(shop),
        transitions=shop.transitions,
        bought_together=shop.bought_together,
        ranker=shop.ranker,
        item_content=shop.item_content,
        retrieval_index=retrieval,
        similar_index=similar,
    )


def _plain_sum(shop: Shop) -> FoldIn:
    n_items, dim = shop.item_embeddings.shape
    return FoldIn(
        info=SumFoldIn(),
        item_weights=np.ones(n_items, np.float32),
        item_scale=np.ones(n_items, np.float32),
        spectrum=np.zeros(dim, np.float32),
    )


def _history(histories: list[list[int]]) -> History:
    lengths = [len(rows) for rows in histories]
    return History(
        indptr=np.cumsum([0, *lengths], dtype=np.int64),
        items=np.array([row for rows in histories for row in rows], np.int32),
        times=np.array([FIRST_EVENT_UNIX_S - age for rows in histories for age in range(len(rows))], np.int64),
        types=np.zeros(sum(lengths), np.uint8),
        weights=np.ones(sum(lengths), np.float32),
        type_sets=np.ones(sum(lengths), np.uint32),
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
        training=TrainingInfo(event_weights=dict(EVENT_WEIGHTS)),
        dataset_fingerprint="0" * 64,
        library_versions={},
        code_revision="test",
        trained_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        files={},
    )
