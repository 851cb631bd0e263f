"""What comes next: a source of candidates, and a value of every candidate whoever proposed it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import Did
from tiny_artifact import FIRST_EVENT_UNIX_S, checkerboard, publish, with_ranker, with_transitions

from candidate_gen.excluded import Seen
from candidate_gen.retriever import Asker, Conditions, Retrieved, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState
from recsys.ranking_features import LIST_FEATURES
from recsys.shop.filter import Filter
from recsys.shop.sources import Source

# user-01 had the odd items but the first: 3, then 5, 7, 9 and 11 before that
LEADS_TO = {3: {2: 4.0, 1: 1.0}, 5: {0: 4.0, 2: 1.0}, 8: {4: 3.0}}
USER = "user-01"


def retriever_of(folder: Path, leads_to: dict[int, dict[int, float]]) -> Retriever:
    shop = checkerboard()
    shop = with_transitions(shop, leads_to) if leads_to else shop
    return Retriever(open_artifact(publish(shop, folder)), live=LiveState(), counts=SourceCounts(transitions=2))


@pytest.fixture
def board(tmp_path: Path) -> Retriever:
    return retriever_of(tmp_path, LEADS_TO)


def ask(board: Retriever, *events: Did, user_id: str = USER, **named: object) -> Retrieved:
    conditions = named.pop("conditions", Conditions())
    assert isinstance(conditions, Conditions)
    basket = named.pop("basket", ())
    assert isinstance(basket, tuple)
    asker = Asker(user_id=user_id, events=events, basket_item_ids=basket)
    return board.candidates(asker, conditions, count=12)


def values(found: Retrieved) -> dict[int, float]:
    """Row → how often it comes next, of all candidates for which that is more than 0."""
    rows = found.candidates.rows.tolist() if hasattr(found.candidates.rows, "tolist") else list(found.candidates.rows)
    return {row: value for row, value in zip(rows, found.transitions.tolist(), strict=True) if value}


def proposed(found: Retrieved) -> set[int]:
    bit = 1 << Source.TRANSITIONS
    rows = np.asarray(found.candidates.rows)
    return set(rows[(np.asarray(found.candidates.sources) & bit) != 0].tolist())


def test_what_comes_after_the_last_items_has_a_value_by_their_age(board: Retriever) -> None:
    assert values(ask(board)) == {1: 1.0, 2: 4 + 0.5, 0: 0.5 * 4}


def test_the_best_of_what_comes_next_are_candidates(board: Retriever) -> None:
    assert proposed(ask(board)) == {2, 0}  # two at the most
    assert proposed(ask(board, conditions=Conditions(filter=Filter(categories=("odd",))))) == {1}
    assert proposed(ask(board, conditions=Conditions(exclude_item_ids=["item-02"]))) == {0, 1}


def test_an_event_of_a_moment_ago_changes_what_comes_next(board: Retriever) -> None:
    later = FIRST_EVENT_UNIX_S + 1
    found = values(ask(board, Did("item-08", "view", sequence=1, unix_s=later)))
    assert found == {4: 3.0, 1: 0.5, 2: 0.5 * 4 + 0.25, 0: 0.25 * 4}


def test_a_cart_counts_as_the_last_of_all(board: Retriever) -> None:
    assert values(ask(board, basket=("item-08",)))[4] == 3
    assert values(ask(board, user_id="", basket=("item-08",))) == {4: 3.0}


def test_what_was_seen_comes_next_only_where_it_may_be_shown_again(tmp_path: Path) -> None:
    board = retriever_of(tmp_path, {3: {5: 2.0}})
    assert values(ask(board)) == {}
    assert values(ask(board, conditions=Conditions(seen=Seen(is_included=True)))) == {5: 2.0}


def test_of_somebody_without_a_history_nothing_is_known(board: Retriever) -> None:
    assert values(ask(board, user_id="nobody")) == {}


def test_the_last_items_of_a_history_go_to_a_ranker_that_asks_for_them(tmp_path: Path) -> None:
    shop = with_ranker(checkerboard())
    asking = Retriever(open_artifact(publish(shop, tmp_path / "a")), live=LiveState(), counts=SourceCounts())
    found = ask(asking, Did("item-08")).taken_up
    assert found.rows.tolist() == [8, 3, 5, 7, 9, 11]
    assert found.times.tolist() == sorted(found.times.tolist(), reverse=True)
    assert shop.ranker is not None
    info = shop.ranker.info.model_copy(update={"features": list(LIST_FEATURES)})
    before = replace(shop, ranker=replace(shop.ranker, info=info))
    old = Retriever(open_artifact(publish(before, tmp_path / "b")), live=LiveState(), counts=SourceCounts())
    assert not len(ask(old).taken_up.rows)
    assert not len(ask(retriever_of(tmp_path / "c", LEADS_TO)).taken_up.rows)


def test_a_version_without_transitions_says_nothing_of_them(tmp_path: Path) -> None:
    found = ask(retriever_of(tmp_path, {}))
    assert len(found.transitions) == 0
    assert proposed(found) == set()
