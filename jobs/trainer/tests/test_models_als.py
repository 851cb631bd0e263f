"""ALS by `implicit`: what is ours around it."""

import numpy as np

from trainer.interactions import Interactions
from trainer.models import als


def test_the_number_of_threads_does_not_change_the_vectors(long_tail: Interactions) -> None:
    settings = als.ALSSettings(dim=8)
    one = als.fit(long_tail, settings, seed=0, threads=1)
    two = als.fit(long_tail, settings, seed=0, threads=2)
    np.testing.assert_array_equal(one.item, two.item)


def test_a_stronger_alpha_fits_the_known_pairs_more_closely(long_tail: Interactions) -> None:
    def mean_score_of_known_pairs(alpha: float) -> float:
        fitted = als.fit(long_tail, als.ALSSettings(dim=8, alpha=alpha), seed=0)
        return float(fitted.scores(np.arange(60))[long_tail.weights.toarray() > 0].mean())

    assert mean_score_of_known_pairs(10.0) > mean_score_of_known_pairs(0.1)
