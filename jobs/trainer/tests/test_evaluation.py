"""The judge, judged: worked examples, a one-user-at-a-time rewrite as the oracle, and the honest denominator."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from trainer.evaluation import full_ranking
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions


class Fixed:
    """A scorer that knows its scores by heart."""

    def __init__(self, table: Sequence[Sequence[float]] | NDArray[np.float32]) -> None:
        self.table = np.asarray(table, dtype=np.float32)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.table[user_rows]


def split_of(
    train: list[list[int]] | NDArray[np.int64],
    test: list[list[int]] | NDArray[np.int64],
    *,
    unknown: list[int] | None = None,
    new_users: list[list[int]] | None = None,
    new_unknown: list[int] | None = None,
) -> Split:
    weights = sp.csr_matrix(np.asarray(train, dtype=np.float32))
    n_users, n_items = weights.shape
    nothing = np.zeros(weights.nnz, dtype=np.int64)
    new = np.asarray(new_users, dtype=np.float32) if new_users else np.zeros((0, n_items), dtype=np.float32)
    return Split(
        train=Interactions(
            user_ids=[f"u{row:03}" for row in range(n_users)],
            item_ids=[f"i{row:03}" for row in range(n_items)],
            weights=weights,
            last_seen=nothing,
            last_type=nothing.astype(np.uint8),
            type_sets=nothing.astype(np.uint32),
            first_seen=np.zeros(n_items, dtype=np.int64),
            event_types=["purchase"],
        ),
        test=sp.csr_matrix(np.asarray(test, dtype=np.float32)),
        test_unknown_items=np.asarray(unknown or [0] * n_users, dtype=np.int64),
        new_user_test=sp.csr_matrix(new),
        new_user_unknown_items=np.asarray(new_unknown or [0] * len(new), dtype=np.int64),
        test_sizes_outside={},
        cut=datetime(2011, 11, 9, tzinfo=UTC),
    )


def segments(judged: full_ranking.Evaluation) -> dict[str, full_ranking.Segment]:
    return {segment.name: segment for segment in judged.segments}


def test_train_items_are_masked_and_the_rest_is_ranked() -> None:
    split = split_of(train=[[1, 0, 0, 0], [0, 1, 0, 0]], test=[[0, 1, 0, 1], [0, 0, 1, 0]])
    judged = full_ranking.evaluate(Fixed([[9, 3, 2, 1], [1, 9, 2, 3]]), split, ks=[1, 2])
    assert judged.ranked.tolist() == [[1, 2], [3, 2]]
    assert judged.hits.tolist() == [[True, False], [False, True]]
    assert judged.per_user["recall@1"].tolist() == [1 / 2, 0]
    assert judged.per_user["recall@2"].tolist() == [1 / 2, 1]
    assert judged.mean("mrr@2") == (1 + 1 / 2) / 2
    assert judged.list_level["coverage@1"] == 2 / 4
    assert judged.recall_curve().tolist() == [1 / 4, 3 / 4]


def test_users_without_test_items_are_not_judged() -> None:
    judged = full_ranking.evaluate(Fixed([[1, 2], [1, 2]]), split_of([[1, 0], [1, 0]], [[0, 0], [0, 1]]), ks=[1])
    assert judged.user_rows.tolist() == [1]


def test_test_items_that_train_lacks_count_as_missed() -> None:
    split = split_of(train=[[1, 0, 0], [1, 0, 0]], test=[[0, 1, 0], [0, 0, 0]], unknown=[3, 2])
    judged = full_ranking.evaluate(Fixed([[0, 1, 0], [0, 1, 0]]), split, ks=[1])
    assert judged.per_user["recall@1"].tolist() == [1 / 4, 0]
    assert judged.relevant.tolist() == [4, 2]
    assert judged.reachable == 1 / 6


def test_every_figure_equals_that_of_a_plain_loop_over_users() -> None:
    rng = np.random.default_rng(3)
    n_users, n_items, k = 60, 80, 20
    parts = rng.choice(3, size=(n_users, n_items), p=[0.8, 0.1, 0.1])
    split = split_of((parts == 1).astype(np.int64), (parts == 2).astype(np.int64))
    table = rng.integers(12, size=(n_users, n_items)).astype(np.float32)  # many ties
    judged = full_ranking.evaluate(Fixed(table), split, ks=[k])

    for position, user in enumerate(judged.user_rows):
        unseen = [item for item in range(n_items) if parts[user, item] != 1]
        ranked = sorted(unseen, key=lambda item: (-table[user, item], item))[:k]
        gains = [1.0 if parts[user, item] == 2 else 0.0 for item in ranked]
        n_test = int((parts[user] == 2).sum())
        discounts = [1 / np.log2(rank + 1) for rank in range(1, k + 1)]
        assert judged.ranked[position].tolist() == ranked
        assert judged.per_user[f"recall@{k}"][position] == pytest.approx(sum(gains) / n_test)
        ideal = sum(discounts[: min(n_test, k)])
        assert judged.per_user[f"ndcg@{k}"][position] == pytest.approx(np.dot(gains, discounts) / ideal)


def test_embeddings_are_judged_like_the_table_of_their_dot_products() -> None:
    rng = np.random.default_rng(0)
    parts = rng.choice(3, size=(30, 50), p=[0.8, 0.1, 0.1])
    split = split_of((parts == 1).astype(np.int64), (parts == 2).astype(np.int64))
    model = Embeddings(
        user=rng.integers(-4, 5, (30, 6)).astype(np.float32), item=rng.integers(-4, 5, (50, 6)).astype(np.float32)
    )
    by_vector, by_table = (
        full_ranking.evaluate(scorer, split, ks=[10]) for scorer in (model, Fixed(model.user @ model.item.T))
    )
    assert (by_vector.ranked == by_table.ranked).all()


def test_the_oracle_reaches_one_and_its_opposite_zero() -> None:
    test = np.eye(4, 6, k=1, dtype=np.int64)
    split = split_of(np.eye(4, 6, dtype=np.int64), test)
    assert full_ranking.evaluate(Fixed(test.astype(np.float32)), split, ks=[1]).mean("ndcg@1") == 1
    assert full_ranking.evaluate(Fixed(-test.astype(np.float32)), split, ks=[4]).mean("recall@4") == 0


def test_users_are_cut_into_thirds_by_their_history() -> None:
    train = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]
    test = [[0, 0, 0, 0, 1]] * 3
    judged = full_ranking.evaluate(
        Fixed([[0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 1, 1]]), split_of(train, test), ks=[1]
    )
    recalls = {name: segment.per_user["recall@1"].tolist() for name, segment in segments(judged).items()}
    assert recalls["light users"] == [1]
    assert recalls["medium users"] == [0]
    assert recalls["heavy users"] == [0]  # item 3 wins the tie


def test_users_who_all_have_the_same_history_make_one_segment() -> None:
    judged = full_ranking.evaluate(Fixed([[0, 1], [0, 1]]), split_of([[1, 0], [1, 0]], [[0, 1], [0, 1]]), ks=[1])
    assert "light users" in segments(judged)
    assert "medium users" not in segments(judged)
    assert "heavy users" not in segments(judged)


def test_new_users_are_shown_what_is_popular() -> None:
    split = split_of(
        train=[[1, 1, 0], [1, 0, 1], [1, 0, 1]],
        test=[[0, 0, 1], [0, 1, 0], [0, 0, 0]],
        new_users=[[1, 0, 0], [0, 0, 1], [0, 0, 0]],
        new_unknown=[1, 0, 2],
    )
    scorer = Fixed([[0, 0, 0]] * 3)
    by_train = segments(full_ranking.evaluate(scorer, split, ks=[1, 2]))["new users"]
    assert by_train.per_user["recall@1"].tolist() == [1 / 2, 0, 0]  # item 0 has three users
    assert by_train.per_user["recall@2"].tolist() == [1 / 2, 1, 0]
    recent = np.array([0, 0, 5], dtype=np.float32)
    by_recent = segments(full_ranking.evaluate(scorer, split, ks=[1], popularity=recent))["new users"]
    assert by_recent.per_user["recall@1"].tolist() == [0, 1, 0]


def test_head_and_tail_split_the_recall_by_the_popularity_of_the_test_item() -> None:
    train = np.zeros((4, 5), dtype=np.int64)
    train[:3, 0] = 1  # the one head item of five
    train[3, 1] = 1
    test = np.zeros((4, 5), dtype=np.int64)
    test[3, 0] = test[3, 2] = test[0, 2] = 1
    judged = segments(
        full_ranking.evaluate(Fixed([[0, 0, 9, 0, 0]] * 3 + [[9, 0, 0, 5, 0]]), split_of(train, test), ks=[2])
    )
    assert judged["head items"].per_user["recall@2"].tolist() == [1]
    assert judged["tail items"].per_user["recall@2"].tolist() == [1, 0]


def test_a_sample_judges_that_many_users_and_the_same_ones_each_time() -> None:
    split = split_of(np.eye(40, dtype=np.int64), np.eye(40, k=1, dtype=np.int64))
    scorer = Fixed(np.zeros((40, 40), dtype=np.float32))
    first = full_ranking.evaluate(scorer, split, ks=[1], max_users=10, seed=1)
    again = full_ranking.evaluate(scorer, split, ks=[1], max_users=10, seed=1)
    assert len(first.user_rows) == 10
    assert first.user_rows.tolist() == again.user_rows.tolist() == sorted(set(first.user_rows.tolist()))


def test_a_test_without_anybody_to_judge_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="nobody to judge"):
        full_ranking.evaluate(Fixed([[1, 2]]), split_of([[1, 0]], [[0, 0]]))


def test_list_lengths_below_one_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="1 or more"):
        full_ranking.evaluate(Fixed([[1, 2]]), split_of([[1, 0]], [[0, 1]]), ks=[0, 5])
