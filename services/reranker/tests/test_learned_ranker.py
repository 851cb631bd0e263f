"""A version with a ranker that learned: its trees add to the blend, and every part of a score is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from packed_candidates import candidate_set
from ranked_shop import EVEN, NEW, proposed, ranker_of, rows_of, scores_of
from tiny_artifact import Shop, checkerboard, random_shop, with_ranker

from recsys.artifact.manifest import BlendInfo, RankerInfo
from recsys.blend import BlendWeights
from recsys.errors import InvalidArgumentError
from recsys.feature_store.follower import LiveState
from recsys.ranking_features import LIST_FEATURES, NOTHING_TAKEN_UP, TakenUp
from recsys.trees import Trees
from recsys.v1 import reranker_service_pb2 as pb
from reranker import wire
from reranker.ranker import Ranker, Ranking
from reranker.request import RankRequest, Rule

ITEMS = 30


@pytest.fixture
def ranker(tmp_path: Path) -> Ranker:
    """Of the checkerboard: of the even items the earlier ones score higher."""
    return ranker_of(with_ranker(checkerboard()), tmp_path)


def asked(*rows: int, **more: object) -> RankRequest:
    return RankRequest(candidates=proposed(*rows), count=len(rows), query_vector=EVEN, **more)  # type: ignore[arg-type]


def total(ranking: Ranking) -> list[float]:
    """Σ of each item's terms."""
    told = [each.explanation for each in ranking.items if each.explanation is not None]
    return [sum(term.value * term.weight for term in each.terms) for each in told]


def test_trees_add_to_the_blend(ranker: Ranker) -> None:
    ranking = ranker.rank(asked(0, 2, 4, 8))
    assert rows_of(ranking) == [2, 0, 4, 8]  # 2 is the blend's second
    blend = ranker.artifact.item_embeddings[[2, 0, 4, 8]] @ EVEN
    base = 3 * (blend - blend.min()) / np.ptp(blend)
    added = base + np.array([10, 0, 0, 1])  # 8 is older than five days
    np.testing.assert_allclose(scores_of(ranking), added - added.min(), atol=1e-6)


def test_what_others_propose_stands_where_the_blend_puts_it(ranker: Ranker) -> None:
    request = asked(0, 2, 4, 6, 8)
    sources = np.where(request.candidates.rows == 6, 1 << NEW, request.candidates.sources)
    ranking = ranker.rank(replace(request, candidates=replace(request.candidates, sources=sources), explain=True))
    assert rows_of(ranking) == [2, 0, 4, 6, 8]  # of the blend too, 6 is behind three of those that the trees rank
    alone = ranker.rank(asked(0, 2, 4, 8))
    known = [score for row, score in zip(rows_of(ranking), scores_of(ranking), strict=True) if row != 6]
    np.testing.assert_allclose(known, scores_of(alone), atol=1e-9)
    np.testing.assert_allclose(total(ranking), scores_of(ranking), atol=1e-9)
    worst = replace(request, candidates=replace(request.candidates, sources=sources), query_vector=-EVEN)
    assert rows_of(ranker.rank(worst))[1] == 6


def test_weights_of_a_request_take_the_place_of_the_blend_and_of_the_trees(ranker: Ranker) -> None:
    assert rows_of(ranker.rank(asked(0, 2, 4, 8, blend=BlendWeights()))) == [0, 2, 4, 8]


def test_lists_for_an_item_or_for_nobody_know_no_trees(ranker: Ranker) -> None:
    own_order = RankRequest(candidates=proposed(0, 2, 4), count=3)
    assert rows_of(ranker.rank(own_order)) == [0, 2, 4]
    assert ranker.rank(replace(own_order, item_id=ranker.artifact.items.ids_of(np.array([1]))[0])).items[0].score <= 1


def with_taste(shop: Shop) -> Shop:
    """Trees that add 10 to what is dearer than usual, and 1 to what is of a category that the history has."""
    shop = with_ranker(shop)
    assert shop.ranker is not None
    names = [*LIST_FEATURES, "user_category_share", "user_category_days", "user_price_ratio"]
    trees = Trees(
        features=np.array([[names.index("user_price_ratio")], [names.index("user_category_share")]], np.int32),
        thresholds=np.array([[0.1], [0.1]]),
        children=np.array([[[-1, -2]]] * 2, np.int32),
        leaves=np.array([[0.0, 10.0], [0.0, 1.0]]),
        counts=np.ones((2, 2)),
    )
    info = RankerInfo(features=names, trees=2, leaves=2, base_weight=3, last_event_unix_s=100)
    return replace(shop, ranker=replace(shop.ranker, info=info, trees=trees))


