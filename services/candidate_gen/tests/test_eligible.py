"""The items at one moment: what a change makes of the sets that are held, and what it leaves to requests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_shop import change, record, set_trending
from tiny_artifact import checkerboard, publish

from candidate_gen import eligible as eligible
from candidate_gen.eligible import EligibleItems
from candidate_gen.retriever import Conditions, Retriever
from candidate_gen.search.item_set import ItemSet
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import Artifact, open_artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.filter import NO_FILTER, Filter, passes
from recsys.shop.item import ItemRecord

CHEAP_RED = Filter(max_price=5, attributes=(("colour", "red"),))
FILTERS = [NO_FILTER, Filter(categories=("hats",)), Filter(exclude_categories=("hats", "odd")), CHEAP_RED]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    shop = checkerboard()
    vectors = shop.item_embeddings.copy()
    vectors[[2, 5]] = 0  # items that no event of the training touched
    return open_artifact(publish(replace(shop, item_embeddings=vectors), Path(tmp_path_factory.mktemp("volume"))))


def retriever_of(artifact: Artifact, live: LiveState) -> Retriever:
    return Retriever(artifact, live=live, counts=SourceCounts())


def ids(items: ItemSet, moment: EligibleItems) -> set[str]:
    """The items of a set by id, whatever their rows."""
    version = moment.catalogue.artifact.items
    rows = items.rows.rows().tolist()
    return {version.id_of(row) if row < len(version) else moment.new_ids[row - len(version)] for row in rows}


names = st.sampled_from(["item-00", "item-02", "item-03", "item-11", "new-1", "new-2", "new-3"])
records = st.builds(
    lambda name, price, colour, category, available, whole, deleted, created: record(
        name,
        is_whole=whole,
        is_deleted=deleted,
        created_ms=created,
        price=price,
        attributes__colour=colour,
        category=category,
        available=available,
    ),
    names,
    st.sampled_from([None, 1.0, 9.0]),
    st.sampled_from([None, "red", "blue"]),
    st.sampled_from([None, "hats", "coats"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(st.lists(records, max_size=4), min_size=1, max_size=5))
def test_sets_that_followed_every_change_are_those_made_anew(artifact: Artifact, steps: list[list[ItemRecord]]) -> None:
    live = LiveState()
    followed = retriever_of(artifact, live)
    for changes in steps:
        for wanted in FILTERS:
            followed._eligible.matching(wanted)
            followed._eligible.matching(wanted, only_trained=True)
        change(live, *changes)
        anew = retriever_of(artifact, live)._eligible
        now = followed._eligible
        for wanted in FILTERS:
            for mine, theirs in (
                (now.matching(wanted), anew.matching(wanted)),
                (now.matching(wanted, only_trained=True), anew.matching(wanted, only_trained=True)),
            ):
                assert ids(mine, now) == ids(theirs, anew)
                assert mine.rows.size == theirs.rows.size
                assert (mine.few is None) == (theirs.few is None)
                if mine.few is not None and theirs.few is not None:
                    assert mine.few.tolist() == theirs.few.tolist()
        assert [row < now.n_items for row in now.unknown_to_model] == [
            row < anew.n_items for row in anew.unknown_to_model
        ]


def test_a_request_with_a_filter_works_for_no_change(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveState()
    retriever = retriever_of(artifact, live)
    change(live, *(record(f"new-{n}", is_whole=True, price=1.0, attributes__colour="red") for n in range(1_000)))
    wanted = Conditions(filter=CHEAP_RED)
    assert retriever.items(wanted).rows.size == 1_000
    retriever.similar("item-00", wanted, count=5)

    tried: list[str] = []
    monkeypatch.setattr(
        eligible, "passes", lambda item, conditions: tried.append(item.item_id) or passes(item, conditions)
    )
    change(live, record("new-7", is_whole=True, price=9.0, attributes__colour="red"))
    assert set(tried) == {"new-7"}

    tried.clear()
    monkeypatch.setattr(LiveCatalogue, "mask", None)  # a request that made a set would fail
    assert retriever.items(wanted).rows.size == 999
    retriever.similar("item-00", wanted, count=5)
    assert tried == []


def test_a_set_is_kept_until_an_item_changes_and_the_one_handed_out_stays(artifact: Artifact) -> None:
    live = LiveState()
    retriever = retriever_of(artifact, live)
    change(live, record("item-03", price=1.0, attributes__colour="red"))
    before = retriever._eligible.matching(CHEAP_RED)
    assert retriever._eligible.matching(CHEAP_RED) is before
    change(live, record("item-03", price=9.0, attributes__colour="red"))
    assert (before.rows.rows().tolist(), retriever._eligible.matching(CHEAP_RED).rows.rows().tolist()) == ([3], [])


def test_a_change_that_moves_no_item_in_or_out_leaves_sets_and_masks_as_they_are(artifact: Artifact) -> None:
    live = LiveState()
    retriever = retriever_of(artifact, live)
    change(live, record("item-03", price=1.0, attributes__colour="red"), record("item-05", available=False))
    sets = [retriever._eligible.matching(wanted) for wanted in (CHEAP_RED, Filter())]
    mask = retriever._eligible.catalogue.available_mask()
    change(live, record("item-03", price=1.1, attributes__colour="red"), record("item-07", price=3.0))
    for wanted, before in zip((CHEAP_RED, Filter()), sets, strict=True):
        assert retriever._eligible.matching(wanted) is before
    assert retriever._eligible.catalogue.available_mask() is mask


def test_more_filters_than_are_held_are_all_answered_right(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eligible, "_MOST_SETS_HELD", 64)
    live = LiveState()
    retriever = retriever_of(artifact, live)
    change(live, *(record(f"new-{price}", is_whole=True, price=1_000.0 + price) for price in range(200)))
    for _ in range(2):
        for price in range(200):
            found = retriever._eligible.matching(Filter(min_price=1_000 + price))
            assert found.rows.rows()[-1] == retriever._eligible.row_of_new["new-199"]
            assert found.rows.size == 200 - price
    assert len(retriever._eligible._sets) <= 64


def test_a_set_that_is_asked_for_again_and_again_stays_whatever_else_is_asked_once(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eligible, "_MOST_SETS_HELD", 3)
    items = retriever_of(artifact, LiveState())._eligible
    everything = items.matching(Filter())
    for price in range(10):
        items.matching(Filter(min_price=price))
        assert items.matching(Filter()) is everything
    assert len(items._sets) == 3


def test_the_sets_of_a_very_large_catalogue_share_a_fixed_amount_of_memory(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eligible, "_MOST_BYTES_HELD", 9)  # 12 items in 1.5 bytes each
    items = retriever_of(artifact, LiveState())._eligible
    for price in range(20):
        items.matching(Filter(min_price=price))
    assert len(items._sets) == 7


def test_trending_items_are_swapped_with_the_items_that_their_rows_are_of(artifact: Artifact) -> None:
    live = LiveState()
    retriever = retriever_of(artifact, live)
    set_trending(live, {"fresh": 9, "item-02": 8, "stranger": 7})
    assert retriever._eligible.trending.rows.tolist() == [2]
    before = retriever._eligible
    change(live, record("fresh", is_whole=True))
    assert retriever._eligible.trending.rows.tolist() == [retriever._eligible.row_of_new["fresh"], 2]
    assert np.all(before.trending.rows < before.n_items)
