"""The retriever against known answers and against brute force."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_artifact import Shop, checkerboard, normalised, off_sale, publish, random_shop

from candidate_gen.candidates import Candidates
from candidate_gen.excluded import Seen
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.errors import ItemNotFoundError
from recsys.feature_store.follower import LiveState
from recsys.shop.sources import Source

INDEXES = [("Flat", None), ("SQfp16", None), ("IVF8,Flat", 2), ("HNSW8", 16)]


THE_INDEX_ALONE = SourceCounts(session=0, popular=0, trending=0, new=0)
ANY = Conditions()


@dataclass(frozen=True)
class Found:
    """Candidates by their ids."""

    item_ids: list[str]
    scores: list[float]
    sources: set[Source]


def retriever_of(version_dir: Path) -> Retriever:
    return Retriever(open_artifact(version_dir), live=LiveState(), counts=THE_INDEX_ALONE)


def found_by(retriever: Retriever, candidates: Candidates) -> Found:
    ids = [retriever.artifact.items.id_of(row) for row in candidates.rows.tolist()]
    named = {source for source in Source if any(bits & 1 << source for bits in candidates.sources.tolist())}
    return Found(ids, candidates.scores.tolist(), named)


@pytest.fixture
def board(tmp_path: Path) -> Retriever:
    return retriever_of(publish(checkerboard(), tmp_path))


def user_candidates(retriever: Retriever, user_id: str, *, count: int, include_seen: bool = False) -> Found:
    conditions = Conditions(seen=Seen(is_included=include_seen))
    retrieved = retriever.candidates(Asker(user_id=user_id), conditions, count=count)
    return found_by(retriever, retrieved.candidates)


def similar(retriever: Retriever, item_id: str, *, count: int) -> Found:
    return found_by(retriever, retriever.similar(item_id, ANY, count=count))


def popular(retriever: Retriever, *, count: int) -> Found:
    return found_by(retriever, retriever.popular(ANY, count=count))


def best(scores: NDArray[np.float32], allowed: NDArray[np.bool_], count: int) -> list[int]:
    order = np.lexsort((np.arange(len(scores)), -scores))
    return [row for row in order.tolist() if allowed[row]][:count]


def test_every_user_of_the_checkerboard_is_offered_the_diagonal_first(board: Retriever) -> None:
    for user in range(6):
        assert user_candidates(board, f"user-{user:02d}", count=1).item_ids == [f"item-{user:02d}"]


def test_seen_items_come_back_when_asked_for(board: Retriever) -> None:
    found = user_candidates(board, "user-03", count=3, include_seen=True)
    assert found.item_ids == ["item-01", "item-03", "item-05"]
    assert found.sources == {Source.ANN}


def test_more_candidates_than_the_catalogue_has_are_all_that_are_left(board: Retriever) -> None:
    found = user_candidates(board, "user-00", count=1000)
    # the diagonal, and then the items of the other colour, which score 0 and so stand by id
    assert found.item_ids == ["item-00", *(f"item-{row:02d}" for row in range(1, 12, 2))]
    assert found.scores == [1.0] + [0.0] * 6


def test_similar_items_are_of_the_same_colour_and_leave_the_item_itself_out(board: Retriever) -> None:
    found = similar(board, "item-04", count=5)
    assert sorted(found.item_ids) == ["item-00", "item-02", "item-06", "item-08", "item-10"]
    assert found.scores == pytest.approx([1.0] * 5)
    assert found.sources == {Source.SIMILAR}


def test_popular_items_stand_by_popularity_and_equal_ones_by_id(tmp_path: Path) -> None:
    shop = replace(checkerboard(items=4), popularity=np.array([1, 2, 2, 0], np.float32))
    found = popular(retriever_of(publish(shop, tmp_path)), count=10)
    assert found.item_ids == ["item-01", "item-02", "item-00", "item-03"]
    assert found.scores == [2, 2, 1, 0]
    assert found.sources == {Source.POPULAR}


def test_an_item_that_is_not_on_sale_is_in_no_list(tmp_path: Path) -> None:
    retriever = retriever_of(publish(off_sale(checkerboard(), 2), tmp_path))
    lists = [
        user_candidates(retriever, "user-02", count=12, include_seen=True),
        similar(retriever, "item-04", count=12),
        popular(retriever, count=12),
    ]
    for found in lists:
        assert len(found.item_ids) >= 10
        assert "item-02" not in found.item_ids


def test_popular_items_of_its_category_stand_in_for_those_like_an_item_without_embedding(tmp_path: Path) -> None:
    shop = checkerboard()
    embeddings = shop.item_embeddings.copy()
    embeddings[6] = 0
    retriever = retriever_of(publish(replace(shop, item_embeddings=embeddings), tmp_path))
    found = similar(retriever, "item-06", count=3)
    assert (found.item_ids, found.sources) == (["item-10", "item-08", "item-04"], {Source.POPULAR})
    assert "item-06" not in similar(retriever, "item-04", count=12).item_ids


def test_a_user_without_embedding_gets_popular_items_that_they_have_not_seen(tmp_path: Path) -> None:
    shop = checkerboard()
    embeddings = shop.user_embeddings.copy()
    embeddings[1] = 0
    for metric in ("inner_product", "cosine"):
        path = publish(replace(shop, user_embeddings=embeddings), tmp_path / metric, metric=metric)
        found = user_candidates(retriever_of(path), "user-01", count=3)
        assert found.sources == {Source.POPULAR}
        assert found.item_ids == ["item-10", "item-08", "item-06"]


def test_an_unknown_item_is_named(board: Retriever) -> None:
    with pytest.raises(ItemNotFoundError, match="item-99"):
        similar(board, "item-99", count=1)


def test_an_index_that_looks_at_a_part_only_still_fills_the_page(tmp_path: Path) -> None:
    shop = random_shop(seed=1, users=1, items=400)
    path = publish(shop, tmp_path, factory="IVF16,Flat", search_effort=4)
    # a lone probed list holds about 25 of the 400 items; FAISS pads the rest with -1
    found = user_candidates(retriever_of(path), "user-00000", count=300, include_seen=True)
    expected = best(shop.item_embeddings @ shop.user_embeddings[0], shop.available, 300)
    assert found.item_ids == [shop.item_ids[row] for row in expected]


def assert_matches(found: Found, exact: NDArray[np.float32], expected: list[int], shop: Shop) -> None:
    rows = [shop.item_ids.index(item_id) for item_id in found.item_ids]
    assert rows == expected
    np.testing.assert_allclose(found.scores, exact[rows], rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), items=st.integers(1, 60), count=st.integers(1, 80), include_seen=st.booleans())
@pytest.mark.parametrize("metric", ["inner_product", "cosine"])
def test_an_exhaustive_index_finds_what_brute_force_finds(
    tmp_path_factory: pytest.TempPathFactory, *, metric: str, seed: int, items: int, count: int, include_seen: bool
) -> None:
    shop = random_shop(seed=seed, users=3, items=items)
    vectors = normalised(shop.item_embeddings)
    path = publish(shop, tmp_path_factory.mktemp("volume"), metric="cosine" if metric == "cosine" else "inner_product")
    retriever = retriever_of(path)
    for user, user_id in enumerate(shop.user_ids):
        allowed = shop.available.copy()
        if not include_seen:
            allowed[shop.histories[user]] = False
        query = shop.user_embeddings[user]
        exact = vectors @ (query / np.linalg.norm(query)) if metric == "cosine" else shop.item_embeddings @ query
        found = user_candidates(retriever, user_id, count=count, include_seen=include_seen)
        assert_matches(found, exact, best(exact, allowed, count), shop)

    allowed = shop.available & (np.arange(items) != 0)
    exact = vectors @ vectors[0]
    assert_matches(similar(retriever, shop.item_ids[0], count=count), exact, best(exact, allowed, count), shop)


@pytest.mark.parametrize(("factory", "effort"), INDEXES)
def test_no_index_leaks_what_is_seen_or_off_sale_or_comes_short(
    tmp_path: Path, factory: str, effort: int | None
) -> None:
    shop = random_shop(seed=2, users=8, items=600)
    retriever = retriever_of(publish(shop, tmp_path, factory=factory, search_effort=effort))
    for user, user_id in enumerate(shop.user_ids):
        allowed = shop.available.copy()
        allowed[shop.histories[user]] = False
        found = user_candidates(retriever, user_id, count=20)
        rows = [shop.item_ids.index(item_id) for item_id in found.item_ids]
        assert len(set(rows)) == len(rows) == min(20, np.count_nonzero(allowed))
        assert allowed[rows].all()
        assert found.scores == sorted(found.scores, reverse=True)
