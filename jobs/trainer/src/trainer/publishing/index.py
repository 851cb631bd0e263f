"""Embeddings in, FAISS indexes out, with the recall that the index was measured to have against exact search.

Which index serves follows from the vectors and the seed alone: times differ from run to run, what is found does not.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsys.vectors import unit
from trainer.models.embeddings import Embeddings

Metric = Literal["inner_product", "cosine"]

# Exact search over 16 MB of vectors (64,000 items of 64 dimensions) takes 0.3 ms on one core; beyond that they leave
# the processor's caches and it takes many times as long (docs/evaluation.md).
EXACT_UP_TO_BYTES: Final = 16 << 20
# Up to here a graph is an alternative; beyond, it takes longer to build than the models to fit.
EXHAUSTIVE_UP_TO: Final = 200_000
RECALL_AT: Final = 100
_SAMPLED_USERS: Final = 500
_TRAINING_VECTORS_PER_LIST: Final = 64
_LEAST_TRAINING_VECTORS: Final = 20_000
_BYTES_A_VALUE: Final = {"Flat": 4, "SQfp16": 2, "SQ8": 1}
_GRAPH: Final = "HNSW32"
_GRAPH_NEIGHBOURS: Final = 64  # of a node in the lowest level of HNSW32
_EQUAL: Final = 1e-5  # scores that differ by less than this share of the best one are the same


@dataclass(frozen=True)
class IndexSpec:
    """How an index is built and searched."""

    factory: str  # FAISS index factory string
    metric: Metric  # cosine searches L2-normalised item vectors
    search_effort: int | None  # nprobe or efSearch; none for an exhaustive index


EXACT: Final = IndexSpec("Flat", "inner_product", None)


@dataclass(frozen=True)
class BuiltIndex:
    """An index over item vectors, and how well it searches."""

    index: faiss.Index
    spec: IndexSpec
    recall: float  # share of the exact first 100 that the index finds, over sampled users


def choose(embeddings: Embeddings, *, recall_floor: float, seed: int) -> BuiltIndex:
    """The index that answers users with items: exact search where that is cheap, else the cheapest that finds enough.

    Enough is `recall_floor` of the exact first 100 over sampled users, as the gate asks for. Where no other does, exact
    search serves all the same.
    """
    for spec in specs(*embeddings.item.shape):
        built = build_retrieval(embeddings, spec, seed=seed)
        if built.recall >= recall_floor:
            break
    return built


def specs(n_items: int, dim: int) -> list[IndexSpec]:
    """Indexes for so many vectors, the one that reads least of them first; the last is exact search."""
    if bytes_read(EXACT, n_items, dim) <= EXACT_UP_TO_BYTES:
        return [EXACT]
    if n_items <= EXHAUSTIVE_UP_TO:
        approximate = [IndexSpec(_GRAPH, "inner_product", 128)]
    else:
        lists = inverted_lists(n_items)
        approximate = [
            IndexSpec(f"IVF{lists},{codec}", metric, effort)
            for codec in ("SQ8", "SQfp16")
            for effort in (32, 64, 128)
            for metric in ("inner_product", "cosine")
        ]
    exhaustive = [IndexSpec(codec, "inner_product", None) for codec in ("SQ8", "SQfp16")]
    return [*sorted([*approximate, *exhaustive], key=lambda one: bytes_read(one, n_items, dim)), EXACT]


def bytes_read(spec: IndexSpec, n_items: int, dim: int) -> int:
    """Bytes of vectors that one query is compared with: what a search costs, whatever the machine is doing.

    Of a graph an upper bound, with every neighbour of every node that is looked at.
    """
    lists, _, codec = spec.factory.rpartition(",")
    effort = spec.search_effort or 0
    if spec.factory == _GRAPH:
        return min(n_items, effort * _GRAPH_NEIGHBOURS) * dim * _BYTES_A_VALUE["Flat"]
    if not lists:
        return n_items * dim * _BYTES_A_VALUE[codec]
    n_lists = int(lists.removeprefix("IVF"))
    return n_lists * dim * _BYTES_A_VALUE["Flat"] + n_items * effort // n_lists * dim * _BYTES_A_VALUE[codec]


def build_retrieval(embeddings: Embeddings, spec: IndexSpec, *, seed: int) -> BuiltIndex:
    """The index that answers users with items, built and measured."""
    index = build(embeddings.item, spec, seed=seed)
    # against inner product whatever the index searches by: what cosine loses must show in its recall
    return BuiltIndex(index, spec, measure_recall(index, embeddings.item, _sample(embeddings.user, seed=seed)))


def build_similar(item_embeddings: NDArray[np.float32], *, seed: int) -> faiss.Index:
    """The index that answers items with items, by cosine."""
    is_cheap = bytes_read(EXACT, *item_embeddings.shape) <= EXACT_UP_TO_BYTES
    spec = EXACT if is_cheap else default_spec(len(item_embeddings))
    return build(item_embeddings, replace(spec, metric="cosine"), seed=seed)


def default_spec(n_items: int) -> IndexSpec:
    """The index where nothing is measured."""
    if n_items <= EXHAUSTIVE_UP_TO:
        return IndexSpec("SQfp16", "inner_product", None)
    return IndexSpec(f"IVF{inverted_lists(n_items)},SQ8", "inner_product", 64)


def inverted_lists(n_items: int) -> int:
    """About 4 √n lists, a power of two."""
    return int(2 ** round(math.log2(4 * math.sqrt(n_items))))


def measure_recall(index: faiss.Index, items: NDArray[np.float32], users: NDArray[np.float32]) -> float:
    """Share of the exact first 100 items by inner product that the index finds, mean over `users` [n, dim].

    Of items with equal scores one is as good as another: which of them exact search puts first is chance.
    """
    count = min(RECALL_AT, len(items))
    if len(users) == 0 or count == 0:
        return 1.0
    exact = faiss.knn(users, items, count, metric=faiss.METRIC_INNER_PRODUCT)[0]
    found = index.search(users, count)[1]
    hits = 0
    for user, scores, rows in zip(users, exact, found, strict=True):
        least = scores[-1] - _EQUAL * np.abs(scores[0])
        hits += int(np.count_nonzero(items[rows[rows >= 0]] @ user >= least))
    return hits / exact.size


def build(items: NDArray[np.float32], spec: IndexSpec, *, seed: int) -> faiss.Index:
    """An index of items, float32 [n_items, dim]; the seed draws what it is trained on."""
    vectors = unit(items) if spec.metric == "cosine" else items
    index = faiss.index_factory(items.shape[1], spec.factory, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        lists = faiss.try_extract_index_ivf(index)
        count = min(len(items), max(_LEAST_TRAINING_VECTORS, lists.nlist * _TRAINING_VECTORS_PER_LIST if lists else 0))
        index.train(vectors[np.random.default_rng(seed).choice(len(items), size=count, replace=False)])
    # several threads would order a graph by chance
    with threadpool_limits(1 if spec.factory == _GRAPH else None, user_api="openmp"):
        index.add(vectors)
    if spec.search_effort is not None:
        effort = "nprobe" if faiss.try_extract_index_ivf(index) else "efSearch"
        faiss.ParameterSpace().set_index_parameter(index, effort, spec.search_effort)
    return index


def _sample(users: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """Some of the users who have a vector: of the others no index is asked anything."""
    known = np.flatnonzero(users.any(axis=1))
    rows = np.random.default_rng(seed).choice(known, size=min(_SAMPLED_USERS, len(known)), replace=False)
    return np.ascontiguousarray(users[np.sort(rows)])
