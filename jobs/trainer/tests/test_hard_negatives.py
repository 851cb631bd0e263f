"""Positives against drawn negatives: by hand, and the bias that the module warns of."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from trainer.evaluation import hard_negatives
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions


def split_of(train: NDArray[np.int64], test: NDArray[np.int64]) -> Split:
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
        test_unknown_items=np.zeros(n_users, dtype=np.int64),
        new_user_test=sp.csr_matrix(np.zeros((0, n_items), dtype=np.float32)),
        new_user_unknown_items=np.zeros(0, dtype=np.int64),
        test_sizes_outside={},
        cut=None,
    )


def one_user(scores: list[float]) -> Embeddings:
    return Embeddings(user=np.ones((1, 1), np.float32), item=np.array(scores, np.float32)[:, None])


def row(*values: int) -> NDArray[np.int64]:
    return np.array([values])


def test_a_test_item_is_placed_among_all_untouched_items_when_they_are_the_pool() -> None:
    split = split_of(train=row(1, 0, 0, 0, 0, 0), test=row(0, 1, 0, 0, 0, 1))
    model = one_user([9, 4, 5, 3, 2, 1])  # item 1 loses to item 2 of {2, 3, 4}; item 5 loses to all three
    judged = hard_negatives.judge(model, split, negatives_by=model, negative_count=3, k=2)
    assert judged.auc.tolist() == pytest.approx([(2 / 3 + 0) / 2])
    assert judged.recall.tolist() == [1 / 2]


def test_a_tie_counts_half() -> None:
    split = split_of(train=row(0, 0, 0), test=row(1, 0, 0))
    judged = hard_negatives.judge(one_user([1, 1, 1]), split, negatives_by=None, negative_count=4)
    assert judged.auc.tolist() == [0.5]


def test_negatives_are_never_items_that_the_user_touched() -> None:
    rng = np.random.default_rng(0)
    parts = rng.choice(3, size=(20, 30), p=[0.5, 0.3, 0.2])
    touched = sp.csr_matrix((parts > 0).astype(np.float32))
    drawn = hard_negatives._uniform(touched, 500, rng=rng)
    for user in range(20):
        assert set(drawn[user].tolist()) == set(np.flatnonzero(parts[user] == 0).tolist())


def test_uniform_negatives_are_equally_likely() -> None:
    touched = sp.csr_matrix(np.array([[1, 0, 1, 0, 0, 1]], dtype=np.float32))
    drawn = hard_negatives._uniform(touched, 30_000, rng=np.random.default_rng(0))
    counts = np.bincount(drawn[0], minlength=6)
    assert counts[[0, 2, 5]].tolist() == [0, 0, 0]
    assert counts[[1, 3, 4]] / 30_000 == pytest.approx([1 / 3] * 3, abs=0.02)


def test_a_draw_from_the_pool_repeats_nothing_and_prefers_nobody() -> None:
    pool = np.tile(np.array([7, 8, 9, -1], dtype=np.int32), (3000, 1))
    drawn = hard_negatives._from_pool(pool, 2, rng=np.random.default_rng(0))
    assert (drawn[:, 0] != drawn[:, 1]).all()
    assert np.bincount(drawn.ravel(), minlength=10)[7:] / 6000 == pytest.approx([1 / 3] * 3, abs=0.03)


def test_a_user_who_touched_everything_is_not_judged() -> None:
    split = split_of(train=np.array([[1, 0], [0, 0]]), test=np.array([[0, 1], [1, 0]]))
    model = Embeddings(user=np.ones((2, 1), np.float32), item=np.array([[2], [1]], np.float32))
    for source in (model, None):
        assert hard_negatives.judge(model, split, negatives_by=source, negative_count=1).user_rows.tolist() == [1]


def test_random_negatives_flatter_and_the_models_own_negatives_are_the_hardest() -> None:
    rng = np.random.default_rng(1)
    taste = rng.standard_normal((80, 8)).astype(np.float32)
    items = rng.standard_normal((1000, 8)).astype(np.float32)
    liked = np.argsort(-(taste @ items.T + 2 * rng.standard_normal((80, 1000))), axis=1)[:, :20]
    parts = np.zeros((80, 1000), dtype=np.int64)
    np.put_along_axis(parts, liked[:, ::2], 1, axis=1)
    np.put_along_axis(parts, liked[:, 1::2], 2, axis=1)
    split = split_of(parts == 1, parts == 2)
    noisy_taste = taste + rng.standard_normal(taste.shape).astype(np.float32)
    model, other = Embeddings(taste, items), Embeddings(noisy_taste, items)

    own, others, random = (
        hard_negatives.judge(model, split, negatives_by=source, negative_count=50, pool_size=100)
        for source in (model, other, None)
    )
    assert own.auc.mean() < others.auc.mean() < random.auc.mean()
    assert own.recall.mean() < others.recall.mean() < random.recall.mean()


def test_the_same_seed_draws_the_same() -> None:
    split = split_of(np.eye(30, 200, dtype=np.int64), np.eye(30, 200, k=5, dtype=np.int64))
    rng = np.random.default_rng(0)
    model = Embeddings(rng.random((30, 4), dtype=np.float32), rng.random((200, 4), dtype=np.float32))
    first, again, other = (
        hard_negatives.judge(model, split, negatives_by=model, negative_count=20, seed=seed).auc for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
