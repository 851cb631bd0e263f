"""Exploration: where chance may put what, how often, and the propensities that are logged."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from live_shop import change, record
from ranked_shop import EVEN, ids, proposed, ranker_of
from tiny_artifact import checkerboard

from recsys.feature_store.follower import LiveState
from reranker.ranker import Ranker
from reranker.request import Diversity, Exploration, RankRequest, Rule

NEW_IDS = ["new-a", "new-b"]
CANDIDATES = proposed(0, 2, 4, 6, 1, 3, 12, 13, new_item_ids=NEW_IDS)


@pytest.fixture
def live() -> LiveState:
    live = LiveState()
    change(live, *(record(item_id, is_whole=True, category="fresh") for item_id in NEW_IDS))
    return live


@pytest.fixture
def board(tmp_path: Path, live: LiveState) -> Ranker:
    return ranker_of(checkerboard(), tmp_path, live)


def asked(share: float, seed: int = 0, *, count: int = 4) -> RankRequest:
    return RankRequest(
        candidates=CANDIDATES, count=count, query_vector=EVEN, exploration=Exploration(share=share, seed=seed)
    )


def test_a_share_of_1_always_puts_one_new_item_into_the_second_half_and_keeps_the_others_order(board: Ranker) -> None:
    for seed in range(50):
        ranking = board.rank(asked(1, seed))
        [position] = [at for at, item_id in enumerate(ids(ranking)) if item_id in NEW_IDS]
        assert position in (2, 3)
        others = [item_id for item_id in ids(ranking) if item_id not in NEW_IDS]
        assert others == ["item-00", "item-02", "item-04"]
        # 2 new items, 2 positions
        assert [each.propensity for each in ranking.items] == [0.25 if at == position else 1 for at in range(4)]


def test_a_share_of_0_puts_none(board: Ranker) -> None:
    for seed in range(50):
        ranking = board.rank(asked(0, seed))
        assert ids(ranking) == ["item-00", "item-02", "item-04", "item-06"]
        assert {each.propensity for each in ranking.items} == {1.0}


def test_the_same_seed_makes_the_same_choice(board: Ranker) -> None:
    assert [ids(board.rank(asked(0.5, seed))) for seed in range(20)] == [
        ids(board.rank(asked(0.5, seed))) for seed in range(20)
    ]


def test_items_and_positions_come_as_often_as_their_propensity_says(board: Ranker) -> None:
    turns, share = 4000, 0.4
    seen: Counter[tuple[str, int]] = Counter()
    for seed in range(turns):
        ranking = board.rank(asked(share, seed))
        seen.update((ranked.item.item_id, at) for at, ranked in enumerate(ranking.items) if ranked.propensity < 1)
        assert {ranked.propensity for ranked in ranking.items} <= {1.0, share / 4}
    assert set(seen) == {(item_id, position) for item_id in NEW_IDS for position in (2, 3)}
    # 400 are expected of each; the standard deviation of a binomial count is 19
    assert all(abs(found - turns * share / 4) < 5 * 19 for found in seen.values())


def test_an_item_of_the_version_with_a_zero_embedding_is_new_too(tmp_path: Path) -> None:
    embeddings = checkerboard().item_embeddings.copy()
    embeddings[3] = 0
    ranker = ranker_of(replace(checkerboard(), item_embeddings=embeddings), tmp_path)
    request = replace(asked(1), candidates=proposed(0, 2, 4, 6, 3))
    ranking = ranker.rank(request)
    [ranked] = [each for each in ranking.items if each.propensity < 1]
    assert (ranked.item.item_id, ranked.propensity) == ("item-03", 0.5)


@pytest.mark.parametrize(("count", "positions"), [(1, set()), (2, {1}), (3, {2}), (5, {3, 4})])
def test_the_second_half_of_pages_of_any_length(board: Ranker, count: int, positions: set[int]) -> None:
    found = set()
    for seed in range(60):
        found |= {at for at, each in enumerate(board.rank(asked(1, seed, count=count)).items) if each.propensity < 1}
    assert found == positions


def test_without_a_new_candidate_nothing_is_left_to_chance(board: Ranker) -> None:
    ranking = board.rank(replace(asked(1), candidates=proposed(0, 2, 4, 6, 8)))
    assert ids(ranking) == ["item-00", "item-02", "item-04", "item-06"]
    assert {each.propensity for each in ranking.items} == {1.0}


def test_pinned_positions_and_items_take_no_part(board: Ranker) -> None:
    rules = [Rule("a", item_id="item-01", pin_position=3), Rule("b", item_id="new-a", pin_position=1)]
    for seed in range(20):
        ranking = board.rank(replace(asked(1, seed), rules=rules))
        assert ids(ranking) == ["new-a", "item-00", "item-01", "new-b"]
        assert [each.propensity for each in ranking.items] == [1, 1, 1, 1]  # one item, one position, a share of 1
    with_half = board.rank(replace(asked(0.5, 1), rules=rules))
    assert [each.propensity for each in with_half.items if each.item.item_id == "new-b"] in ([], [0.5])


def test_exploration_stays_within_the_cap(board: Ranker) -> None:
    rules = [Rule("pin", item_id="new-a", pin_position=1)]
    for seed in range(20):
        request = replace(asked(1, seed), rules=rules, diversity=Diversity(max_per_category=1))
        assert ids(board.rank(request)) == ["new-a", "item-00", "item-01"]
