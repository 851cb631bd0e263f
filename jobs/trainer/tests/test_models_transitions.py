"""What leads from item to item, worked out by hand; and the trainer's scores are those of the services."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import interactions_of
from hypothesis import given
from hypothesis import strategies as st

from recsys.artifact.manifest import TransitionsInfo
from trainer.models import transitions
from trainer.models.transitions import IN_ORDER, TOGETHER, TransitionScores
from trainer.publishing.publish import history_of
from trainer.shop_data.interactions import Interactions


def in_order(histories: list[list[list[int]]], *, n_items: int) -> Interactions:
    """Of each user baskets of items, one after the other."""
    dense = np.zeros((len(histories), n_items), np.float32)
    moments = np.zeros((len(histories), n_items), np.int64)
    for user, baskets in enumerate(histories):
        for moment, basket in enumerate(baskets):
            dense[user, basket] = 1
            moments[user, basket] = moment + 1
    known = interactions_of(dense)
    return replace(known, last_seen=moments[dense > 0])


def matrix(known: Interactions) -> list[list[float]]:
    found = transitions.fit(known, IN_ORDER)
    dense = np.zeros((len(known.item_ids),) * 2)
    for source in range(len(dense)):
        part = slice(found.indptr[source], found.indptr[source + 1])
        dense[source, found.items[part]] = found.scores[part]
        assert (np.diff(found.scores[part]) <= 0).all()  # the best first
    return dense.round(6).tolist()


def divided(counts: list[list[float]]) -> list[list[float]]:
    """Each row over the square root of its sum, each column over its sum^0.1."""
    given = np.array(counts)
    return (given / given.sum(axis=1, keepdims=True) ** 0.5 / given.sum(axis=0) ** 0.1).round(6).tolist()


def test_the_next_item_counts_1_the_one_after_it_a_half_and_the_way_back_a_quarter_of_that() -> None:
    assert matrix(in_order([[[0], [1], [2]]], n_items=3)) == divided(
        [[0, 1, 0.5], [0.25, 0, 1], [0.125, 0.25, 0]],
    )


def test_in_a_basket_both_ways_count_alike_and_the_next_basket_is_one_moment_later() -> None:
    assert matrix(in_order([[[0, 1], [2]]], n_items=3)) == divided(
        [[0, 0.625, 1], [0.625, 0, 1], [0.25, 0.25, 0]],
    )


def test_users_add_up_and_nothing_leads_from_one_user_to_the_next() -> None:
    assert matrix(in_order([[[0], [1]], [[0], [1]]], n_items=2)) == divided([[0, 2], [0.5, 0]])
    lonely = transitions.fit(in_order([[[0]], [[1]]], n_items=2), IN_ORDER)
    assert len(lonely.items) == 0
    assert lonely.indptr.tolist() == [0, 0, 0]


@pytest.mark.parametrize("counted", [IN_ORDER, *TOGETHER])
def test_nothing_is_known_of_a_shop_without_anything(counted: TransitionsInfo) -> None:
    assert transitions.fit(interactions_of(np.zeros((0, 3), np.float32)), counted).indptr.tolist() == [0, 0, 0, 0]


def test_what_people_have_together_leads_both_ways_and_who_has_much_counts_less() -> None:
    found = transitions.fit(in_order([[[0], [1]], [[1, 2]]], n_items=4), TOGETHER[0])
    # a user's two items count a half together: the sums of the items are a half, 1, a half; nobody has the last one
    assert [found.score(0, item) for item in range(4)] == pytest.approx([0, 0.5**0.5, 0, 0])
    assert [found.score(1, item) for item in range(4)] == pytest.approx([0.5**0.5, 0, 0.5**0.5, 0])
    assert found.indptr.tolist() == [0, 1, 3, 4, 4]


@pytest.mark.parametrize("counted", TOGETHER)
def test_what_people_have_together_is_what_the_dense_formula_says(
    counted: TransitionsInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transitions, "_MOST_AT_ONCE", 300)  # a few rows at a time
    rng = np.random.default_rng(4)
    having = (rng.random((40, 25)) < 0.3).astype(np.float64)
    together = having.T @ (having * having.sum(axis=1, keepdims=True) ** -counted.user_exponent)
    np.fill_diagonal(together, 0)
    sums = together.sum(axis=1)
    expected = together / np.outer(sums**counted.source_exponent, sums**counted.target_exponent)
    found = transitions.fit(interactions_of(having.astype(np.float32)), counted)
    actual = [[found.score(source, row) for row in range(25)] for source in range(25)]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_an_order_is_worth_trying_only_where_somebody_had_one_item_later_than_another() -> None:
    assert transitions.worth_trying(in_order([[[0, 1]], [[2]]], n_items=3)) == [*TOGETHER]
    assert transitions.worth_trying(in_order([[[0, 1]], [[2], [0]]], n_items=3)) == [*TOGETHER, IN_ORDER]


def test_of_many_items_that_come_after_one_the_best_are_kept() -> None:
    n_items = transitions.NEIGHBOURS + 20
    often = [[[0], [item]] for item in range(1, n_items) for _ in range(1 + item % 2)]
    found = transitions.fit(in_order(often, n_items=n_items), IN_ORDER)
    assert found.indptr[1] == transitions.NEIGHBOURS
    kept = found.items[: found.indptr[1]]
    assert set(kept[: n_items // 2].tolist()) == set(range(1, n_items, 2))  # those that came twice


@given(seed=st.integers(0, 2**32 - 1), counted=st.sampled_from([IN_ORDER, *TOGETHER]))
def test_what_is_scored_offline_is_what_the_services_score(seed: int, counted: TransitionsInfo) -> None:
    rng = np.random.default_rng(seed)
    dense = (rng.random((12, 30)) < rng.uniform(0.05, 0.95)).astype(np.float32)
    known = interactions_of(dense)
    known = replace(known, last_seen=rng.integers(40, size=known.weights.nnz))
    offline, history = TransitionScores.fitted(known, counted), history_of(known)
    everybody, all_items = np.arange(12), np.tile(np.arange(30, dtype=np.int32), (12, 1))
    assert offline.of(everybody[:0], all_items[:0]).shape == (0, 30)
    scores, values = offline.scores(everybody), offline.of(everybody, all_items)
    for user in range(12):
        part = history.part(user)
        rows, served = offline.transitions.after(history.items[part].astype(np.int64), history.times[part])
        assert np.flatnonzero(np.isfinite(scores[user])).tolist() == rows.tolist()
        assert scores[user, rows] == pytest.approx(served, rel=1e-5)
        assert values[user, rows].tolist() == scores[user, rows].tolist()
        assert np.count_nonzero(values[user]) == len(rows)
