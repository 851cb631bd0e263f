"""The scorer against known answers and against plain numpy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_artifact import Shop, checkerboard, normalised, publish, random_shop

from recsys.artifact.reader import open_artifact
from recsys.errors import InvalidArgumentError
from reranker.scorer import Candidate, RankedItem, Scorer

ANN, POPULAR = 1, 2


def scorer_of(shop: Shop, volume: Path) -> Scorer:
    return Scorer(open_artifact(publish(shop, volume)))


@pytest.fixture
def board(tmp_path: Path) -> Scorer:
    return scorer_of(checkerboard(), tmp_path)


def proposed(*rows: int) -> list[Candidate]:
    return [Candidate(item_id=f"item-{row:02d}", score=float(row), source=ANN) for row in rows]


def ids(ranked: list[RankedItem]) -> list[str]:
    return [each.item.item_id for each in ranked]


def test_for_a_user_items_of_their_colour_come_first_and_equal_scores_stand_by_id(board: Scorer) -> None:
    ranked = board.rank_for_user("user-01", proposed(4, 3, 2, 1, 0), count=4)
    assert ids(ranked) == ["item-01", "item-03", "item-00", "item-02"]
    assert [each.score for each in ranked[2:]] == [0, 0]


def test_a_user_s_scores_are_the_dot_products_of_the_embeddings(tmp_path: Path) -> None:
    shop = random_shop(seed=5, users=3, items=50)
    rows = np.random.default_rng(6).permutation(50)[:30]
    candidates = [Candidate(item_id=shop.item_ids[row], score=0, source=ANN) for row in rows]
    ranked = scorer_of(shop, tmp_path).rank_for_user(shop.user_ids[1], candidates, count=30)
    exact = shop.item_embeddings @ shop.user_embeddings[1]
    expected = sorted(rows.tolist(), key=lambda row: (-exact[row], row))
    assert ids(ranked) == [shop.item_ids[row] for row in expected]
    np.testing.assert_allclose([each.score for each in ranked], exact[expected], rtol=1e-5, atol=1e-6)


def test_an_item_s_scores_are_cosines(tmp_path: Path) -> None:
    shop = random_shop(seed=7, users=1, items=40)
    candidates = [Candidate(item_id=item_id, score=0, source=ANN) for item_id in shop.item_ids]
    ranked = scorer_of(shop, tmp_path).rank_for_item(shop.item_ids[3], candidates, count=40)
    vectors = normalised(shop.item_embeddings)
    cosines = vectors @ vectors[3]
    assert ids(ranked) == [shop.item_ids[row] for row in np.argsort(-cosines)]
    assert ranked[0].score == pytest.approx(1)


def test_an_item_without_embedding_has_cosine_zero_with_everything(tmp_path: Path) -> None:
    embeddings = checkerboard().item_embeddings.copy()
    embeddings[2] = 0
    scorer = scorer_of(replace(checkerboard(), item_embeddings=embeddings), tmp_path)
    assert [each.score for each in scorer.rank_for_item("item-02", proposed(0, 1, 2), count=3)] == [0, 0, 0]
    assert ids(scorer.rank_for_item("item-04", proposed(2, 0), count=3)) == ["item-00", "item-02"]


def test_for_nobody_and_for_an_unknown_user_candidates_keep_their_own_scores(board: Scorer) -> None:
    for ranked in (
        board.rank_as_given(proposed(1, 7, 4), count=2),
        board.rank_for_user("nobody", proposed(1, 7, 4), count=2),
    ):
        assert [(each.item.item_id, each.score) for each in ranked] == [("item-07", 7.0), ("item-04", 4.0)]


def test_an_item_from_several_sources_is_one_item_with_all_of_them(board: Scorer) -> None:
    candidates = [Candidate("item-03", 1.0, ANN), Candidate("item-03", 9.0, POPULAR), Candidate("item-03", 2.0, ANN)]
    [ranked] = board.rank_as_given(candidates, count=10)
    assert ranked.sources == [ANN, POPULAR]
    assert ranked.score == 9.0


def test_the_best_are_described_as_the_shop_did(board: Scorer) -> None:
    [ranked] = board.rank_as_given(proposed(5), count=1)
    item = ranked.item
    assert (item.title, item.category, item.price, item.image_url) == ("Item number 5", "odd", 5.0, None)


def test_no_candidates_are_no_items(board: Scorer) -> None:
    assert board.rank_for_user("user-01", [], count=5) == []
    assert board.rank_for_item("item-01", [], count=5) == []


def test_a_candidate_or_an_item_that_the_version_does_not_have_is_named(board: Scorer) -> None:
    stranger = [Candidate("stranger", 1.0, ANN)]
    with pytest.raises(InvalidArgumentError, match=r"candidates\.item_id: .*version v1, found 'stranger'"):
        board.rank_as_given(stranger, count=1)
    with pytest.raises(InvalidArgumentError, match=r"^item_id: .*found 'stranger'"):
        board.rank_for_item("stranger", proposed(1), count=1)
