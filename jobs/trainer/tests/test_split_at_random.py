"""Pairs without times: a random part of each user's is held out."""

import numpy as np
import pytest
from conftest import interactions_of

from recsys.errors import InvalidArgumentError
from trainer.evaluation import split


def test_at_random_holds_out_a_rounded_fifth_of_each_users_pairs_and_always_leaves_one() -> None:
    lengths = np.array([1, 2, 3, 7, 8, 20])
    known = interactions_of((np.arange(20) < lengths[:, None]).astype(np.float32))
    parts = split.at_random(known, seed=0)
    np.testing.assert_array_equal(np.diff(parts.test.indptr), [0, 0, 1, 1, 2, 4])
    np.testing.assert_array_equal(parts.train.weights.toarray() + parts.test.toarray(), known.weights.toarray())
    assert parts.train.item_ids == known.item_ids
    assert len(parts.train.last_seen) == parts.train.weights.nnz
    assert parts.judged_users == 4
    most = split.at_random(known, seed=0, share=0.99)
    np.testing.assert_array_equal(np.diff(most.train.weights.indptr), [1, 1, 1, 1, 1, 1])


def test_at_random_draws_the_same_by_a_seed_and_any_pair_by_chance() -> None:
    known = interactions_of(np.ones((2_000, 10), dtype=np.float32))
    first, again, other = (split.at_random(known, seed=seed).test for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.indices, again.indices)
    assert (first != other).nnz > 0
    per_item = np.bincount(first.indices, minlength=10)
    assert per_item == pytest.approx(np.full(10, 400), rel=0.2)  # 18 is one standard deviation


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_at_random_refuses_a_share_that_is_none(share: float) -> None:
    with pytest.raises(InvalidArgumentError, match="share"):
        split.at_random(interactions_of(np.ones((2, 2), dtype=np.float32)), seed=0, share=share)
