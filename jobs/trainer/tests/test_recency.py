"""Recency by hand."""

import numpy as np

from trainer.choosing import recency
from trainer.models.embeddings import Embeddings

EMBEDDINGS = Embeddings(
    user=np.array([[1.0, 2.0]], dtype=np.float32), item=np.array([[1.0, 1.0], [3.0, 5.0]], dtype=np.float32)
)
RECENT, ALL = np.array([4, 0], dtype=np.float32), np.array([10, 90], dtype=np.float32)


def test_an_item_vector_is_scaled_by_its_recent_share_of_users() -> None:
    scaled = recency.scale(EMBEDDINGS, recency.factors(recent_users=RECENT, all_users=ALL, strength=1.0))
    # (4 + 1) / (10 + 10) = 1/4 and (0 + 1) / (90 + 10) = 1/100.
    np.testing.assert_allclose(scaled.item, [[0.25, 0.25], [0.03, 0.05]], rtol=1e-6)
    np.testing.assert_array_equal(scaled.user, EMBEDDINGS.user)


def test_strength_is_an_exponent() -> None:
    scaled = recency.scale(EMBEDDINGS, recency.factors(recent_users=RECENT, all_users=ALL, strength=0.5))
    np.testing.assert_allclose(scaled.item, [[0.5, 0.5], [0.3, 0.5]], rtol=1e-6)


def test_strength_zero_changes_nothing() -> None:
    scaled = recency.scale(EMBEDDINGS, recency.factors(recent_users=RECENT, all_users=ALL, strength=0.0))
    np.testing.assert_array_equal(scaled.item, EMBEDDINGS.item)


def test_a_larger_prior_makes_little_known_items_less_trendy() -> None:
    scaled = recency.scale(EMBEDDINGS, recency.factors(recent_users=RECENT, all_users=ALL, strength=1.0, prior=40.0))
    np.testing.assert_allclose(scaled.item[0], [0.1, 0.1], rtol=1e-6)


def test_vectors_stay_float32() -> None:
    assert (
        recency.scale(EMBEDDINGS, recency.factors(recent_users=RECENT, all_users=ALL, strength=0.5)).item.dtype
        == np.float32
    )
