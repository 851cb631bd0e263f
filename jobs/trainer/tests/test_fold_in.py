"""A history folded in by the formulas of docs/artifact-format.md is the vector that training gave its owner.

The formulas stand here once more, plainly and over all items, so that the services' own arithmetic has something to
agree with that is neither theirs nor the models'.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from conftest import interactions_of
from numpy.typing import NDArray

from recsys.artifact.manifest import AgeInfo, ALSFoldIn, IALSFoldIn, SumFoldIn
from trainer.choosing import recipe
from trainer.choosing.recipe import ALSRecipe, EASERecipe, IALSRecipe, LightGCNRecipe, Recipe, SpectralRecipe
from trainer.models.als import ALSSettings
from trainer.models.ease import EASESettings
from trainer.models.ials import IALSSettings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.spectral import SpectralSettings
from trainer.publishing import foldable
from trainer.publishing.foldable import Foldable
from trainer.shop_data.interactions import Interactions

DAY = 86_400
RECIPES = [
    ALSRecipe(settings=ALSSettings(dim=6, alpha=0.5, regularization=10)),
    ALSRecipe(settings=ALSSettings(dim=24, alpha=10, k1=1.5, regularization=0.01), recency_strength=1.0),
    ALSRecipe(settings=ALSSettings(dim=6, alpha=0.01, b=0, regularization=0)),  # confidences far below 1
    IALSRecipe(settings=IALSSettings(dim=6), recency_strength=0.5),
    IALSRecipe(settings=IALSSettings(dim=24, unobserved_weight=0.3, frequency_exponent=0.5, user_length_exponent=0.2)),
    SpectralRecipe(settings=SpectralSettings(dim=8)),
    SpectralRecipe(settings=SpectralSettings(dim=8, score_exponent=0.2), recency_strength=1.5),
    EASERecipe(settings=EASESettings(dim=8), recency_strength=0.5),
    EASERecipe(settings=EASESettings(dim=64, regularization=0.5)),
    ALSRecipe(settings=ALSSettings(dim=6, alpha=3), age=AgeInfo(step_decay=0.6), recency_strength=1.0),
    IALSRecipe(settings=IALSSettings(dim=6), age=AgeInfo(half_life_days=20)),
    SpectralRecipe(settings=SpectralSettings(dim=8), age=AgeInfo(step_decay=0.6, half_life_days=20)),
    EASERecipe(settings=EASESettings(dim=8), age=AgeInfo(step_decay=0.4)),
]


def reference(
    published: Foldable, rows: NDArray[np.int32], weights: NDArray[np.float32], times: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The vector of a history of item rows, raw weights and Unix seconds: float64 [dim]."""
    given = published.fold_in
    age, newest = given.info.age, times.max()
    later = np.array([len({other for other in times.tolist() if other > time}) for time in times.tolist()])
    days = (newest - times) / DAY
    a = age.step_decay**later * (1 if age.half_life_days is None else 0.5 ** (days / age.half_life_days))
    y = published.embeddings.item.astype(np.float64) * given.item_scale[:, None]
    w, n, n_items = weights.astype(np.float64), len(rows), len(y)
    match given.info:
        case ALSFoldIn() as info:
            r = w * info.weight_scale
            saturated = r * (info.k1 + 1) / (r + info.k1 * (1 - info.b + info.b * r.sum() / info.avg_length))
            confidence = a * info.alpha * given.item_weights[rows] * saturated
            excess, diagonal = confidence - 1, given.spectrum.astype(np.float64)
        case IALSFoldIn() as info:
            confidence = a * info.scale * w * n**-info.user_length_exponent
            ridge = (confidence.sum() + info.unobserved_weight * n_items) ** info.frequency_exponent
            excess, diagonal = confidence, given.spectrum + info.regularization * ridge
        case SumFoldIn() as info:
            return n**-info.user_exponent * (a * w**info.weight_exponent * given.item_weights[rows]) @ y[rows]
    system = np.diag(diagonal) + (y[rows].T * excess) @ y[rows]
    return np.linalg.solve(system, confidence @ y[rows])


