"""The blend, boosts and pins against values worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from ranked_shop import EVEN, ids, item_of, proposed, ranker_of, rows_of, scores_of
from tiny_artifact import checkerboard, off_sale

from recsys.artifact.manifest import BlendInfo
from recsys.blend import BlendWeights
from recsys.feature_store.follower import LiveState
from recsys.shop.sources import Source
from reranker.ranker import Ranker
from reranker.request import Filter, RankRequest, Rule

DAY_S = 86_400


@pytest.fixture
def live() -> LiveState:
    return LiveState()


@pytest.fixture
def board(tmp_path: Path, live: LiveState) -> Ranker:
    """Popularity rises from 1 with the row, and so does the day of the first event."""
    days = np.arange(1, 13, dtype=np.int64) * 30 * DAY_S
    return ranker_of(replace(checkerboard(), first_seen=days), tmp_path, live)


def request(*rows: int, count: int = 3, rules: list[Rule] | None = None, **more: object) -> RankRequest:
    return RankRequest(candidates=proposed(*rows), count=count, query_vector=EVEN, rules=rules or [], **more)  # type: ignore[arg-type]


def test_the_request_s_weights_blend_three_values_scaled_over_the_candidates(board: Ranker) -> None:
    ranking = board.rank(request(0, 1, 3, blend=BlendWeights(personal=1, popularity=0.5, recency=2)))
    # personal 1, 0, 0; popularity ln 2, ln 3, ln 5; recency 1/8, 1/4, 1 (30 days are a half-life)
    popularity = np.log(3 / 2) / np.log(5 / 2)
    assert rows_of(ranking) == [3, 0, 1]
    assert scores_of(ranking) == pytest.approx([2.5, 1, 0.5 * popularity + 2 / 7])


def test_what_the_trainer_had_not_among_its_candidates_does_not_move_the_others(board: Ranker) -> None:
    asked = request(0, 1, 3, count=4, blend=BlendWeights(personal=1, popularity=0.5, recency=2))
    alone = dict(zip(ids(board.rank(asked)), scores_of(board.rank(asked)), strict=True))
    of_the_session = replace(proposed(0, 1, 3, 11), sources=np.array([2, 4, 2, 1 << Source.SESSION], np.uint32))
    beside = board.rank(replace(asked, candidates=of_the_session))
    # item 11 is newer and more popular than the others: as much as the most of them
    assert dict(zip(ids(beside), scores_of(beside), strict=True)) == pytest.approx({**alone, "item-11": 0.5 + 2})


def test_without_weights_those_of_the_trainer_count_for_a_vector_alone(tmp_path: Path) -> None:
    ranker = ranker_of(checkerboard(), tmp_path, blend=BlendInfo(personal=1, popularity=3))
    assert rows_of(ranker.rank(request(0, 2, 11))) == [11, 2, 0]
    similar = RankRequest(candidates=proposed(0, 2, 11), count=3, item_id="item-04")
    assert rows_of(ranker.rank(similar)) == [0, 2, 11]
    popular = RankRequest(candidates=proposed(2, 11, 0), count=3)
    assert rows_of(ranker.rank(popular)) == [2, 11, 0]
    assert rows_of(ranker.rank(replace(popular, blend=BlendWeights(personal=0, popularity=1)))) == [11, 2, 0]


def test_a_new_item_is_as_recent_as_its_first_record(board: Ranker, live: LiveState) -> None:
    change(live, record("new", is_whole=True, created_ms=13 * 30 * DAY_S * 1000))
    candidates = proposed(10, 11, 12, new_item_ids=["new"])
    weights = BlendWeights(personal=0, recency=1)
    ranking = board.rank(RankRequest(candidates=candidates, count=3, query_vector=EVEN, blend=weights))
    assert ids(ranking) == ["new", "item-11", "item-10"]
    assert scores_of(ranking) == pytest.approx([1, 1 / 3, 0])


def test_a_boost_multiplies_the_scaled_score_of_a_category_or_an_item(board: Ranker) -> None:
    rules = [Rule("odd days", category="odd", boost=3), Rule("one", item_id="item-03", boost=0.5)]
    weights = BlendWeights(personal=0, popularity=1)
    ranking = board.rank(request(0, 1, 3, 4, count=4, rules=rules, blend=weights))
    scaled = (np.log([2, 3, 5, 6]) - np.log(2)) / (np.log(6) - np.log(2))
    expected = {0: 0, 1: 3 * scaled[1], 3: 1.5 * scaled[2], 4: 1}
    assert rows_of(ranking) == sorted(expected, key=lambda row: -expected[row])
    assert scores_of(ranking) == pytest.approx(sorted(expected.values(), reverse=True))


def test_a_boost_never_pushes_down_what_scores_below_0(board: Ranker) -> None:
    away = np.array([-1, -0.01], np.float32)
    rules = [Rule("sale", item_id="item-02", boost=100)]
    asked = RankRequest(candidates=proposed(0, 2, 4, 5), count=4, query_vector=away, rules=rules)
    plain = board.rank(replace(asked, rules=[]))
    assert (rows_of(plain), max(scores_of(plain)) < 0) == ([5, 4, 2, 0], True)
    boosted = board.rank(asked)
    assert rows_of(boosted) == [2, 5, 4, 0]
    assert min(scores_of(boosted)) >= 0


def test_a_rule_that_matches_nothing_changes_no_order(board: Ranker) -> None:
    rules = [
        Rule("a", category="garden", boost=5),
        Rule("b", item_id="stranger", boost=5),
        Rule("c", category="garden", pin_position=1),
        Rule("d", item_id="stranger", pin_position=1),
    ]
    assert rows_of(board.rank(request(0, 2, 4, 1, rules=rules))) == [0, 2, 4]


def test_a_boost_of_a_category_sees_what_the_shop_changed(board: Ranker, live: LiveState) -> None:
    change(live, record("item-04", category="sale"), record("new", is_whole=True, category="sale"))
    rules = [Rule("sale", category="sale", pin_position=1), Rule("sale", category="sale", pin_position=1)]
    asked = RankRequest(candidates=proposed(0, 2, 4, 12, new_item_ids=["new"]), count=4, query_vector=EVEN, rules=rules)
    assert ids(board.rank(asked)) == ["item-04", "new", "item-00", "item-02"]


def test_the_best_matching_item_is_pinned_and_the_others_close_up_around_it(board: Ranker) -> None:
    ranking = board.rank(request(0, 2, 4, 7, 5, count=4, rules=[Rule("odd", category="odd", pin_position=2)]))
    assert rows_of(ranking) == [0, 5, 2, 4]
    assert [each.sources >> Source.RULE & 1 for each in ranking.items] == [0, 1, 0, 0]
    assert [each.item_id for each in ranking.rest] == ["item-07"]


def test_an_item_is_pinned_although_nobody_proposed_it(board: Ranker, live: LiveState) -> None:
    change(live, record("new", is_whole=True, title="Just in"))
    rules = [Rule("a", item_id="item-11", pin_position=3), Rule("b", item_id="new", pin_position=1)]
    ranking = board.rank(request(0, 2, 4, rules=rules))
    assert ids(ranking) == ["new", "item-00", "item-11"]
    assert [each.sources for each in ranking.items] == [1 << Source.RULE, 1 << 1, 1 << Source.RULE]
    assert item_of(ranking.items[0]).title == "Just in"


def test_what_is_not_on_sale_is_not_pinned(tmp_path: Path, live: LiveState) -> None:
    ranker = ranker_of(off_sale(checkerboard(), 11), tmp_path, live)
    change(live, record("item-09", is_deleted=True), record("new", is_whole=True, available=False))
    rules = [Rule("a", item_id=item_id, pin_position=1) for item_id in ("item-11", "item-09", "new", "stranger")]
    assert rows_of(ranker.rank(request(0, 2, 11, 9, rules=rules))) == [0, 2]


def test_pins_on_one_position_stand_in_the_order_of_the_rules_at_the_next_free_ones(board: Ranker) -> None:
    rules = [
        Rule("first", item_id="item-05", pin_position=2),
        Rule("second", item_id="item-03", pin_position=2),
        Rule("the same again", item_id="item-05", pin_position=1),
        Rule("third", category="odd", pin_position=2),
    ]
    assert rows_of(board.rank(request(0, 2, 3, 5, 7, count=5, rules=rules))) == [0, 5, 3, 7, 2]


def test_a_pin_beyond_the_page_does_nothing_and_on_a_short_page_it_stands_last(board: Ranker) -> None:
    beyond = [Rule("far", item_id="item-11", pin_position=4)]
    assert rows_of(board.rank(request(0, 2, 4, rules=beyond))) == [0, 2, 4]
    short = [Rule("far", item_id="item-01", pin_position=9), Rule("too", item_id="item-03", pin_position=9)]
    assert rows_of(board.rank(request(0, 1, 3, count=10, rules=short))) == [0, 3, 1]


def test_a_pinned_item_must_pass_what_the_caller_asked_for(board: Ranker) -> None:
    pin = [Rule("first", item_id="item-03", pin_position=1)]
    assert ids(board.rank(request(0, 2, rules=pin)))[0] == "item-03"
    for wanted in (
        Filter(categories=("even",)),
        Filter(min_price=3.5),
        Filter(max_price=2.5),
        Filter(attributes=(("colour", "red"),)),
    ):
        assert "item-03" not in ids(board.rank(request(0, 2, rules=pin, filter=wanted)))
    excluded = request(0, 2, rules=pin, excluded_item_ids=frozenset(["item-03"]))
    assert "item-03" not in ids(board.rank(excluded))
    assert ids(board.rank(request(0, 2, rules=pin, filter=Filter(categories=("odd",), min_price=3, max_price=3))))[
        0
    ] == ("item-03")
