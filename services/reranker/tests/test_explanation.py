"""An explanation's numbers add up to the score that they explain."""

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from ranked_shop import ANN, NEW, POPULAR, item_of, proposed, ranker_of
from tiny_artifact import checkerboard, random_shop

from recsys.blend import BlendWeights
from recsys.errors import InvalidArgumentError
from recsys.feature_store.follower import LiveState
from reranker.explanation import Contribution, SourceRank
from reranker.ranker import Ranker
from reranker.request import Diversity, HistoryVectors, RankRequest, Rule, SourceList

ITEMS = 30


@pytest.fixture
def ranker(tmp_path: Path) -> Ranker:
    shop = random_shop(seed=2, users=2, items=ITEMS)
    live = LiveState()
    change(live, record("new", is_whole=True, category="odd"))
    seen = np.random.default_rng(1).integers(1, 10**9, ITEMS)
    return ranker_of(replace(shop, available=np.ones(ITEMS, bool), first_seen=seen), tmp_path, live)


def asked(ranker: Ranker, **more: object) -> RankRequest:
    vector = np.asarray(ranker.artifact.user_embeddings[1])
    candidates = proposed(*range(ITEMS + 1), new_item_ids=["new"])
    return RankRequest(candidates=candidates, count=12, query_vector=vector, explain=True, **more)  # type: ignore[arg-type]


BLENDS = [None, BlendWeights(1, 0, 0), BlendWeights(0.5, 0, 0), BlendWeights(1, 0.3, 0.2), BlendWeights(0, 0, 2)]
RULES = [Rule("odd", category="odd", boost=1.5), Rule("three", item_id="item-00003", boost=0.25)]


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("rules", [[], RULES])
def test_terms_times_weights_times_boosts_are_the_score(
    ranker: Ranker, blend: BlendWeights | None, rules: list[Rule]
) -> None:
    factor_of = {rule.name: rule.boost or 1 for rule in rules}
    for ranked in ranker.rank(asked(ranker, blend=blend, rules=rules)).items:
        told = ranked.explanation
        assert told is not None
        total = sum(term.value * term.weight for term in told.terms)
        assert total * prod(factor_of[name] for name in told.rules) == pytest.approx(ranked.score, abs=1e-12)


def test_the_personal_score_is_the_exact_dot_product_and_0_for_a_new_item(ranker: Ranker) -> None:
    exact = ranker.artifact.item_embeddings @ ranker.artifact.user_embeddings[1]
    ranking = ranker.rank(replace(asked(ranker, blend=BlendWeights(0, 1, 1)), count=ITEMS + 1))
    for ranked in ranking.items:
        assert ranked.explanation is not None
        row = ranker.artifact.items.row_of(item_of(ranked).item_id)
        assert ranked.explanation.personal_score == pytest.approx(0 if row is None else exact[row], abs=1e-6)


def test_the_rank_by_score_is_the_one_before_anything_moved_the_item(ranker: Ranker) -> None:
    plain = [item_of(each).item_id for each in ranker.rank(replace(asked(ranker), count=ITEMS + 1)).items]
    moved = asked(ranker, rules=[Rule("pin", item_id=plain[-1], pin_position=1)], diversity=Diversity(mmr_lambda=0.2))
    items = ranker.rank(moved).items
    ranks = [each.explanation.rank_by_score for each in items if each.explanation is not None]
    assert ranks == [plain.index(item_of(each).item_id) + 1 for each in items]
    assert ranks[0] == ITEMS + 1
    assert items[0].explanation is not None
    assert items[0].explanation.rules == ["pin"]


def test_the_contributions_of_the_whole_history_sum_to_the_personal_score(ranker: Ranker) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5, 8)).astype(np.float32)
    history = HistoryVectors([f"had-{at}" for at in range(5)], vectors)
    request = replace(asked(ranker, history=history), query_vector=vectors.sum(axis=0))
    for ranked in ranker.rank(request).items:
        told = ranked.explanation
        assert told is not None
        assert len(told.contributions) == 5
        values = [each.value for each in told.contributions]
        assert sum(values) == pytest.approx(told.personal_score, abs=1e-5)
        assert [abs(value) for value in values] == sorted((abs(value) for value in values), reverse=True)


def test_of_a_long_history_the_five_that_count_most_are_told(tmp_path: Path) -> None:
    ranker = ranker_of(checkerboard(), tmp_path)
    vectors = np.array([[1, 0], [-7, 0], [3, 0], [0, 9], [2, 0], [5, 0], [4, 0]], np.float32)
    history = HistoryVectors(list("abcdefg"), vectors)
    request = RankRequest(
        candidates=proposed(0), count=1, query_vector=vectors.sum(axis=0), explain=True, history=history
    )
    [ranked] = ranker.rank(request).items
    assert ranked.explanation is not None
    assert ranked.explanation.contributions == [
        Contribution("b", -7), Contribution("f", 5), Contribution("g", 4), Contribution("c", 3), Contribution("e", 2)
    ]  # fmt: skip


def test_every_source_is_told_with_its_rank_and_score(tmp_path: Path) -> None:
    ranker = ranker_of(checkerboard(), tmp_path)
    lists = [SourceList(ANN, [4, 0], [2.5, 1.5]), SourceList(POPULAR, [7, 4, 1], [9, 8, 7]), SourceList(NEW, [], [])]
    request = RankRequest(candidates=replace(proposed(4, 0, 7, 1), lists=lists), count=4, explain=True)
    told = {item_of(each).item_id: each.explanation for each in ranker.rank(request).items}
    assert told["item-04"] is not None
    assert told["item-04"].sources == [SourceRank(ANN, 1, 2.5), SourceRank(POPULAR, 2, 8)]
    assert told["item-07"] is not None
    assert told["item-07"].sources == [SourceRank(POPULAR, 1, 9)]


def test_a_history_of_another_dimension_is_refused(tmp_path: Path) -> None:
    history = HistoryVectors(["a"], np.zeros((1, 3), np.float32))
    with pytest.raises(InvalidArgumentError, match=r"history\.vectors: expected 2 float32 .*, found 3"):
        ranker_of(checkerboard(), tmp_path).rank(RankRequest(candidates=proposed(0), count=1, history=history))
