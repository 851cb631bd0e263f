"""What holds of every ranking, whatever is asked for and whatever the shop changes meanwhile."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_shop import change, record
from ranked_shop import item_of, proposed, ranker_of
from tiny_artifact import random_shop

from recsys.artifact.reader import Artifact
from recsys.blend import BlendWeights
from recsys.feature_store.follower import LiveState
from recsys.shop.item import ItemRecord
from recsys.shop.sources import Source
from reranker.ranker import Ranker, Ranking
from reranker.request import Diversity, Exploration, RankRequest, Rule

ITEMS: Final = 24
NEW_IDS: Final = ["n-0", "n-1", "n-2", "n-3"]
ITEM_IDS: Final = [f"item-{row:05d}" for row in range(ITEMS)] + NEW_IDS
CATEGORIES: Final = ["even", "odd", "sale"]

RECORDS = st.builds(
    record,
    st.sampled_from(ITEM_IDS),
    is_whole=st.booleans(),
    is_deleted=st.sampled_from([False, False, True]),
    category=st.sampled_from([None, *CATEGORIES]),
    available=st.sampled_from([True, True, False]),
)
WEIGHTS = st.sampled_from([0.0, 0.1, 1.0])
BLENDS = st.one_of(
    st.none(), st.builds(BlendWeights, WEIGHTS, WEIGHTS, WEIGHTS).filter(lambda w: w != BlendWeights(0, 0, 0))
)
RULES = st.builds(
    lambda name, category, item_id, effect: Rule(
        name, category=category, item_id=None if category else item_id, boost=effect[0], pin_position=effect[1]
    ),
    st.sampled_from("abc"),
    st.sampled_from([None, *CATEGORIES]),
    st.sampled_from(ITEM_IDS),
    st.one_of(st.tuples(st.sampled_from([0.5, 2.0]), st.none()), st.tuples(st.none(), st.integers(1, 12))),
)


VALUES = st.floats(-2, 2, width=32)
VECTORS = st.lists(VALUES, min_size=4, max_size=4).map(lambda values: np.array(values, np.float32))
DIVERSITIES = st.builds(Diversity, st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 3))
EXPLORATIONS = st.builds(Exploration, st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 2**64 - 1))


@st.composite
def requests(draw: st.DrawFn) -> RankRequest:
    rows = draw(st.lists(st.integers(0, ITEMS + len(NEW_IDS) - 1), max_size=20, unique=True))
    scores = draw(st.lists(VALUES, min_size=len(rows), max_size=len(rows)))
    return RankRequest(
        candidates=proposed(*rows, scores=scores, new_item_ids=NEW_IDS),
        count=draw(st.integers(1, 12)),
        query_vector=draw(st.none() | VECTORS),
        blend=draw(BLENDS),
        diversity=draw(st.none() | DIVERSITIES),
        rules=draw(st.lists(RULES, max_size=4)),
        exploration=draw(st.none() | EXPLORATIONS),
        explain=True,
    )


@pytest.fixture(scope="module")
def artifact() -> Iterator[Artifact]:
    shop = random_shop(seed=9, users=1, items=ITEMS, dim=4)
    embeddings = shop.item_embeddings.copy()
    embeddings[5:8] = 0  # items of the version of which the model knows nothing
    shop = replace(shop, item_embeddings=embeddings, first_seen=np.arange(ITEMS, dtype=np.int64) * 10**6)
    with TemporaryDirectory() as folder:
        yield ranker_of(shop, Path(folder)).artifact


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request_=requests(), records=st.lists(RECORDS, max_size=8))
def test_whatever_is_asked_for(artifact: Artifact, request_: RankRequest, records: list[ItemRecord]) -> None:
    live = LiveState()
    ranker = Ranker(artifact, live=live)
    change(live, *records)
    ranking = ranker.rank(request_)
    shown = [item_of(each).item_id for each in ranking.items]
    rest = [each.item_id for each in ranking.rest]

    assert len(set(shown + rest)) == len(shown + rest)
    assert len(shown) <= request_.count
    found = [ranker.catalogue.find(item_id) for item_id in shown + rest]
    assert all(item is not None and item.available for item in found)
    assert [item_of(each) for each in ranking.items] == found[: len(shown)]
    named = {rule.item_id for rule in request_.rules if rule.pin_position is not None}
    rows = [row for row in request_.candidates.rows.tolist() if ranker.catalogue.find(ITEM_IDS[row]) is not None]
    assert {ITEM_IDS[row] for row in rows if on_sale(ranker, ITEM_IDS[row])} <= set(shown + rest)
    assert set(shown + rest) <= {ITEM_IDS[row] for row in rows} | named

    check_order(ranking, request_)
    check_pins(ranking, request_)
    check_cap(ranking, request_)
    check_propensities(ranking, request_)
    check_explanations(ranking, request_)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request_=requests(), count=st.integers(1, 24))
def test_a_page_is_the_start_of_the_whole_list_which_is_sorted_by_score_and_id(
    artifact: Artifact, request_: RankRequest, count: int
) -> None:
    boosts = [rule for rule in request_.rules if rule.boost is not None]
    plain = replace(request_, rules=boosts, diversity=None, exploration=None, explain=False, count=count)
    ranker = Ranker(artifact)
    ranking, whole = ranker.rank(plain), ranker.rank(replace(plain, count=len(ITEM_IDS))).items
    listed = [(item_of(each).item_id, each.score) for each in whole]
    assert [(item_of(each).item_id, each.score) for each in ranking.items] == listed[:count]
    assert [(each.item_id, each.score) for each in ranking.rest] == listed[count:]
    if not plain.is_for_nobody:
        assert listed == sorted(listed, key=lambda pair: (-pair[1], ITEM_IDS.index(pair[0])))


def on_sale(ranker: Ranker, item_id: str) -> bool:
    item = ranker.catalogue.find(item_id)
    return item is not None and item.available


def check_order(ranking: Ranking, request: RankRequest) -> None:
    """Scores do not increase, but where a pin, exploration or diversity put an item."""
    if request.diversity is not None:
        return
    moved = [each.propensity < 1 or each.sources >> Source.RULE & 1 for each in ranking.items]
    if request.exploration is None:
        scores = [each.score for each, is_moved in zip(ranking.items, moved, strict=True) if not is_moved]
        assert scores == sorted(scores, reverse=True)
        if not any(moved):
            told = [each.explanation.rank_by_score for each in ranking.items if each.explanation is not None]
            assert told == list(range(1, len(told) + 1))


def check_pins(ranking: Ranking, request: RankRequest) -> None:
    """The first pin that matches an item of the page has its position, unless the page is too short for it."""
    for rule in request.rules:
        position = rule.pin_position or 0
        matching = [
            item_of(each).category == rule.category if rule.category else item_of(each).item_id == rule.item_id
            for each in ranking.items
        ]
        if 1 <= position <= request.count and any(matching):
            if position <= len(ranking.items):
                assert matching[position - 1]
                assert ranking.items[position - 1].sources >> Source.RULE & 1
            return


def check_cap(ranking: Ranking, request: RankRequest) -> None:
    """No category has more than the cap, but for pinned items."""
    if request.diversity is None or request.diversity.max_per_category == 0:
        return
    most = request.diversity.max_per_category
    counts = Counter(item_of(each).category for each in ranking.items)
    pinned = Counter(item_of(each).category for each in ranking.items if each.sources >> Source.RULE & 1)
    assert all(count <= max(most, pinned[category]) for category, count in counts.items() if category is not None)


def check_propensities(ranking: Ranking, request: RankRequest) -> None:
    """Chance may change places from the second half of the page on; each propensity is a probability."""
    propensities = [each.propensity for each in ranking.items]
    assert all(0 < each <= 1 for each in propensities)
    if request.exploration is None or request.exploration.share == 0:
        assert set(propensities) <= {1}
    assert set(propensities[: (len(propensities) + 1) // 2]) <= {1}


def check_explanations(ranking: Ranking, request: RankRequest) -> None:
    """The numbers add up to the score."""
    for ranked in ranking.items:
        assert ranked.explanation is not None
        item = item_of(ranked)
        boosts = [
            rule.boost
            for rule in request.rules
            if rule.boost is not None and (rule.category or item.category) == item.category
            and (rule.item_id or item.item_id) == item.item_id
        ]  # fmt: skip
        total = sum(term.value * term.weight for term in ranked.explanation.terms)
        assert total * prod(boosts) == pytest.approx(ranked.score, abs=1e-9)
