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
_LEAST_TRAINING_VECTORS: Final = 20_000


@dataclass(frozen=True)
class BuiltIndex:
    """An index over item vectors, and how well it searches."""

    index: faiss.Index
    factory: str
    metric: Metric
    search_effort: int | None  # nprobe or efSearch; none for an exhaustive index
    recall: float  # share of the exact first 100 that the index finds, over sampled users


def build_retrieval(
    embeddings: Embeddings, *, factory: str, metric: Metric, search_effort: int | None, seed: int
) -> BuiltIndex:
    """The index that answers users with items, built and measured. `trainer.two_stage` chooses which."""
    items = normalise(embeddings.item) if metric == "cosine" else embeddings.item
    index = build(items, factory=factory, search_effort=search_effort, seed=seed)
    # against inner product whatever the index searches by: what cosine loses must show in its recall
    recall = measure_recall(index, embeddings.item, _sample(embeddings.user, seed=seed))
    return BuiltIndex(index, factory, metric, search_effort, recall)


def build_similar(item_embeddings: NDArray[np.float32], *, seed: int) -> faiss.Index:
    """The index that answers items with items: cosine, so over L2-normalised vectors."""
    factory, effort = default_factory(len(item_embeddings))
    return build(normalise(item_embeddings), factory=factory, search_effort=effort, seed=seed)


def default_factory(n_items: int) -> tuple[str, int | None]:
    """FAISS factory string and search effort where nothing was measured."""
    return ("SQfp16", None) if n_items <= EXHAUSTIVE_UP_TO else (f"IVF{inverted_lists(n_items)},SQ8", 64)


def inverted_lists(n_items: int) -> int:
    """About 4 √n lists, a power of two."""
    return int(2 ** round(math.log2(4 * math.sqrt(n_items))))


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


def build(items: NDArray[np.float32], *, factory: str, search_effort: int | None, seed: int) -> faiss.Index:
    """An inner-product index of items, float32 [n_items, dim]; the seed draws what it is trained on."""
    index = faiss.index_factory(items.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        lists = faiss.try_extract_index_ivf(index)
        count = min(len(items), max(_LEAST_TRAINING_VECTORS, lists.nlist * _TRAINING_VECTORS_PER_LIST if lists else 0))
        index.train(items[np.random.default_rng(seed).choice(len(items), size=count, replace=False)])
    index.add(items)
    if search_effort is not None:
        effort = "nprobe" if faiss.try_extract_index_ivf(index) else "efSearch"
        faiss.ParameterSpace().set_index_parameter(index, effort, search_effort)
    return index


def _sample(users: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(users), size=min(_SAMPLED_USERS, len(users)), replace=False)
    return np.ascontiguousarray(users[np.sort(rows)])
