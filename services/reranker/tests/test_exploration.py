"""Exploration: where chance may put what, how often, and the propensities that are logged."""

from collections import Counter
from dataclasses import replace
from math import sqrt
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_shop import change, record
from ranked_shop import EVEN, ids, item_of, proposed, ranker_of
from tiny_artifact import checkerboard

from recsys.blend import BlendWeights
from recsys.feature_store.follower import LiveState
from reranker import exploration
from reranker.ranker import Ranker, Ranking
from reranker.request import Diversity, Exploration, RankRequest, Rule

NEW_IDS = ["new-a", "new-b"]
Outcome = tuple[float, dict[tuple[str, int], float]]
"""How probable it is, and the propensities that it logs."""

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
        # 2 new items, 2 positions: item-04 keeps its position in half of the draws, and moves down in the other half
        assert [each.propensity for each in ranking.items] == [1, 1, *([0.25, 0.5] if position == 2 else [0.5, 0.25])]


def test_a_share_of_0_puts_none(board: Ranker) -> None:
    for seed in range(50):
        ranking = board.rank(asked(0, seed))
        assert ids(ranking) == ["item-00", "item-02", "item-04", "item-06"]
        assert {each.propensity for each in ranking.items} == {1.0}


def test_the_same_seed_makes_the_same_choice(board: Ranker) -> None:
    assert [ids(board.rank(asked(0.5, seed))) for seed in range(20)] == [
        ids(board.rank(asked(0.5, seed))) for seed in range(20)
    ]


def places_of(ranking: Ranking) -> dict[tuple[str, int], float]:
    """(item, place in the whole list) → propensity."""
    page = [(item_of(each).item_id, each.propensity) for each in ranking.items]
    whole = page + [(each.item_id, each.propensity) for each in ranking.rest]
    return {(item_id, place): propensity for place, (item_id, propensity) in enumerate(whole)}


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_items_stand_at_their_places_as_often_as_their_propensities_say(board: Ranker, share: float) -> None:
    turns = 4000
    seen: Counter[tuple[str, int]] = Counter()
    logged: dict[tuple[str, int], float] = {}
    for seed in range(turns):
        places = places_of(board.rank(asked(share, seed)))
        seen.update(places.keys())
        for place, propensity in places.items():
            assert logged.setdefault(place, propensity) == pytest.approx(propensity)  # whatever was drawn
    for place, propensity in logged.items():
        deviation = sqrt(turns * propensity * (1 - propensity))
        assert abs(seen[place] - turns * propensity) <= 5 * deviation + 1e-9, place


class Scripted:
    """Stands for `Random`: draws what it is told to."""

    def __init__(self, draws: list[int]) -> None:
        self._draws = iter(draws)
        self.choices: list[int] = []  # how many there were to draw from

    def random(self) -> float:
        return float(next(self._draws))

    def choice(self, among: list[int]) -> int:
        self.choices.append(len(among))
        return among[next(self._draws)]


def outcomes(ranker: Ranker, request: RankRequest, share: float, patch: pytest.MonkeyPatch) -> list[Outcome]:
    """Every list that chance can make, with its probability."""

    def ranked(draws: list[int]) -> tuple[Ranking, list[int]]:
        chance = Scripted(draws)
        patch.setattr(exploration, "Random", lambda seed: chance)
        ranking = ranker.rank(request)
        return ranking, chance.choices

    usual, _ = ranked([1])  # no draw of 0 to 1 is below a share
    _, choices = ranked([0, 0, 0])
    if not choices:
        return [(1.0, places_of(usual))]
    new, places = choices
    each = share / (new * places)
    pairs = [(item, place) for item in range(new) for place in range(places)]
    return [(1 - share, places_of(usual)), *((each, places_of(ranked([0, *pair])[0])) for pair in pairs)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.integers(0, 13), min_size=3, max_size=12, unique=True),
    count=st.integers(1, 9),
    cap=st.integers(0, 3),
    mmr_lambda=st.sampled_from([0.3, 1.0]),
    pins=st.dictionaries(st.integers(1, 8), st.sampled_from(["item-01", "item-06", "new-a"]), max_size=2),
    recency=st.sampled_from([0.0, 5.0]),
)
def test_propensities_are_the_sums_over_everything_that_chance_can_do(
    board: Ranker,
    rows: list[int],
    count: int,
    cap: int,
    mmr_lambda: float,
    pins: dict[int, str],
    recency: float,
) -> None:
    share = 0.4
    request = RankRequest(
        candidates=proposed(*rows, new_item_ids=NEW_IDS),
        count=count,
        query_vector=EVEN,
        blend=BlendWeights(personal=1, popularity=0, recency=recency),
        diversity=Diversity(mmr_lambda=mmr_lambda, max_per_category=cap),
        rules=[Rule(item_id, item_id=item_id, pin_position=at) for at, item_id in pins.items()],
        exploration=Exploration(share=share, seed=1),
    )
    with pytest.MonkeyPatch.context() as patch:
        possible = outcomes(board, request, share, patch)
    expected: Counter[tuple[str, int]] = Counter()
    for probability, places in possible:
        for place in places:
            expected[place] += probability  # type: ignore[assignment]
    for probability, places in possible:
        assert probability > 0
        assert places == {place: pytest.approx(expected[place]) for place in places}


def test_an_item_of_the_version_with_a_zero_embedding_is_new_too(tmp_path: Path) -> None:
    embeddings = checkerboard().item_embeddings.copy()
    embeddings[3] = 0
    ranker = ranker_of(replace(checkerboard(), item_embeddings=embeddings), tmp_path)
    request = replace(asked(1), candidates=proposed(0, 2, 4, 6, 3))
    ranking = ranker.rank(request)
    [ranked] = [each for each in ranking.items if item_of(each).item_id == "item-03"]
    assert ranked.propensity == 0.5


@pytest.mark.parametrize(("count", "positions"), [(1, set()), (2, {1}), (3, {2}), (5, {3, 4})])
def test_the_second_half_of_pages_of_any_length(board: Ranker, count: int, positions: set[int]) -> None:
    found = set()
    for seed in range(60):
        ranking = board.rank(asked(1, seed, count=count))
        found |= {at for at, each in enumerate(ranking.items) if item_of(each).item_id in NEW_IDS}
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
    assert [each.propensity for each in with_half.items if item_of(each).item_id == "new-b"] in ([], [0.5])


def test_exploration_stays_within_the_cap(board: Ranker) -> None:
    rules = [Rule("pin", item_id="new-a", pin_position=1)]
    for seed in range(20):
        request = replace(asked(1, seed), rules=rules, diversity=Diversity(max_per_category=1))
        assert ids(board.rank(request)) == ["new-a", "item-00", "item-01"]
