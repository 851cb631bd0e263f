"""Indexes find what exact search finds, and say how much of it."""

import faiss
import numpy as np
import pytest

from recsys.vectors import unit
from trainer.models.embeddings import Embeddings
from trainer.publishing import index
from trainer.publishing.index import IndexSpec


def random_embeddings(n_items: int, *, dim: int = 8, n_users: int = 50) -> Embeddings:
    rng = np.random.default_rng(0)
    return Embeddings(
        user=rng.standard_normal((n_users, dim), dtype=np.float32),
        item=rng.standard_normal((n_items, dim), dtype=np.float32),
    )


def test_half_precision_finds_nearly_all_of_what_exact_search_finds() -> None:
    built = index.build_retrieval(random_embeddings(500), IndexSpec("SQfp16", "inner_product", None), seed=0)
    assert built.recall > 0.99
    assert built.index.ntotal == 500


def test_more_effort_finds_more() -> None:
    embeddings = random_embeddings(6_000)
    narrow, wide = (
        index.build_retrieval(embeddings, IndexSpec("IVF64,SQ8", "inner_product", effort), seed=0) for effort in (1, 60)
    )
    assert narrow.recall < 0.8
    assert wide.recall > 0.95


def test_a_small_catalogue_is_searched_exactly_and_everything_is_found() -> None:
    built = index.choose(random_embeddings(500), recall_floor=1.0, seed=0)
    assert (built.spec.factory, built.spec.metric, built.recall) == ("Flat", "inner_product", 1.0)


@pytest.mark.parametrize(
    ("n_items", "dim", "first", "count"),
    [(65_536, 64, "Flat", 1), (65_537, 64, "HNSW32", 4), (10**6, 64, "IVF4096,SQ8", 15)],
)
def test_what_is_tried_first_follows_from_the_size_alone(n_items: int, dim: int, first: str, count: int) -> None:
    tried = index.specs(n_items, dim)
    assert (tried[0].factory, tried[-1].factory, len(tried)) == (first, "Flat", count)
    cost = [index.bytes_read(one, n_items, dim) for one in tried]
    assert cost[:-1] == sorted(cost[:-1])


def test_the_cheapest_that_finds_enough_is_chosen_else_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = random_embeddings(6_000)
    tried = [
        IndexSpec("IVF64,SQ8", "inner_product", 1),
        IndexSpec("IVF64,SQ8", "inner_product", 60),
        index.EXACT,
    ]
    monkeypatch.setattr(index, "specs", lambda n_items, dim: tried)
    assert [index.choose(embeddings, recall_floor=floor, seed=0).spec for floor in (0.1, 0.95, 1.0)] == tried


def test_an_index_is_not_blamed_for_the_order_of_equal_items() -> None:
    items = np.ones((300, 4), np.float32)
    backwards = faiss.IndexFlatIP(4)
    backwards.add(items * np.array([[1 + 1e-7 * n] for n in range(300)], np.float32))
    assert index.measure_recall(backwards, items, np.ones((1, 4), np.float32)) == 1.0


def test_users_without_a_vector_ask_no_index() -> None:
    embeddings = Embeddings(np.zeros((9, 2), np.float32), np.eye(2, dtype=np.float32))
    assert index.choose(embeddings, recall_floor=1.0, seed=0).recall == 1.0


@pytest.mark.parametrize(("n_items", "factory"), [(200_000, "SQfp16"), (200_001, "IVF2048,SQ8")])
def test_where_nothing_was_measured_large_catalogues_get_inverted_lists(n_items: int, factory: str) -> None:
    assert index.default_spec(n_items).factory == factory


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
    scores, rows = built.search(unit(items)[:1], 2)
    assert set(rows[0]) == {0, 1}  # equal but for half precision; the third is at a right angle
    assert scores[0] == pytest.approx([1, 1], abs=1e-3)


def test_a_zero_vector_stays_zero_when_normalised() -> None:
    units = unit(np.array([[3, 4], [0, 0]], np.float32))
    assert units.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_the_same_seed_builds_the_same_index() -> None:
    items = random_embeddings(3_000).item
    one, two = (index.build(items, IndexSpec("IVF16,SQ8", "inner_product", 4), seed=3) for _ in range(2))
    np.testing.assert_array_equal(faiss.serialize_index(one), faiss.serialize_index(two))
