"""Embeddings in, FAISS indexes out, with the recall that the index was measured to have against exact search."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from trainer.models.embeddings import Embeddings

Metric = Literal["inner_product", "cosine"]

# Up to here an exhaustive scan of half-precision vectors is as fast as any approximate index, and finds everything
# (DESIGN.md, section 9); `benchmarks/` measures it again.
EXHAUSTIVE_UP_TO: Final = 200_000
RECALL_AT: Final = 100
_SAMPLED_USERS: Final = 500
_TRAINING_VECTORS_PER_LIST: Final = 64
_EFFORTS: Final = (16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class BuiltIndex:
    """An index over item vectors, and how well it searches."""

    index: faiss.Index
    factory: str
    metric: Metric
    search_effort: int | None  # nprobe; none for an exhaustive index
    recall: float  # share of the exact first 100 that the index finds, over sampled users


def build_retrieval(embeddings: Embeddings, *, metric: Metric, target_recall: float, seed: int) -> BuiltIndex:
    """The index that answers users with items.

    Exhaustive for catalogues up to `EXHAUSTIVE_UP_TO`; beyond that inverted lists, searched as widely as it takes to
    find `target_recall` of the exact first 100 (or as widely as the widest effort tried).
    """
    items = normalise(embeddings.item) if metric == "cosine" else embeddings.item
    factory = _factory(len(items))
    index = _build(items, factory, seed=seed)
    users = _sample(embeddings.user, seed=seed)
    if factory == "SQfp16":
        return BuiltIndex(index, factory, metric, None, measure_recall(index, items, users))
    inverted_lists = faiss.extract_index_ivf(index)
    recall = 0.0
    for effort in _EFFORTS:
        inverted_lists.nprobe = effort
        recall = measure_recall(index, items, users)
        if recall >= target_recall:
            break
    return BuiltIndex(index, factory, metric, effort, recall)


def build_similar(item_embeddings: NDArray[np.float32], *, seed: int) -> faiss.Index:
    """The index that answers items with items: cosine, so over L2-normalised vectors."""
    items = normalise(item_embeddings)
    index = _build(items, _factory(len(items)), seed=seed)
    if len(items) > EXHAUSTIVE_UP_TO:
        faiss.extract_index_ivf(index).nprobe = 64
    return index


def normalise(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length 1, float32 [n, dim]; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def measure_recall(index: faiss.Index, items: NDArray[np.float32], users: NDArray[np.float32]) -> float:
    """Share of the exact first 100 items by inner product that the index finds, mean over `users` [n, dim]."""
    count = min(RECALL_AT, len(items))
    if len(users) == 0:
        return 1.0
    exact = faiss.knn(users, items, count, metric=faiss.METRIC_INNER_PRODUCT)[1]
    found = index.search(users, count)[1]
    hits = sum(len(np.intersect1d(row, other)) for row, other in zip(exact, found, strict=True))
    return hits / exact.size


def _factory(n_items: int) -> str:
    if n_items <= EXHAUSTIVE_UP_TO:
        return "SQfp16"
    return f"IVF{2 ** round(math.log2(4 * math.sqrt(n_items)))},SQ8"


def _build(items: NDArray[np.float32], factory: str, *, seed: int) -> faiss.Index:
    index = faiss.index_factory(items.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        count = min(len(items), faiss.extract_index_ivf(index).nlist * _TRAINING_VECTORS_PER_LIST)
        index.train(items[np.random.default_rng(seed).choice(len(items), size=count, replace=False)])
    index.add(items)
    return index


def _sample(users: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(users), size=min(_SAMPLED_USERS, len(users)), replace=False)
    return np.ascontiguousarray(users[np.sort(rows)])
