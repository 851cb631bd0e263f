"""Indexes find what exact search finds, and say how much of it."""

import faiss
import numpy as np
import pytest

from trainer import index
from trainer.models.embeddings import Embeddings


def random_embeddings(n_items: int, *, dim: int = 8, n_users: int = 50) -> Embeddings:
    rng = np.random.default_rng(0)
    return Embeddings(
        user=rng.standard_normal((n_users, dim), dtype=np.float32),
        item=rng.standard_normal((n_items, dim), dtype=np.float32),
    )


def test_half_precision_finds_nearly_all_of_what_exact_search_finds() -> None:
    built = index.build_retrieval(
        random_embeddings(500), factory="SQfp16", metric="inner_product", search_effort=None, seed=0
    )
    assert built.recall > 0.99
    assert built.index.ntotal == 500


def test_more_effort_finds_more() -> None:
    embeddings = random_embeddings(6_000)
    narrow, wide = (
        index.build_retrieval(embeddings, factory="IVF64,SQ8", metric="inner_product", search_effort=effort, seed=0)
        for effort in (1, 60)
    )
    assert narrow.recall < 0.8
    assert wide.recall > 0.95


@pytest.mark.parametrize(("n_items", "factory"), [(200_000, "SQfp16"), (200_001, "IVF2048,SQ8")])
def test_where_nothing_was_measured_large_catalogues_get_inverted_lists(n_items: int, factory: str) -> None:
    assert index.default_factory(n_items)[0] == factory


def test_recall_is_the_share_of_the_exact_first_items_that_the_index_has() -> None:
    items = np.eye(4, dtype=np.float32)
    half = faiss.IndexFlatIP(4)
    half.add(np.vstack([items[:2], np.zeros((2, 4), np.float32)]))
    # of all four items, in the order of their scores, an index that forgot two still returns four rows
    assert index.measure_recall(half, items, np.array([[4, 3, 2, 1]], np.float32)) == 1.0
    missing = faiss.IndexFlatIP(4)
    missing.add(items[:2])
    assert index.measure_recall(missing, items, np.array([[4, 3, 2, 1]], np.float32)) == 0.5


def test_similar_items_are_searched_by_cosine() -> None:
    items = np.array([[1, 0], [100, 1], [0, 5], [0, 0]], np.float32)
    built = index.build_similar(items, seed=0)
    scores, rows = built.search(index.normalise(items)[:1], 2)
    assert set(rows[0]) == {0, 1}  # equal but for half precision; the third is at a right angle
    assert scores[0] == pytest.approx([1, 1], abs=1e-3)


def test_a_zero_vector_stays_zero_when_normalised() -> None:
    unit = index.normalise(np.array([[3, 4], [0, 0]], np.float32))
    assert unit.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_the_same_seed_builds_the_same_index() -> None:
    items = random_embeddings(3_000).item
    one, two = (index.build(items, factory="IVF16,SQ8", search_effort=4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(faiss.serialize_index(one), faiss.serialize_index(two))
