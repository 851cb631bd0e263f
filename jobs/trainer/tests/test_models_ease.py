"""EASE as embeddings against its closed form, and its fold-in."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.models import ease
from trainer.models.ease import EASESettings
from trainer.shop_data.interactions import Interactions


def closed_form(known: Interactions, *, regularization: float) -> NDArray[np.float64]:
    """Steck's B = −P / diag(P) with a zero diagonal, applied to the histories: float64 [n_users, n_items]."""
    had = (known.weights.toarray() > 0).astype(np.float64)
    x = had / np.sqrt(np.maximum(had.sum(axis=1, keepdims=True), 1))
    gram = x.T @ x
    p = np.linalg.inv(gram + regularization * np.diag(gram).mean() * np.eye(len(gram)))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    return np.sqrt(known.weights.toarray()) @ b


def test_with_as_many_dimensions_as_items_unseen_pairs_score_as_in_the_closed_form(long_tail: Interactions) -> None:
    fitted = ease.fit(long_tail, EASESettings(dim=40, regularization=0.5))
    unseen = long_tail.weights.toarray() == 0
    found = fitted.scores(np.arange(60)).astype(np.float64)[unseen]
    expected = closed_form(long_tail, regularization=0.5)[unseen]
    scale = (found @ expected) / (expected @ expected)  # of λ, which P is multiplied by
    np.testing.assert_allclose(found, scale * expected, rtol=1e-4, atol=1e-6)


def test_fewer_dimensions_leave_little_of_the_closed_form(long_tail: Interactions) -> None:
    unseen = long_tail.weights.toarray() == 0
    expected = closed_form(long_tail, regularization=0.5)[unseen]
    fits = (ease.fit(long_tail, EASESettings(dim=dim, regularization=0.5)) for dim in (5, 10, 20, 30))
    agreement = [float(np.corrcoef(fit.scores(np.arange(60))[unseen], expected)[0, 1]) for fit in fits]
    assert agreement == sorted(agreement)
    assert agreement[-1] > 0.95


def test_a_user_is_the_weighted_sum_of_the_items_that_they_had(long_tail: Interactions) -> None:
    settings = EASESettings(dim=8)
    fitted = ease.fit(long_tail, settings)
    history = fitted.item * ease.history_weights(long_tail.weights, settings)[:, None]
    by_hand = sum(long_tail.weights[30, item] ** 0.5 * history[item] for item in long_tail.weights[30].indices)
    np.testing.assert_allclose(fitted.user[30], by_hand, rtol=1e-4, atol=1e-7)


def test_a_small_catalogue_gives_as_many_dimensions_as_it_has_items(long_tail: Interactions) -> None:
    assert ease.fit(long_tail, EASESettings(dim=512)).item.shape == (40, 40)


def test_recipes_and_weights_share_one_decomposition(long_tail: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes nearly all of a fit's time, and a window is fitted with several settings and many ages."""
    ease._gram_of.cache_clear()
    decomposed = Mock(wraps=np.linalg.eigh)
    monkeypatch.setattr(np.linalg, "eigh", decomposed)
    doubled = replace(long_tail, weights=long_tail.weights * 2)
    for dim, regularization in ((8, 20.0), (40, 0.5)):
        ease.fit(long_tail, EASESettings(dim=dim, regularization=regularization))
        ease.history_weights(doubled.weights, EASESettings(dim=dim, regularization=regularization))
    assert decomposed.call_count == 1
    fewer = long_tail.weights[:30].copy()
    ease.history_weights(fewer, EASESettings())
    assert decomposed.call_count == 2
