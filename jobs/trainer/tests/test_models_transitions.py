"""What comes after what, worked out by hand; and the trainer's scores are those of the services."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import interactions_of
from hypothesis import given
from hypothesis import strategies as st

from trainer.models import transitions
from trainer.models.transitions import TransitionScores
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
    found = transitions.fit(known)
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
    lonely = transitions.fit(in_order([[[0]], [[1]]], n_items=2))
    assert len(lonely.items) == 0
    assert lonely.indptr.tolist() == [0, 0, 0]


def test_nothing_is_known_of_a_shop_without_anything() -> None:
    assert transitions.fit(interactions_of(np.zeros((0, 3), np.float32))).indptr.tolist() == [0, 0, 0, 0]


def test_of_many_items_that_come_after_one_the_best_are_kept() -> None:
    n_items = transitions.NEIGHBOURS + 20
    often = [[[0], [item]] for item in range(1, n_items) for _ in range(1 + item % 2)]
    found = transitions.fit(in_order(often, n_items=n_items))
    assert found.indptr[1] == transitions.NEIGHBOURS
    kept = found.items[: found.indptr[1]]
    assert set(kept[: n_items // 2].tolist()) == set(range(1, n_items, 2))  # those that came twice


@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_scored_offline_is_what_the_services_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = (rng.random((12, 30)) < rng.uniform(0.05, 0.95)).astype(np.float32)
    known = interactions_of(dense)
    known = replace(known, last_seen=rng.integers(40, size=known.weights.nnz))
    offline, history = TransitionScores.fitted(known), history_of(known)
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
