"""Candidates of which the model knows nothing compete with the others where the version maps facts to vectors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import change, record
from ranked_shop import EVEN, ids, proposed, ranker_of, scores_of
from tiny_artifact import checkerboard, with_item_content

from recsys.feature_store.follower import LiveState
from recsys.shop.item import Item
from reranker.candidates import on_sale
from reranker.ranker import Ranker
from reranker.request import Exploration, RankRequest

SIDES = {"even": (0.9, 0.0), "odd": (0.0, 0.9)}
NEW = ("new-even", "new-odd", "bare")


@pytest.fixture
def live() -> LiveState:
    return LiveState()


@pytest.fixture
def ranker(tmp_path: Path, live: LiveState) -> Ranker:
    """Of the checkerboard, whose item 6 nobody has taken up, with three items that the API brought."""
    shop = checkerboard()
    vectors = shop.item_embeddings.copy()
    vectors[6] = 0
    ranker = ranker_of(with_item_content(replace(shop, item_embeddings=vectors), SIDES), tmp_path, live)
    change(live, *(record(name, is_whole=True, category=name.removeprefix("new-")) for name in NEW))
    return ranker


def asked(**more: object) -> RankRequest:
    """Items 0, 8, 6 and the three new ones, whose rows follow those of the version."""
    return RankRequest(candidates=proposed(0, 8, 6, 12, 13, 14, new_item_ids=NEW), count=6, **more)  # type: ignore[arg-type]


def test_new_items_stand_by_their_facts_and_those_without_behind_all(ranker: Ranker) -> None:
    ranking = ranker.rank(asked(query_vector=EVEN))
    assert ids(ranking) == ["item-00", "item-06", "new-even", "item-08", "new-odd", "bare"]
    np.testing.assert_allclose(scores_of(ranking), [1, 0.9, 0.9, 1 - 8 * 0.5 / 11, 0, 0], rtol=1e-5, atol=1e-6)


def test_what_the_model_and_the_map_know_nothing_of_stands_behind_what_fits_badly(tmp_path: Path) -> None:
    shop = checkerboard()
    vectors = shop.item_embeddings.copy()
    vectors[4] = 0
    ranker = ranker_of(replace(shop, item_embeddings=vectors), tmp_path, LiveState())
    asked = RankRequest(candidates=proposed(4, 0, 8), count=3, query_vector=-EVEN, explain=True)
    ranking = ranker.rank(asked)
    assert ids(ranking) == ["item-08", "item-00", "item-04"]  # and not 0 above what is below 0
    assert scores_of(ranking)[1:] == [pytest.approx(-1)] * 2
    [*_, unknown] = ranking.items
    assert unknown.explanation is not None
    assert unknown.explanation.personal_score == 0


def test_their_vectors_are_those_of_the_map(ranker: Ranker) -> None:
    content = ranker.artifact.item_content
    assert content is not None
    candidates = on_sale(asked().candidates, ranker.catalogue)
    items = [Item("", category=name) for name in ("even", "odd", "bare")]
    np.testing.assert_array_equal(candidates.vectors[3:], content.vectors(items))
    facts_of_6 = Item("item-06", title="Item number 6", category="even", price=6.0)
    np.testing.assert_array_equal(candidates.vectors[2], content.vector(facts_of_6))


def test_the_model_still_knows_nothing_of_them_so_they_are_explored(ranker: Ranker) -> None:
    assert on_sale(asked().candidates, ranker.catalogue).without_vector().tolist() == [2, 3, 4, 5]
    exploring = replace(asked(query_vector=EVEN, exploration=Exploration(share=1.0, seed=0)), count=2)
    assert ids(ranker.rank(exploring))[1] != "item-06"  # it is on the page, and one of the others takes its place


def test_their_place_is_explained(ranker: Ranker) -> None:
    ranking = ranker.rank(asked(query_vector=EVEN, explain=True))
    explained = dict(zip(ids(ranking), ranking.items, strict=True))
    of_new, of_bare = (explained[name].explanation for name in ("new-even", "bare"))
    assert of_new is not None
    assert of_bare is not None
    assert (of_new.personal_score, of_bare.personal_score) == (pytest.approx(0.9), 0)


def test_other_items_are_like_one_by_its_facts(ranker: Ranker) -> None:
    ranking = ranker.rank(RankRequest(candidates=proposed(1, 0, 8), count=3, item_id="new-even"))
    assert ids(ranking) == ["item-00", "item-08", "item-01"]
    np.testing.assert_allclose(scores_of(ranking), [1, 1, 0], atol=1e-6)
