"""What is bought together with an item stands first, and what is like it fills the list."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_artifact import checkerboard, off_sale, publish, with_baskets

from candidate_gen.candidates import Candidates
from candidate_gen.retriever import Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.errors import ItemNotFoundError
from recsys.feature_store.follower import LiveState
from recsys.shop.filter import Filter
from recsys.shop.sources import Source

SHARE_BASKETS = {4: {7: 4.0, 2: 3.0, 9: 1.0}}
LIKE_4 = {0, 2, 6, 8, 10}
ANY = Conditions()


def retriever_of(version_dir: Path) -> Retriever:
    return Retriever(open_artifact(version_dir), live=LiveState(), counts=SourceCounts())


@pytest.fixture
def board(tmp_path: Path) -> Retriever:
    return retriever_of(publish(with_baskets(checkerboard(), SHARE_BASKETS), tmp_path))


def together(board: Retriever, item_id: str, conditions: Conditions = ANY, *, count: int = 4) -> Candidates:
    return board.similar(item_id, conditions, count=count, bought_together=True)


def sources_of(found: Candidates, row: int) -> set[Source]:
    bits = int(found.sources[found.rows.tolist().index(row)])
    return {source for source in Source if bits & 1 << source}


def test_what_shares_most_baskets_stands_first_and_what_is_like_the_item_follows(board: Retriever) -> None:
    found = together(board, "item-04", count=5)
    assert found.rows[:3].tolist() == [7, 2, 9]
    assert found.scores[:3].tolist() == [4, 3, 1]
    assert set(found.rows[3:].tolist()) == LIKE_4 - {2}
    assert [sources_of(found, row) for row in (7, 2, 0)] == [
        {Source.BOUGHT_TOGETHER},
        {Source.BOUGHT_TOGETHER, Source.SIMILAR},
        {Source.SIMILAR},
    ]


def test_no_more_than_were_asked_for_are_bought_together(board: Retriever) -> None:
    found = together(board, "item-04", count=1)
    assert found.rows[0] == 7
    assert Source.BOUGHT_TOGETHER not in sources_of(found, found.rows[1])


def test_only_what_may_be_an_answer_is_bought_together(board: Retriever, tmp_path: Path) -> None:
    odd = together(board, "item-04", Conditions(filter=Filter(categories=("odd",))))
    assert odd.rows[:2].tolist() == [7, 9]
    without = together(board, "item-04", Conditions(exclude_item_ids=["item-07"]))
    assert without.rows[:2].tolist() == [2, 9]
    shop = with_baskets(off_sale(checkerboard(), 2), SHARE_BASKETS)
    assert together(retriever_of(publish(shop, tmp_path / "off sale")), "item-04").rows[:2].tolist() == [7, 9]


def test_an_item_that_shares_no_basket_has_what_is_like_it(board: Retriever) -> None:
    found, similar = together(board, "item-06"), board.similar("item-06", ANY, count=4)
    assert found.rows.tolist() == similar.rows.tolist()
    assert found.sources.tolist() == similar.sources.tolist()


def test_a_version_without_baskets_gives_what_is_like_the_item(tmp_path: Path) -> None:
    board = retriever_of(publish(checkerboard(), tmp_path))
    assert set(together(board, "item-04", count=5).rows.tolist()) == LIKE_4


def test_similar_items_are_none_the_less_those_of_the_model(board: Retriever) -> None:
    assert set(board.similar("item-04", ANY, count=5).rows.tolist()) == LIKE_4


def test_an_item_without_embedding_shares_baskets_and_popular_items_of_its_category_follow(tmp_path: Path) -> None:
    shop = checkerboard()
    embeddings = shop.item_embeddings.copy()
    embeddings[4] = 0
    board = retriever_of(publish(with_baskets(replace(shop, item_embeddings=embeddings), SHARE_BASKETS), tmp_path))
    found = together(board, "item-04", count=5)
    assert found.rows[:3].tolist() == [7, 2, 9]
    assert Source.POPULAR in sources_of(found, 10)


def test_of_a_popular_model_too_which_has_no_embeddings(tmp_path: Path) -> None:
    shop = checkerboard()
    shop = replace(
        shop,
        user_embeddings=np.zeros_like(shop.user_embeddings),
        item_embeddings=np.zeros_like(shop.item_embeddings),
        first_seen=np.ones(len(shop.item_ids), np.int64),
    )
    board = retriever_of(publish(with_baskets(shop, SHARE_BASKETS), tmp_path))
    assert together(board, "item-04").rows[:3].tolist() == [7, 2, 9]


def test_an_unknown_item_is_named(board: Retriever) -> None:
    with pytest.raises(ItemNotFoundError, match="item-99"):
        together(board, "item-99")
