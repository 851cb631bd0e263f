"""Full ranking: what a plain sort says, for every catalogue size, tie and mask."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys.errors import DataError
from trainer import threads
from trainer.choosing import recency
from trainer.evaluation import ranking
from trainer.models.embeddings import Embeddings


def plain_top_k(scores: NDArray[np.float32], k: int) -> list[list[int]]:
    """Sort everything: the definition, one user at a time."""
    ranked = []
    for row in scores:
        best = sorted(range(len(row)), key=lambda item: (-float(row[item]), item))
        finite = [item for item in best if row[item] > -np.inf][:k]
        ranked.append(finite + [-1] * (k - len(finite)))
    return ranked


def test_equal_scores_rank_by_ascending_item() -> None:
    scores = np.array([[1, 2, 2, 0, 2], [5, 5, 5, 5, 5]], dtype=np.float32)
    assert ranking.top_k(scores, 2).tolist() == [[1, 2], [0, 1]]


def test_items_scored_minus_infinity_leave_the_list_shorter() -> None:
    scores = np.array([[-np.inf, 3, -np.inf], [-np.inf, -np.inf, -np.inf]], dtype=np.float32)
    assert ranking.top_k(scores, 2).tolist() == [[1, -1], [-1, -1]]


def test_a_list_longer_than_the_catalogue_is_padded() -> None:
    assert ranking.top_k(np.array([[1, 2]], dtype=np.float32), 4).tolist() == [[1, 0, -1, -1]]


@given(seed=st.integers(0, 10_000), n_items=st.integers(1, 900), k=st.integers(1, 60), levels=st.integers(1, 2000))
def test_top_k_is_what_sorting_everything_gives_ties_included(seed: int, n_items: int, k: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(levels, size=(3, n_items)).astype(np.float32)  # few levels: many ties at the boundary
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    assert ranking.top_k(scores, k).tolist() == plain_top_k(scores, k)


def test_items_the_user_had_are_never_ranked() -> None:
    embeddings = Embeddings(user=np.ones((2, 1), np.float32), item=np.array([[3], [2], [1]], np.float32))
    seen = sp.csr_matrix(np.array([[1, 0, 0], [0, 0.5, 0]], dtype=np.float32))
    ranked = ranking.top_unseen(embeddings, seen=seen, user_rows=np.array([1, 0]), k=3)
    assert ranked.tolist() == [[0, 2, -1], [1, 2, -1]]


def test_ranking_leaves_the_scores_of_a_model_that_keeps_them_untouched() -> None:
    class Kept:
        def __init__(self) -> None:
            self.table = np.ones((2, 3), dtype=np.float32)

        def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return self.table[user_rows[0] : user_rows[-1] + 1]  # a view

    model = Kept()
    ranking.top_unseen(model, seen=sp.csr_matrix(np.eye(2, 3, dtype=np.float32)), user_rows=np.arange(2), k=1)
    assert (model.table == 1).all()


def test_a_model_that_gives_nan_is_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        ranking.top_k(np.array([[1, np.nan]], dtype=np.float32), 1)


def test_many_batches_give_what_one_batch_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    embeddings = Embeddings(
        user=rng.integers(-3, 4, (50, 4)).astype(np.float32), item=rng.integers(-3, 4, (200, 4)).astype(np.float32)
    )
    nothing = sp.csr_matrix(np.zeros((50, 200), dtype=np.float32))
    whole = ranking.top_unseen(embeddings, seen=nothing, user_rows=np.arange(50), k=20)
    monkeypatch.setattr(ranking, "_BLOCK_BYTES", 4 * 200 * 3)
    assert [len(rows) for rows in ranking.batches(np.arange(7), n_items=200)] == [3, 3, 1]
    assert (ranking.top_unseen(embeddings, seen=nothing, user_rows=np.arange(50), k=20) == whole).all()


def test_no_more_workers_rank_than_the_run_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[int] = []

    class Noted(ThreadPoolExecutor):
        def __init__(self, workers: int) -> None:
            pools.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(ranking, "ThreadPoolExecutor", Noted)
    model = Embeddings(np.ones((2, 1), np.float32), np.ones((3, 1), np.float32))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("POLARS_MAX_THREADS", "1")
    with threads.limited(1):
        ranking.top_unseen(model, seen=sp.csr_matrix((2, 3)), user_rows=np.arange(2), k=1)
    assert pools == [1]
    assert threads.allowed() == os.cpu_count()


def test_lists_by_several_factors_are_those_of_scaled_items_each() -> None:
    rng = np.random.default_rng(3)
    model = Embeddings(rng.standard_normal((50, 8), dtype=np.float32), rng.standard_normal((90, 8), dtype=np.float32))
    seen = sp.random(50, 90, density=0.1, format="csr", random_state=0)
    rows = np.arange(0, 50, 3)
    factors = [rng.random(90, dtype=np.float32) + 0.1 for _ in range(2)]
    together = ranking.top_unseen_scaled(model, [None, *factors], seen=seen, user_rows=rows, k=7)
    models = [model, *(recency.scale(model, one) for one in factors)]
    alone = [ranking.top_unseen(one, seen=seen, user_rows=rows, k=7) for one in models]
    np.testing.assert_array_equal(together, alone)
    assert ranking.top_unseen_scaled(model, [None], seen=seen, user_rows=rows[:0], k=7)[0].shape == (0, 7)