def test_the_history_says_what_is_to_the_users_taste(tmp_path: Path) -> None:
    shop = checkerboard()
    live = LiveState()
    for item_id, price in zip(shop.item_ids, (10.0, 10.0, 10.0, 50.0), strict=False):
        change(live, record(item_id, price=price))
    ranker = ranker_of(with_taste(shop), tmp_path, live)
    request = asked(0, 1, 2, 3)
    nothing = scores_of(ranker.rank(request))
    history = TakenUp(np.array([4, 1]), np.array([90, 80]))  # an even item without a price, and an odd one
    found = ranker.rank(replace(request, candidates=replace(request.candidates, history=history), explain=True))
    assert rows_of(found)[0] == 3
    assert scores_of(found) != nothing
    names = {term.name for each in found.items if each.explanation for term in each.explanation.terms}
    assert {"ranker:user_price_ratio"} <= names
    np.testing.assert_allclose(total(found), scores_of(found), atol=1e-9)


def test_a_ranker_that_an_earlier_release_learned_ranks_as_it_did(tmp_path: Path) -> None:
    shop = with_ranker(checkerboard())
    assert shop.ranker is not None
    info = shop.ranker.info.model_copy(update={"features": list(LIST_FEATURES)})
    old = ranker_of(replace(shop, ranker=replace(shop.ranker, info=info)), tmp_path)
    assert rows_of(old.rank(asked(0, 2, 4, 8))) == [2, 0, 4, 8]


def test_the_wire_carries_the_history_beside_the_candidates() -> None:
    candidates = candidate_set([0, 2, 4, 1])
    assert wire.request_of(pb.RerankRequest(candidates=candidates)).candidates.history == NOTHING_TAKEN_UP
    candidates.history_rows, candidates.history_times = np.array([7, 3], "<u4").tobytes(), np.array([9, 8]).tobytes()
    history = wire.request_of(pb.RerankRequest(candidates=candidates)).candidates.history
    assert (history.rows.tolist(), history.times.tolist()) == ([7, 3], [9, 8])


def test_a_history_that_cannot_be_read_is_refused_by_its_name(ranker: Ranker) -> None:
    candidates = candidate_set([0, 2])
    candidates.history_rows = np.array([7, 3], "<u4").tobytes()
    with pytest.raises(InvalidArgumentError, match=r"candidates\.history_times: expected 2 values, .* found 0"):
        wire.request_of(pb.RerankRequest(candidates=candidates))
    request = asked(0, 2)
    unknown = replace(request.candidates, history=TakenUp(np.array([12]), np.array([9])))
    with pytest.raises(InvalidArgumentError, match=r"candidates\.history_rows: expected rows below 12 .* found 12"):
        ranker.rank(replace(request, candidates=unknown))


def test_no_candidates_give_an_empty_list(ranker: Ranker) -> None:
    assert ranker.rank(replace(asked(), count=3)).items == []


@pytest.mark.parametrize("blend", [BlendInfo(), BlendInfo(popularity=0.3, recency=0.2)])
@pytest.mark.parametrize("rules", [[], [Rule("odd", category="odd", boost=1.5)]])
def test_the_terms_and_what_each_feature_adds_are_the_score(
    tmp_path: Path, blend: BlendInfo, rules: list[Rule]
) -> None:
    shop = replace(random_shop(seed=2, users=2, items=ITEMS), available=np.ones(ITEMS, bool))
    live = LiveState()
    change(live, record("new", is_whole=True, category="odd"))
    ranker = ranker_of(with_ranker(shop), tmp_path, live, blend=blend)
    ranking = ranker.rank(
        RankRequest(
            candidates=proposed(*range(ITEMS + 1), new_item_ids=["new"]),
            count=12,
            query_vector=np.asarray(ranker.artifact.user_embeddings[1]),
            rules=rules,
            explain=True,
        )
    )
    boosts = [1.5 if each.explanation and each.explanation.rules else 1.0 for each in ranking.items]
    np.testing.assert_allclose(np.multiply(total(ranking), boosts), scores_of(ranking), atol=1e-9)
    names = {term.name for each in ranking.items if each.explanation for term in each.explanation.terms}
    assert {"personal", "ranker", "ranker:blend_rank", "ranker:item_age_days"} <= names
    assert not any(name.startswith("ranker:users") for name in names)
