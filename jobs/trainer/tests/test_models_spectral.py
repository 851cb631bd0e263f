"""The spectral embedding against an exact SVD, and its fold-in."""

import numpy as np

from trainer.models import spectral
from trainer.models.spectral import SpectralSettings
from trainer.shop_data.interactions import Interactions


def test_scores_are_those_of_the_exact_singular_vectors(long_tail: Interactions) -> None:
    settings = SpectralSettings(dim=5, user_exponent=0.4, item_exponent=0.3, score_exponent=0.2, power_iterations=8)
    dense = long_tail.weights.toarray().astype(np.float64)
    by_user, by_item = dense.sum(axis=1, keepdims=True), dense.sum(axis=0, keepdims=True)
    _, _, right = np.linalg.svd(by_user**-0.4 * dense * by_item**-0.3)
    low_pass = right[:5].T @ right[:5]
    expected = dense * by_item**-0.2 @ low_pass * by_item**0.2
    scores = spectral.fit(long_tail, settings, seed=0).scores(np.arange(60))
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)


def test_a_user_is_the_weighted_sum_of_the_items_that_they_had(long_tail: Interactions) -> None:
    settings = SpectralSettings(dim=8)
    fitted = spectral.fit(long_tail, settings, seed=0)
    history = fitted.item * spectral.history_weights(long_tail.weights, settings)[:, None]
    by_hand = sum(long_tail.weights[30, item] * history[item] for item in long_tail.weights[30].indices)
    np.testing.assert_allclose(fitted.user[30], by_hand, rtol=1e-5)


def test_a_small_catalogue_gives_as_many_dimensions_as_it_has_items(long_tail: Interactions) -> None:
    assert spectral.fit(long_tail, SpectralSettings(dim=512), seed=0).item.shape == (40, 40)
