"""The loss budget: exact search loses nothing, cosine does, and re-ranking enough candidates wins it back."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from trainer.evaluation import full_ranking
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.publishing import two_stage
from trainer.publishing.index import IndexSpec
from trainer.publishing.two_stage import BudgetRow, LossBudget
from trainer.shop_data.interactions import Interactions

FLAT = IndexSpec("Flat", "inner_product", None)
COSINE = IndexSpec("Flat", "cosine", None)


def split_of(train: NDArray[np.bool_], test: NDArray[np.bool_], *, unknown: int = 0) -> Split:
    weights = sp.csr_matrix(train.astype(np.float32))
    n_users, n_items = weights.shape
    return Split(
        train=Interactions(
            user_ids=[f"u{row:03}" for row in range(n_users)],
            item_ids=[f"i{row:03}" for row in range(n_items)],
            weights=weights,
            last_seen=np.zeros(weights.nnz, dtype=np.int64),
            last_type=np.zeros(weights.nnz, dtype=np.uint8),
            type_sets=np.ones(weights.nnz, dtype=np.uint32),
            first_seen=np.zeros(weights.shape[1], dtype=np.int64),
            event_types=["purchase"],
        ),
        test=sp.csr_matrix(test.astype(np.float32)),
        test_unknown_items=np.full(n_users, unknown, dtype=np.int64),
        new_user_test=sp.csr_matrix(np.zeros((0, n_items), dtype=np.float32)),
        new_user_unknown_items=np.zeros(0, dtype=np.int64),
        test_sizes_outside={},
        cut=None,
    )


@pytest.fixture
def shop() -> tuple[Embeddings, Split]:
    """Long-tailed item lengths; every user's test items are among the best by dot product, with noise."""
    rng = np.random.default_rng(0)
    items = rng.standard_normal((600, 8)) * rng.lognormal(0, 0.7, (600, 1))
    users = rng.standard_normal((50, 8))
    best = np.argsort(-(users @ items.T + rng.standard_normal((50, 600))), axis=1)
    train, test = np.zeros((50, 600), dtype=bool), np.zeros((50, 600), dtype=bool)
    np.put_along_axis(train, best[:, :40:2], True, axis=1)
    np.put_along_axis(test, best[:, 1:40:2], True, axis=1)
    return Embeddings(users.astype(np.float32), items.astype(np.float32)), split_of(train, test)


def by_n(budget: LossBudget, spec: IndexSpec) -> dict[int, BudgetRow]:
    return {row.n: row for row in budget.rows if row.spec == spec}


def test_exact_search_loses_nothing_at_any_number_of_candidates(shop: tuple[Embeddings, Split]) -> None:
    embeddings, split = shop
    budget = two_stage.measure(embeddings, split, specs=[FLAT], ns=[20, 100])
    headline = full_ranking.evaluate(embeddings, split, ks=[20]).mean("recall@20")
    assert budget.exact_recall == pytest.approx(headline)
    for row in budget.rows:
        assert row.overlap == 1
        assert row.recall_before_rerank == row.recall_after_rerank == budget.exact_recall


def test_candidate_recall_is_the_recall_of_the_full_ranking_at_that_length(shop: tuple[Embeddings, Split]) -> None:
    embeddings, split = shop
    rows = by_n(two_stage.measure(embeddings, split, specs=[FLAT], ns=[30, 60]), FLAT)
    headline = full_ranking.evaluate(embeddings, split, ks=[30, 60])
    assert rows[30].candidate_recall == pytest.approx(headline.mean("recall@30"))
    assert rows[60].candidate_recall == pytest.approx(headline.mean("recall@60"))


def test_cosine_overlooks_the_long_vector_until_it_is_among_the_candidates() -> None:
    # For the user (1, 0) the dot product prefers (10, 10), cosine prefers (1, 0).
    embeddings = Embeddings(np.array([[1, 0]], np.float32), np.array([[1, 0], [10, 10], [0, 1]], np.float32))
    split = split_of(np.zeros((1, 3), dtype=bool), np.array([[False, True, False]]))
    rows = by_n(two_stage.measure(embeddings, split, specs=[COSINE], ns=[1, 2]), COSINE)
    assert rows[1].candidate_recall == 0
    assert rows[1].overlap == 1 / 3
    assert rows[2].candidate_recall == rows[2].recall_after_rerank == 1


def test_re_ranking_wins_back_what_cosine_loses_when_candidates_are_enough(shop: tuple[Embeddings, Split]) -> None:
    embeddings, split = shop
    budget = two_stage.measure(embeddings, split, specs=[COSINE], ns=[30, 60, 600])
    rows = by_n(budget, COSINE)
    assert rows[30].recall_before_rerank < rows[30].recall_after_rerank < rows[60].recall_after_rerank
    assert rows[60].recall_after_rerank < rows[600].recall_after_rerank == budget.exact_recall


def test_more_effort_finds_more_and_all_lists_find_everything(shop: tuple[Embeddings, Split]) -> None:
    embeddings, split = shop
    narrow, wide = (IndexSpec("IVF8,Flat", "inner_product", effort) for effort in (1, 8))
    budget = two_stage.measure(embeddings, split, specs=[narrow, wide], ns=[50])
    assert by_n(budget, narrow)[50].overlap < by_n(budget, wide)[50].overlap == 1


def test_items_of_the_history_take_no_place_among_the_candidates() -> None:
    embeddings = Embeddings(np.ones((1, 1), np.float32), np.array([[5], [4], [3], [2]], np.float32))
    split = split_of(np.array([[True, True, False, False]]), np.array([[False, False, True, False]]))
    (row,) = two_stage.measure(embeddings, split, specs=[FLAT], ns=[1]).rows
    assert row.candidate_recall == 1


def test_test_items_that_train_lacks_count_as_missed() -> None:
    embeddings = Embeddings(np.ones((1, 1), np.float32), np.array([[2], [1]], np.float32))
    split = split_of(np.array([[True, False]]), np.array([[False, True]]), unknown=3)
    budget = two_stage.measure(embeddings, split, specs=[FLAT], ns=[1])
    assert budget.exact_recall == budget.rows[0].candidate_recall == 1 / 4


def test_more_candidates_than_items_are_cut_to_the_catalogue(shop: tuple[Embeddings, Split]) -> None:
    embeddings, split = shop
    budget = two_stage.measure(embeddings, split, specs=[FLAT], ns=[600, 5000, 9000])
    assert [row.n for row in budget.rows] == [600]
