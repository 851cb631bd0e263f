"""A version with a ranker that learned: its trees add to the blend, and every part of a score is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from ranked_shop import EVEN, proposed, ranker_of, rows_of, scores_of
from tiny_artifact import checkerboard, random_shop, with_ranker

from recsys.artifact.manifest import BlendInfo
from recsys.blend import BlendWeights
from recsys.feature_store.follower import LiveState
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


def test_weights_of_a_request_take_the_place_of_the_blend_and_of_the_trees(ranker: Ranker) -> None:
    assert rows_of(ranker.rank(asked(0, 2, 4, 8, blend=BlendWeights()))) == [0, 2, 4, 8]


def test_lists_for_an_item_or_for_nobody_know_no_trees(ranker: Ranker) -> None:
    own_order = RankRequest(candidates=proposed(0, 2, 4), count=3)
    assert rows_of(ranker.rank(own_order)) == [0, 2, 4]
    assert ranker.rank(replace(own_order, item_id=ranker.artifact.items.ids_of(np.array([1]))[0])).items[0].score <= 1


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
