"""Exact scores, the candidates' own order and what may be shown, against known answers and plain numpy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from ranked_shop import EVEN, ODD, ids, item_of, proposed, ranker_of, rows_of, scores_of, with_rows
from tiny_artifact import checkerboard, normalised, off_sale, random_shop

from recsys.errors import InvalidArgumentError
from recsys.feature_store.follower import LiveState
from reranker.ranker import Ranker
from reranker.request import Proposed, RankRequest


@pytest.fixture
def live() -> LiveState:
    return LiveState()


@pytest.fixture
def board(tmp_path: Path, live: LiveState) -> Ranker:
    return ranker_of(checkerboard(), tmp_path, live)


def test_items_of_the_user_s_colour_come_first_and_equal_scores_stand_by_id(board: Ranker) -> None:
    ranking = board.rank(RankRequest(candidates=proposed(4, 3, 2, 1, 0), count=4, query_vector=ODD))
    assert rows_of(ranking) == [1, 3, 0, 2]
    assert scores_of(ranking)[2:] == [0, 0]


def test_with_the_personal_score_alone_scores_are_the_dot_products_below_0_too(tmp_path: Path) -> None:
    shop = replace(random_shop(seed=5, users=3, items=50), available=np.ones(50, bool))
    rows = np.random.default_rng(6).permutation(50)[:30].tolist()
    request = RankRequest(candidates=proposed(*rows), count=30, query_vector=shop.user_embeddings[1])
    ranking = ranker_of(shop, tmp_path).rank(request)
    exact = shop.item_embeddings @ shop.user_embeddings[1]
    expected = sorted(rows, key=lambda row: (-exact[row], row))
    assert ids(ranking) == [shop.item_ids[row] for row in expected]
    np.testing.assert_allclose(scores_of(ranking), exact[expected], rtol=1e-5, atol=1e-6)
    assert min(scores_of(ranking)) < 0


def test_equal_vectors_score_equally_wherever_they_stand(tmp_path: Path) -> None:
    shop = random_shop(seed=1, users=1, items=203, dim=37)
    shop = replace(shop, item_embeddings=np.tile(shop.item_embeddings[:1], (203, 1)), available=np.ones(203, bool))
    request = RankRequest(candidates=proposed(*range(203)[::-1]), count=203, query_vector=shop.user_embeddings[0])
    assert ids(ranker_of(shop, tmp_path).rank(request)) == shop.item_ids


def test_for_an_item_scores_are_cosines(tmp_path: Path) -> None:
    shop = replace(random_shop(seed=7, users=1, items=40), available=np.ones(40, bool))
    request = RankRequest(candidates=proposed(*range(40)), count=40, item_id=shop.item_ids[3])
    ranking = ranker_of(shop, tmp_path).rank(request)
    vectors = normalised(shop.item_embeddings)
    assert ids(ranking) == [shop.item_ids[row] for row in np.argsort(-(vectors @ vectors[3]))]
    assert scores_of(ranking)[0] == pytest.approx(1)


def test_nothing_is_like_an_item_of_which_nothing_is_known_and_candidates_keep_their_order(tmp_path: Path) -> None:
    shop = replace(checkerboard(), item_embeddings=with_rows(checkerboard().item_embeddings, {2: [0, 0]}))
    ranker = ranker_of(shop, tmp_path)
    for item_id in ("item-02", "stranger"):  # the first stage may know one that this process does not know yet
        own_order = RankRequest(candidates=proposed(4, 1, 3, scores=[2, 2, 1]), count=3, item_id=item_id)
        assert rows_of(ranker.rank(own_order)) == [4, 1, 3]
    assert rows_of(ranker.rank(RankRequest(candidates=proposed(2, 0), count=3, item_id="item-04"))) == [0, 2]


def test_for_nobody_candidates_keep_their_own_order_and_scores(board: Ranker) -> None:
    ranking = board.rank(RankRequest(candidates=proposed(7, 1, 4, scores=[9, 3, 3]), count=3))
    assert rows_of(ranking) == [7, 1, 4]
    assert scores_of(ranking) == [9, 3, 3]


def test_of_sources_that_do_not_compare_a_later_score_lifts_nothing(board: Ranker) -> None:
    ranking = board.rank(RankRequest(candidates=proposed(7, 1, 9, 4, scores=[0.5, 0.25, 900, 0.125]), count=4))
    assert rows_of(ranking) == [7, 1, 9, 4]
    assert scores_of(ranking) == [0.5, 0.25, 0.25, 0.125]


def test_what_is_not_on_sale_or_deleted_is_no_answer(tmp_path: Path, live: LiveState) -> None:
    ranker = ranker_of(off_sale(checkerboard(), 3), tmp_path, live)
    change(live, record("item-05", available=False), record("item-07", is_deleted=True))
    change(live, record("item-03", title="still off sale"))
    request = RankRequest(candidates=proposed(1, 3, 5, 7, 9), count=10, query_vector=ODD)
    assert rows_of(ranker.rank(request)) == [1, 9]
    change(live, record("item-03", available=True), record("item-07", is_whole=True, title="back"))
    assert rows_of(ranker.rank(request)) == [1, 3, 7, 9]


def test_an_item_that_the_shop_added_since_has_the_lowest_personal_score(board: Ranker, live: LiveState) -> None:
    change(live, record("fresh", is_whole=True, title="Fresh"), record("sold out", is_whole=True, available=False))
    candidates = proposed(12, 0, 13, 1, 14, new_item_ids=["fresh", "sold out", "unknown here"])
    ranking = board.rank(RankRequest(candidates=candidates, count=9, query_vector=np.array([1, -1], np.float32)))
    assert ids(ranking) == ["item-00", "item-01", "fresh"]
    assert scores_of(ranking) == [1, pytest.approx(-0.954, abs=1e-3), pytest.approx(-0.954, abs=1e-3)]
    assert item_of(ranking.items[2]).title == "Fresh"


def test_new_items_alone_keep_their_order_and_score_0(board: Ranker, live: LiveState) -> None:
    change(live, record("b", is_whole=True), record("a", is_whole=True))
    ranking = board.rank(RankRequest(candidates=proposed(12, 13, new_item_ids=["b", "a"]), count=2, query_vector=ODD))
    assert (ids(ranking), scores_of(ranking)) == (["b", "a"], [0, 0])


def test_items_are_described_as_the_shop_does_now(board: Ranker, live: LiveState) -> None:
    change(live, record("item-05", title="New title", attributes__colour="red"))
    [ranked] = board.rank(RankRequest(candidates=proposed(5), count=1)).items
    assert (item_of(ranked).title, item_of(ranked).category, item_of(ranked).price) == ("New title", "odd", 5.0)
    assert item_of(ranked).attributes == {"colour": "red"}
    assert (ranked.sources, ranked.propensity, ranked.explanation) == (1 << 1, 1.0, None)


def test_the_rest_follows_in_order(board: Ranker) -> None:
    ranking = board.rank(RankRequest(candidates=proposed(8, 0, 1, 2, 4), count=2, query_vector=EVEN))
    assert rows_of(ranking) == [0, 2]
    rest = list(ranking.rest)
    assert [each.item_id for each in rest] == ["item-04", "item-08", "item-01"]
    assert [each.score for each in rest] == sorted((each.score for each in rest), reverse=True)
    assert {each.sources for each in rest} == {1 << 1}


@pytest.mark.parametrize("query", [{}, {"query_vector": EVEN}, {"item_id": "item-01"}])
def test_no_candidates_are_no_items(board: Ranker, query: dict[str, object]) -> None:
    ranking = board.rank(RankRequest(candidates=proposed(), count=5, **query))  # type: ignore[arg-type]
    assert (ranking.items, list(ranking.rest)) == ([], [])


def test_a_version_of_format_1_ranks(board: Ranker) -> None:
    from recsys.artifact.reader import open_artifact

    golden = Ranker(open_artifact(Path(__file__).parents[3] / "tests/golden/artifact_v1"))
    request = RankRequest(candidates=proposed(4, 3, 2, 1, 0), count=4, query_vector=ODD)
    assert ids(golden.rank(request)) == ids(board.rank(request))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RankRequest(candidates=proposed(1, 12), count=1), r"candidates\.rows: expected rows below 12 .* v1, found 12"),
        (
            RankRequest(candidates=proposed(14, new_item_ids=["a", "b"]), count=1),
            r"candidates\.rows: expected rows below 14 .*, found 14",
        ),
        (RankRequest(candidates=proposed(1, 2, 1), count=1), r"candidates\.rows: .*each row once, found 1 more"),
        (
            RankRequest(candidates=proposed(12, 13, new_item_ids=["a", "a"]), count=1),
            r"candidates\.new_item_ids: .* once",
        ),
        (
            RankRequest(candidates=proposed(1), count=1, query_vector=np.zeros(3, np.float32)),
            r"^query_vector: expected 2 float32 values, found 3",
        ),
    ],
)
def test_what_the_version_does_not_have_is_named(board: Ranker, request_: RankRequest, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        board.rank(request_)


def test_candidates_are_not_changed(board: Ranker) -> None:
    candidates = proposed(3, 1)
    before = Proposed(candidates.rows.copy(), candidates.scores.copy(), candidates.sources.copy())
    board.rank(RankRequest(candidates=candidates, count=1, query_vector=ODD))
    for name in ("rows", "scores", "sources"):
        np.testing.assert_array_equal(getattr(candidates, name), getattr(before, name))
