"""What holds for every model."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.models import als, ease, ials, item_knn, lightgcn_training, spectral
from trainer.models.embeddings import Embeddings, Scorer
from trainer.shop_data.interactions import Interactions

Fit = Callable[[Interactions, int], Embeddings]


def fit_als(known: Interactions, seed: int) -> Embeddings:
    return als.fit(known, als.ALSSettings(dim=8), seed=seed)


def fit_ials(known: Interactions, seed: int) -> Embeddings:
    return ials.fit(known, ials.IALSSettings(dim=8), seed=seed)


def fit_spectral(known: Interactions, seed: int) -> Embeddings:
    # Two dimensions: the checkerboard has two tastes, and an ideal low-pass filter gives noise beyond them full weight.
    return spectral.fit(known, spectral.SpectralSettings(dim=2), seed=seed)


def fit_lightgcn(known: Interactions, seed: int) -> Embeddings:
    settings = lightgcn_training.LightGCNSettings(dim=8, epochs=30, batch_size=512, negatives=2)
    return lightgcn_training.fit(known, settings, seed=seed)


def fit_ease(known: Interactions, seed: int) -> Embeddings:
    return ease.fit(known, ease.EASESettings(dim=64, regularization=1))


SEEDED_MODELS = [fit_als, fit_ials, fit_spectral, fit_lightgcn]
EMBEDDING_MODELS = [*SEEDED_MODELS, fit_ease]


def best_unseen(scorer: Scorer, known: Interactions) -> list[int]:
    scores = np.array(scorer.scores(np.arange(known.weights.shape[0])))
    scores[known.weights.toarray() > 0] = -np.inf
    return [int(column) for column in scores.argmax(axis=1)]


@pytest.mark.parametrize("fit", EMBEDDING_MODELS)
def test_the_held_out_diagonal_of_the_checkerboard_comes_first(fit: Fit, checkerboard: Interactions) -> None:
    assert best_unseen(fit(checkerboard, 0), checkerboard) == list(range(20))


def test_item_knn_finds_the_held_out_diagonal_too(checkerboard: Interactions) -> None:
    fitted = item_knn.fit(checkerboard, neighbours=10)
    assert best_unseen(fitted, checkerboard) == list(range(20))


@pytest.mark.parametrize("fit", EMBEDDING_MODELS)
def test_vectors_are_float32_in_c_order_one_for_every_user_and_item(fit: Fit, long_tail: Interactions) -> None:
    fitted = fit(long_tail, 0)
    assert fitted.user.shape == (60, fitted.item.shape[1])
    assert fitted.item.shape[0] == 40
    for vectors in (fitted.user, fitted.item):
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous


@pytest.mark.parametrize("fit", EMBEDDING_MODELS)
def test_the_same_seed_gives_the_same_vectors(fit: Fit, long_tail: Interactions) -> None:
    first, second = fit(long_tail, 3), fit(long_tail, 3)
    np.testing.assert_array_equal(first.user, second.user)
    np.testing.assert_array_equal(first.item, second.item)


@pytest.mark.parametrize("fit", SEEDED_MODELS)
def test_another_seed_starts_elsewhere(fit: Fit, long_tail: Interactions) -> None:
    assert not np.array_equal(fit(long_tail, 3).item, fit(long_tail, 4).item)


@pytest.mark.parametrize("fit", EMBEDDING_MODELS)
def test_users_scored_together_score_as_they_do_alone(fit: Fit, long_tail: Interactions) -> None:
    fitted = fit(long_tail, 0)
    together = fitted.scores(np.arange(60))
    alone = np.concatenate([fitted.scores(np.array([row])) for row in range(60)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fit", EMBEDDING_MODELS)
def test_users_and_items_without_interactions_get_finite_vectors_and_disturb_nobody(
    fit: Fit, checkerboard_with_strangers: Interactions
) -> None:
    fitted = fit(checkerboard_with_strangers, 0)
    assert np.isfinite(fitted.user).all()
    assert np.isfinite(fitted.item).all()
    assert best_unseen(fitted, checkerboard_with_strangers)[:20] == list(range(20))
