"""Items of which the model knows nothing, on the checkerboard: their category says whom they are for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from tiny_artifact import Shop, checkerboard, publish, with_item_content

from candidate_gen import content_vectors
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.item_content import ItemContent
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState
from recsys.item_vector import packed
from recsys.shop.filter import Filter
from recsys.shop.sources import Source

ANY = Conditions()
EVEN = Asker(user_id="user-00")
VECTORS = {"even": [4.0, 0.0], "odd": [0.0, 0.5], "of another length": [1.0, 0.0, 0.0]}


def retriever_of(shop: Shop, folder: Path, live: LiveState) -> Retriever:
    mapped = with_item_content(shop, {"even": (1.0, 0.0), "odd": (0.0, 1.0), "both": (0.5, 0.5)})
    return Retriever(open_artifact(publish(mapped, folder)), live=live, counts=SourceCounts(content=2))


@pytest.fixture
def live() -> LiveState:
    return LiveState()


@pytest.fixture
def board(tmp_path: Path, live: LiveState) -> Retriever:
    return retriever_of(checkerboard(), tmp_path, live)


def by_content(retriever: Retriever, asker: Asker = EVEN, conditions: Conditions = ANY) -> list[tuple[str, float]]:
    found = retriever.candidates(asker, conditions, count=1, explain=True).candidates
    n_items = len(retriever.artifact.items)
    return [
        (retriever.artifact.items.id_of(row) if row < n_items else found.new_item_ids[row - n_items], score)
        for each in found.lists
        if each.source is Source.CONTENT
        for row, score in each.ranked
    ]


def test_an_item_that_the_api_brings_is_proposed_to_those_whom_its_facts_are_for(
    board: Retriever, live: LiveState
) -> None:
    assert by_content(board) == []
    change(live, *(record(name, is_whole=True, category=name) for name in ("odd", "both", "even")))
    assert by_content(board) == [("even", 1.0), ("both", 0.5)]  # at most two
    assert by_content(board, Asker(user_id="user-01")) == [("odd", 1.0), ("both", 0.5)]
    assert by_content(board, Asker(user_id="nobody")) == []  # the sources of new and popular items do without a vector
    assert by_content(board, conditions=Conditions(filter=Filter(categories=("both",)))) == [("both", 0.5)]


def test_a_change_of_the_facts_changes_the_vector(board: Retriever, live: LiveState) -> None:
    change(live, record("fresh", is_whole=True, category="odd"), record("stays", is_whole=True, category="both"))
    assert by_content(board)[0] == ("stays", 0.5)
    change(live, record("fresh", is_whole=True, category="even"))
    assert by_content(board) == [("fresh", 1.0), ("stays", 0.5)]
    change(live, record("fresh", is_whole=True))
    assert by_content(board) == [("stays", 0.5)]  # without facts there is no vector
    change(live, record("stays", is_whole=True, is_deleted=True))
    assert by_content(board) == []


def test_a_vector_that_the_api_brings_says_whom_an_item_is_for(tmp_path: Path, live: LiveState) -> None:
    shop = with_item_content(checkerboard(), {})
    assert shop.item_content is not None
    info = shop.item_content.info.model_copy(update={"vector_length": 2})
    weights = np.concatenate([shop.item_content.weights, np.eye(2, dtype=np.float32)])
    mapped = replace(shop, item_content=ItemContent(info, weights))
    board = Retriever(open_artifact(publish(mapped, tmp_path)), live=live, counts=SourceCounts(content=2))
    change(live, *(record(f"item {name}", is_whole=True, vector=packed(vector)) for name, vector in VECTORS.items()))
    assert by_content(board) == [("item even", 1.0), ("item odd", 0.0)]
    assert by_content(board, Asker(user_id="user-01")) == [("item odd", 1.0), ("item even", 0.0)]
    change(live, record("item even", is_whole=True, vector=packed(VECTORS["odd"])))
    assert [score for _, score in by_content(board, Asker(user_id="user-01"))] == [1.0, 1.0]


def test_an_item_of_the_catalogue_that_nobody_took_up_has_a_vector_too(tmp_path: Path, live: LiveState) -> None:
    shop = checkerboard()
    vectors = shop.item_embeddings.copy()
    vectors[[4, 5]] = 0
    board = retriever_of(replace(shop, item_embeddings=vectors), tmp_path, live)
    them = Asker(user_id="user-04")  # who has seen all even items but this one
    assert by_content(board, them) == [("item-04", 1.0), ("item-05", 0.0)]
    change(live, record("item-05", category="even"), record("item-04", available=False))
    assert by_content(board, them) == [("item-05", 1.0)]


def test_vectors_are_those_of_the_map(board: Retriever, live: LiveState) -> None:
    content = board.artifact.item_content
    assert content is not None
    change(live, *(record(f"new-{n}", is_whole=True, category=("even", "both")[n % 2]) for n in range(5)))
    held = board._eligible.by_content
    ids = [board._eligible.new_ids[row - 12] for row in held.rows]
    items = [item for item_id in ids if (item := board._eligible.catalogue.find(item_id)) is not None]
    np.testing.assert_array_equal(held.vectors, content.vectors(items))
    assert held.vectors.any(axis=1).all()


def test_only_so_many_items_are_scored_the_latest_first(
    board: Retriever, live: LiveState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_vectors, "MOST_HELD", 3)
    change(live, *(record(f"new-{n}", is_whole=True, created_ms=n, category="even") for n in range(5)))
    assert [board._eligible.new_ids[row - 12] for row in board._eligible.by_content.rows] == ["new-4", "new-3", "new-2"]


def test_what_is_like_an_item_without_history_is_found_by_its_facts(board: Retriever, live: LiveState) -> None:
    change(live, record("fresh", is_whole=True, category="odd"), record("bare", is_whole=True, category="lamps"))
    found = board.similar("fresh", ANY, count=3)
    assert set(found.rows.tolist()) <= {1, 3, 5, 7, 9, 11}
    assert len(found.rows) == 3
    np.testing.assert_allclose(found.scores, 1)
    assert set(found.sources.tolist()) == {1 << Source.SIMILAR}
    assert (
        board.similar("bare", ANY, count=3).rows.tolist() == []
    )  # the map knows nothing of lamps, and none is popular
