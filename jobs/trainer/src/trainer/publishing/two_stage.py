"""Embeddings and indexes in, what each of the two stages loses or wins back out.

Stage one takes N unseen candidates from a FAISS index; stage two, the reranker, sorts them by the exact dot product.
A row of the budget says what is lost on the way: through a search that is not exact, through cosine instead of inner
product, through too few candidates; and what the exact re-ranking wins back over the index's own order. It is told, and
decides nothing: which index serves, `trainer.publishing.index` chooses by what it finds of the exact first.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import faiss
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from trainer.evaluation import full_ranking, ranking
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.publishing.index import IndexSpec, build

K: Final = 20  # the list length that is judged
_TIMED_QUERIES: Final = 100
_SEARCH_ROWS: Final = 256


@dataclass(frozen=True)
class BudgetRow(IndexSpec):
    """One index asked for one number of candidates; every share is a mean over the same sampled users."""

    n: int
    candidate_recall: float  # share of the user's test items among the N candidates: what the reranker can reach
    overlap: float  # share of the exact first 20 among the N candidates
    recall_before_rerank: float  # Recall@20 of the index's own order
    recall_after_rerank: float  # Recall@20 after the exact re-ranking
    search_us: float  # median of one query on one thread, microseconds
    bytes: int  # of the index as it is stored

    @property
    def spec(self) -> IndexSpec:
        """Which index it is."""
        return IndexSpec(self.factory, self.metric, self.search_effort)


@dataclass(frozen=True)
class LossBudget:
    """Exact search and what every other way of serving makes of it."""

    exact_recall: float  # Recall@20 of the full ranking, over the same sampled users
    users: int
    rows: tuple[BudgetRow, ...]


def measure(
    embeddings: Embeddings,
    split: Split,
    *,
    specs: Sequence[IndexSpec],
    ns: Sequence[int] = (50, 100, 200, 500, 1000),
    max_users: int = 1000,
    seed: int = 0,
) -> LossBudget:
    """Search every index for every sampled test user and judge what comes out of each stage.

    Seen items are filtered after the search, which asks for that many more, as serving does. Everything is
    deterministic by `seed` but `search_us`, which is measured.

    Raises:
        InvalidArgumentError: nobody to judge.
    """
    rows = full_ranking.judged_users(split, max_users=max_users, seed=seed)
    test = split.test[rows]
    relevant = np.diff(test.indptr) + split.test_unknown_items[rows]
    exact = ranking.top_unseen(embeddings, seen=split.train.weights, user_rows=rows, k=K)
    ns = sorted({min(n, len(embeddings.item)) for n in ns})

    def recall(lists: NDArray[np.int32]) -> float:
        return float((full_ranking.find_hits(lists, test).sum(axis=1) / relevant).mean())

    table = []
    for spec in specs:
        index = build(embeddings.item, spec, seed=seed)
        found = _search_unseen(index, embeddings, split, rows=rows, n=ns[-1])
        scores = np.where(found < 0, -np.inf, embeddings.pair_scores(rows, np.maximum(found, 0)))
        size = len(faiss.serialize_index(index))
        table += [
            BudgetRow(
                **asdict(spec),
                n=n,
                candidate_recall=recall(found[:, :n]),
                overlap=_overlap(exact, found[:, :n], n_items=len(embeddings.item)),
                recall_before_rerank=recall(found[:, : min(n, K)]),
                recall_after_rerank=recall(_sorted_by(found[:, :n], scores[:, :n])[:, :K]),
                search_us=_search_us(index, embeddings.user[rows], n=n),
                bytes=size,
            )
            for n in ns
        ]
    return LossBudget(exact_recall=recall(exact), users=len(rows), rows=tuple(table))


def _overlap(exact: NDArray[np.int32], candidates: NDArray[np.int32], *, n_items: int) -> float:
    """Share of the exact first items among the candidates."""
    present = np.nonzero(candidates >= 0)
    found = sp.csr_matrix(
        (np.ones(len(present[0])), (present[0], candidates[present])), shape=(len(candidates), n_items)
    )
    return float(full_ranking.find_hits(exact, found).sum() / max(1, np.count_nonzero(exact >= 0)))


def _search_unseen(
    index: faiss.Index, embeddings: Embeddings, split: Split, *, rows: NDArray[np.int64], n: int
) -> NDArray[np.int32]:
    """The index's first n items that the user did not have: int32 [len(rows), n], -1 padded."""
    found = np.full((len(rows), n), -1, dtype=np.int32)
    seen = split.train.weights[rows]
    history = np.diff(seen.indptr)
    by_history = np.argsort(history, kind="stable")  # a batch asks for as many as its longest history needs
    for start in range(0, len(rows), _SEARCH_ROWS):
        batch = by_history[start : start + _SEARCH_ROWS]
        count = min(n + int(history[batch].max()), len(embeddings.item))
        answers = index.search(embeddings.user[rows[batch]], count)[1].astype(np.int32)
        fresh = (answers >= 0) & ~full_ranking.find_hits(answers, seen[batch])
        for place, items, is_fresh in zip(batch, answers, fresh, strict=True):
            kept = items[is_fresh][:n]
            found[place, : len(kept)] = kept
    return found


def _sorted_by(items: NDArray[np.int32], scores: NDArray[np.floating]) -> NDArray[np.int32]:
    """Each row by falling score, ties by item row."""
    order = np.lexsort((items, -scores), axis=1)
    return np.take_along_axis(items, order, axis=1)


def _search_us(index: faiss.Index, users: NDArray[np.float32], *, n: int) -> float:
    """Median time of one query alone on one thread, microseconds."""
    taken = []
    with threadpool_limits(limits=1):
        for user in users[:_TIMED_QUERIES]:
            start = time.perf_counter()
            index.search(user[None, :], n)
            taken.append(time.perf_counter() - start)
    return float(np.median(taken) * 1e6)
