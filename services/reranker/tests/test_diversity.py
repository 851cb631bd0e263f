"""Maximal marginal relevance against a hand-worked choice and a plain loop, and the cap."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from ranked_shop import EVEN, ids, proposed, ranker_of, rows_of
from tiny_artifact import Shop, checkerboard, normalised, random_shop

from recsys.feature_store.follower import LiveState
from reranker.ranker import Ranker
from reranker.request import Diversity, RankRequest, Rule


def three_vectors() -> Shop:
    """Scores 1, 0.9 and 0 of the vector (1, 0): the second is like the first (cosine 0.9), the third is not at all."""
    shop = checkerboard(items=3)
    near = np.sqrt(1 - 0.9**2)
    return replace(shop, item_embeddings=np.array([[1, 0], [0.9, near], [0, 1]], np.float32))


@pytest.mark.parametrize(
    ("mmr_lambda", "expected"),
    [
        (1.0, [0, 1, 2]),  # relevance alone: 1, 0.9, 0
        (0.6, [0, 1, 2]),  # second: 0.6 × 0.9 − 0.4 × 0.9 = 0.18 against 0.6 × 0 − 0.4 × 0 = 0
        (0.4, [0, 2, 1]),  # second: 0.4 × 0.9 − 0.6 × 0.9 = −0.18 against 0
        (0.0, [0, 2, 1]),  # difference alone, the first by order
    ],
)
def test_the_choice_of_the_second_item_by_hand(tmp_path: Path, mmr_lambda: float, expected: list[int]) -> None:
    ranker = ranker_of(three_vectors(), tmp_path)
    asked = RankRequest(
        candidates=proposed(0, 1, 2), count=3, query_vector=EVEN, diversity=Diversity(mmr_lambda=mmr_lambda)
    )
    assert rows_of(ranker.rank(asked)) == expected


@pytest.mark.parametrize("mmr_lambda", [0.0, 0.3, 0.7, 1.0])
def test_every_choice_is_that_of_a_plain_loop(tmp_path: Path, mmr_lambda: float) -> None:
    shop = replace(random_shop(seed=3, users=1, items=60), available=np.ones(60, bool))
    asked = RankRequest(
        candidates=proposed(*range(60)),
        count=20,
        query_vector=shop.user_embeddings[0],
        diversity=Diversity(mmr_lambda=mmr_lambda),
    )
    scores = shop.item_embeddings @ shop.user_embeddings[0]
    relevance = (scores - scores.min()) / (scores.max() - scores.min())
    unit = normalised(shop.item_embeddings)
    chosen: list[int] = []
    while len(chosen) < 20:
        worth = [
            mmr_lambda * relevance[row]
            - (1 - mmr_lambda) * max((float(unit[row] @ unit[other]) for other in chosen), default=0)
            for row in range(60)
        ]
        left = [row for row in np.argsort(-scores).tolist() if row not in chosen]
        chosen.append(max(left, key=lambda row: worth[row]))
    assert ids(ranker_of(shop, tmp_path).rank(asked)) == [shop.item_ids[row] for row in chosen]


def capped(
    ranker: Ranker, *rows: int, most: int, count: int = 10, mmr_lambda: float = 1, rules: Sequence[Rule] = ()
) -> list[int]:
    diversity = Diversity(mmr_lambda=mmr_lambda, max_per_category=most)
    asked = RankRequest(candidates=proposed(*rows), count=count, query_vector=EVEN, diversity=diversity, rules=rules)
    return rows_of(ranker.rank(asked))


def test_no_more_items_of_a_category_than_the_cap_even_if_the_page_stays_short(tmp_path: Path) -> None:
    ranker = ranker_of(checkerboard(), tmp_path)
    assert capped(ranker, 0, 2, 4, 1, 3, 5, most=2, count=4) == [0, 2, 1, 3]
    assert capped(ranker, 0, 2, 4, 1, most=1) == [0, 1]
    assert capped(ranker, 0, 2, 4, 1, most=1, mmr_lambda=0.5) == [0, 1]


def test_what_the_cap_keeps_out_follows_the_page(tmp_path: Path) -> None:
    ranker = ranker_of(checkerboard(), tmp_path)
    asked = RankRequest(
        candidates=proposed(0, 2, 4, 1), count=2, query_vector=EVEN, diversity=Diversity(max_per_category=1)
    )
    ranking = ranker.rank(asked)
    assert (rows_of(ranking), [each.item_id for each in ranking.rest]) == ([0, 1], ["item-02", "item-04"])


def test_items_without_a_category_are_not_capped(tmp_path: Path) -> None:
    shop = replace(checkerboard(), categories=[None, "odd"] * 6)
    assert capped(ranker_of(shop, tmp_path), 0, 2, 4, 1, 3, most=1) == [0, 2, 4, 1]


def test_the_cap_counts_categories_as_they_are_now(tmp_path: Path) -> None:
    live = LiveState()
    ranker = ranker_of(checkerboard(), tmp_path, live)
    change(live, record("item-02", category="odd"), record("item-04", is_whole=True))
    assert capped(ranker, 0, 2, 4, 1, most=1) == [0, 2, 4]


def test_pinned_items_count_for_the_cap_and_are_not_dropped_by_it(tmp_path: Path) -> None:
    ranker = ranker_of(checkerboard(), tmp_path)
    rules = [Rule("a", item_id="item-08", pin_position=1), Rule("b", item_id="item-10", pin_position=2)]
    assert capped(ranker, 0, 2, 1, most=1, count=3, rules=rules[:1]) == [8, 1]
    assert capped(ranker, 0, 2, 1, most=1, count=3, rules=rules) == [8, 10]


def test_an_item_that_is_like_a_pinned_one_is_less_welcome(tmp_path: Path) -> None:
    ranker = ranker_of(three_vectors(), tmp_path)
    asked = RankRequest(
        candidates=proposed(0, 1, 2),
        count=2,
        query_vector=EVEN,
        rules=[Rule("pin", item_id="item-01", pin_position=2)],
        diversity=Diversity(mmr_lambda=0.3),
    )
    # first: 0.3 × 1 − 0.7 × 0.9 = −0.33 against 0 − 0.7 × 0.436 = −0.31
    assert rows_of(ranker.rank(asked)) == [2, 1]