def folded(published: Foldable, known: Interactions) -> NDArray[np.float64]:
    """Every user's own history, folded in: float64 [n_users, dim]."""
    indptr, indices, data = known.weights.indptr, known.weights.indices, known.weights.data
    parts = [slice(start, stop) for start, stop in pairwise(indptr)]
    return np.array([reference(published, indices[part], data[part], known.last_seen[part]) for part in parts])


@pytest.fixture
def seasons(long_tail: Interactions) -> Interactions:
    """The long tail over a hundred days, so that recency scales items by factors of their own."""
    days = np.random.default_rng(1).integers(100, size=long_tail.weights.nnz)
    return replace(long_tail, last_seen=days * DAY)


def published(one: Recipe, known: Interactions) -> Foldable:
    return foldable.export(one, recipe.fit_model(one, known, seed=0), known, recent_days=30, seed=0)


@pytest.mark.parametrize("one", RECIPES)
def test_a_trained_users_own_history_folds_into_the_vector_that_they_have(one: Recipe, seasons: Interactions) -> None:
    made = published(one, seasons)
    np.testing.assert_allclose(folded(made, seasons), made.embeddings.user, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("one", RECIPES)
def test_what_is_published_scores_every_pair_as_the_fitted_model_with_recency_does(
    one: Recipe, seasons: Interactions
) -> None:
    everybody = np.arange(len(seasons.user_ids))
    fitted = recipe.fit(one, seasons, recent_days=30, seed=0)
    np.testing.assert_allclose(
        published(one, seasons).embeddings.scores(everybody), fitted.scores(everybody), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("one", RECIPES[:5])
def test_the_constant_part_of_a_least_squares_system_is_diagonal(one: Recipe, seasons: Interactions) -> None:
    made = published(one, seasons)
    y = made.embeddings.item * made.fold_in.item_scale[:, None]
    gram = y.T.astype(np.float64) @ y
    off_diagonal = gram - np.diag(np.diag(gram))
    assert np.abs(off_diagonal).max() < 1e-5 * gram.max()


def test_the_scale_takes_recency_back_out_of_an_item(seasons: Interactions) -> None:
    with_recency = published(ALSRecipe(settings=ALSSettings(dim=4), recency_strength=1.0), seasons)
    without = published(ALSRecipe(settings=ALSSettings(dim=4)), seasons)
    assert not np.allclose(with_recency.embeddings.item, without.embeddings.item)
    scale = with_recency.fold_in.item_scale[:, None]
    np.testing.assert_allclose(with_recency.embeddings.item * scale, without.embeddings.item, rtol=1e-5)
    np.testing.assert_array_equal(without.fold_in.item_scale, np.ones(40, np.float32))


def test_lightgcn_folds_a_history_in_near_the_vector_that_training_gave() -> None:
    """No formula gives the trained vector: it has a part of its own. Two tastes, and it must point the right way."""
    rng = np.random.default_rng(3)
    same_taste = np.arange(80)[:, None] % 2 == np.arange(40) % 2
    known = interactions_of((same_taste & (rng.random((80, 40)) < 0.4)).astype(np.float32))
    made = published(LightGCNRecipe(settings=LightGCNSettings(dim=8, epochs=20)), known)
    found, own = folded(made, known), made.embeddings.user
    cosines = (found * own).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(own, axis=1)
    assert cosines.mean() > 0.9
    scores = found @ made.embeddings.item.T
    assert scores[same_taste].min() > scores[~same_taste].max()


def test_a_model_of_nothing_but_zero_vectors_divides_by_nothing() -> None:
    """Regularisation that leaves no vector: the spectrum stays above 0, and a history folds into zeros."""
    known = interactions_of(np.eye(4, dtype=np.float32))
    zeros = recipe.fit_model(ALSRecipe(settings=ALSSettings(dim=2)), known, seed=0)
    zeros = replace(zeros, user=zeros.user * 0, item=zeros.item * 0)
    one = ALSRecipe(settings=ALSSettings(dim=2, regularization=0))
    made = foldable.export(one, zeros, known, recent_days=30, seed=0)
    assert (made.fold_in.spectrum > 0).all()
    np.testing.assert_array_equal(reference(made, np.array([1]), np.ones(1, np.float32), np.ones(1)), [0, 0])
