"""ALS by `implicit`: what is ours around it."""

from dataclasses import replace

import numpy as np

from trainer import threads
from trainer.models import als
from trainer.shop_data.interactions import Interactions


def test_the_number_of_threads_does_not_change_the_vectors(long_tail: Interactions) -> None:
    settings = als.ALSSettings(dim=8)
    with threads.limited(1):
        one = als.fit(long_tail, settings, seed=0)
    with threads.limited(2):
        two = als.fit(long_tail, settings, seed=0)
    np.testing.assert_array_equal(one.item, two.item)


def test_a_stronger_alpha_fits_the_known_pairs_more_closely(long_tail: Interactions) -> None:
    def mean_score_of_known_pairs(alpha: float) -> float:
        fitted = als.fit(long_tail, als.ALSSettings(dim=8, alpha=alpha), seed=0)
        return float(fitted.scores(np.arange(60))[long_tail.weights.toarray() > 0].mean())

    assert mean_score_of_known_pairs(10.0) > mean_score_of_known_pairs(0.1)


def test_the_unit_that_a_shop_weighs_in_changes_nothing(long_tail: Interactions) -> None:
    heavier = replace(long_tail, weights=long_tail.weights * np.float32(8))
    one, other = (als.fit(known, als.ALSSettings(dim=4), seed=0) for known in (long_tail, heavier))
    np.testing.assert_allclose(one.item, other.item, rtol=1e-3, atol=1e-4)
