"""A hunt for leaks: whatever the shop changes and whoever asks, no answer holds an item that does not pass.

Random shops, item records, filters, events, carts and exclusions come in; every RPC's answer is compared with a look at
every item, one by one, in plain Python.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_shop import Did, change, erase, record, set_trending
from numpy.typing import NDArray
from packed_candidates import rows_of
from tiny_artifact import Shop, publish, random_shop, with_als_fold_in

from candidate_gen.retriever import Retriever
from candidate_gen.servicer import CandidateGenServicer
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.artifact.watcher import Watcher
from recsys.errors import ItemNotFoundError
from recsys.feature_store.follower import LiveState
from recsys.shop.item import ItemRecord
from recsys.shop.item_wire import scores_of, sources_of
from recsys.v1.candidate_gen_service_pb2 import (
    GetCandidatesRequest,
    GetPopularItemsRequest,
    GetSimilarItemsRequest,
    RecentEvent,
)
from recsys.v1.item_pb2 import CANDIDATE_SOURCE_ANN, CandidateSet, Filter

STREAM_SEQUENCE = 5  # up to which the versions know events
N_ITEMS, N_USERS, NEW_IDS = 90, 4, [f"new-{n}" for n in range(4)]
IDS = [f"item-{row:05d}" for row in range(N_ITEMS)]
SHOPS = [("Flat", None), ("SQfp16", None), ("IVF8,Flat", 2), ("HNSW8", 8)]
CATEGORIES = ["boots", "coats", "hats"]
NO_CONTEXT = cast("grpc.ServicerContext", None)


@dataclass(frozen=True)
class Fact:
    """What the shop says of an item."""

    category: str | None = None
    price: float | None = None
    colour: str | None = None
    available: bool = True

    def passes(self, wanted: Filter) -> bool:
        price = self.price
        return (
            self.available
            and (not wanted.categories or self.category in wanted.categories)
            and (not wanted.HasField("min_price") or (price is not None and price >= wanted.min_price))
            and (not wanted.HasField("max_price") or (price is not None and price <= wanted.max_price))
            and all(name == "colour" and self.colour == value for name, value in wanted.attributes.items())
        )


@dataclass(frozen=True)
class Held:
    """Stands for a watcher that holds one version."""

    retriever: Retriever

    def get(self, version: str) -> Retriever:
        assert version == ""
        return self.retriever


@lru_cache
def trained(seed: int) -> Shop:
    """Random vectors, some of them zero, with categories, prices and colours, and all of them missing of some items."""
    rng = np.random.default_rng(seed)
    shop = random_shop(seed=seed, users=N_USERS, items=N_ITEMS)
    vectors = shop.item_embeddings.copy()
    vectors[rng.permutation(N_ITEMS)[:6]] = 0
    colours = [[None, "red", "blue"][n] for n in rng.integers(0, 3, N_ITEMS)]
    return with_als_fold_in(
        replace(
            shop,
            item_embeddings=vectors,
            categories=[[None, *CATEGORIES][n] for n in rng.integers(0, 4, N_ITEMS)],
            prices=[[None, 1.0, 2.0, 5.0, 9.0][n] for n in rng.integers(0, 5, N_ITEMS)],
            attributes={"colour": colours},
        )
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    @lru_cache
    def path(number: int) -> Path:
        factory, effort = SHOPS[number]
        folder = tmp_path_factory.mktemp(f"shop{number}")
        return publish(trained(number), folder, factory=factory, search_effort=effort, stream_sequence=STREAM_SEQUENCE)

    return path


@st.composite
def records(draw: st.DrawFn) -> ItemRecord:
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "available": st.booleans(),
                "category": st.sampled_from([None, *CATEGORIES]),
                "price": st.sampled_from([None, 1.0, 3.0, 9.0]),
                "attributes__colour": st.sampled_from([None, "red", "blue"]),
            },
        )
    )
    item_id = draw(st.sampled_from([*IDS[:30], *NEW_IDS]))
    return record(
        item_id, is_whole=draw(st.booleans()), is_deleted=draw(st.integers(0, 4)) == 0, created_ms=1, **fields
    )


any_id = st.sampled_from([*IDS, *NEW_IDS, "stranger"])
some_ids = st.lists(any_id, max_size=12)
events = st.lists(
    st.builds(
        Did, item_id=any_id, event_type=st.sampled_from(["view", "purchase", "remove", "wink"]),
        sequence=st.integers(0, 12),
    ),
    max_size=8,
)  # fmt: skip


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    wanted = Filter(
        categories=draw(st.lists(st.sampled_from([*CATEGORIES, "nothing"]), max_size=2)),
        attributes=draw(st.dictionaries(st.just("colour"), st.sampled_from(["red", "green"]), max_size=1)),
        exclude_item_ids=draw(some_ids),
    )
    low, high = draw(st.sampled_from([(None, None), (2.0, None), (None, 2.0), (1.0, 5.0), (4.0, 4.0)]))
    if low is not None:
        wanted.min_price = low
    if high is not None:
        wanted.max_price = high
    return wanted


def facts_of(shop: Shop, changes: Mapping[str, ItemRecord]) -> dict[str, Fact]:
    """Every item there is, as the shop describes it now."""
    assert shop.categories is not None
    assert shop.prices is not None
    colours = shop.attributes["colour"]
    facts = {
        item_id: Fact(shop.categories[row], shop.prices[row], colours[row], bool(shop.available[row]))
        for row, item_id in enumerate(shop.item_ids)
    }
    for item_id, changed in changes.items():
        if item_id not in facts and not changed.is_whole and not changed.is_deleted:
            continue  # a change of an item that there is not makes none
        before = Fact() if changed.is_whole else facts.get(item_id, Fact())
        fields = {name.removeprefix("attributes."): value for name, value in changed.fields.items()}
        facts[item_id] = replace(before, **cast("dict[str, Any]", fields))
        if changed.is_deleted:
            del facts[item_id]
    return facts


def check(found: CandidateSet, item_ids: list[str], passing: set[str]) -> None:
    """Nothing but what passes, each once, told by row and by id alike."""
    assert len(rows_of(found)) == len(scores_of(found)) == len(sources_of(found)) == len(item_ids)
    assert len(set(item_ids)) == len(item_ids)
    assert set(item_ids) <= passing
    of_row = [*IDS, *found.new_item_ids]
    assert [of_row[row] for row in rows_of(found)] == item_ids
    assert set(found.new_item_ids) <= set(item_ids)
    for each in found.lists:
        listed = [of_row[row] for row in each.rows]
        assert len(set(listed)) == len(listed)
        assert set(listed) <= set(item_ids)


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_no_answer_holds_an_item_that_does_not_pass_and_every_page_is_full(
    published: Callable[[int], Path], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(SHOPS) - 1), "shop")
    shop, live = trained(number), LiveState()
    counts = SourceCounts(session=3, popular=2, trending=3, new=data.draw(st.integers(0, 3), "new"))
    retriever = Retriever(open_artifact(published(number)), live=live, counts=counts)
    servicer = CandidateGenServicer(cast("Watcher[Retriever]", Held(retriever)), max_count=1000)
    set_trending(live, data.draw(st.dictionaries(any_id, st.floats(1, 9), max_size=9), "trending"))
    for _ in range(2):  # the shop changes while the version is held
        change(live, *data.draw(st.lists(records(), max_size=8), "records"))
        ask_everything(servicer, shop, live, data)


def ask_everything(servicer: CandidateGenServicer, shop: Shop, live: LiveState, data: st.DataObject) -> None:
    facts, wanted = facts_of(shop, live.items), data.draw(filters(), "filter")
    fits = {item_id for item_id, fact in facts.items() if fact.passes(wanted)} - set(wanted.exclude_item_ids)
    count = data.draw(st.integers(1, 120), "count")

    popular = servicer.GetPopularItems(
        GetPopularItemsRequest(count=count, filter=wanted, with_item_ids=True), NO_CONTEXT
    )
    check(popular.candidates, list(popular.item_ids), fits)
    assert len(popular.item_ids) == min(count, len(fits - set(NEW_IDS)))

    has_vector = {item_id for row, item_id in enumerate(IDS) if shop.item_embeddings[row].any()}
    item_id = data.draw(st.sampled_from(IDS), "item")
    similar = servicer.GetSimilarItems(
        GetSimilarItemsRequest(item_id=item_id, count=count, filter=wanted, with_item_ids=True), NO_CONTEXT
    )
    like_it = fits & has_vector
    if item_id not in has_vector:  # then popular items of its category stand in; a deleted item has none
        category = facts[item_id].category if item_id in facts else None
        like_it = {one for one in fits - set(NEW_IDS) if category is not None and facts[one].category == category}
    check(similar.candidates, list(similar.item_ids), like_it - {item_id})
    assert len(similar.item_ids) == min(count, len(like_it - {item_id}))

    ask_for_somebody(servicer, shop, live, data, wanted=wanted, fits=fits, count=count)


def not_returned(bought: dict[str, int], events: Iterable[RecentEvent]) -> set[str]:
    """Items of a trained history that removals since leave; `events` are most recent first."""
    left = dict(bought)
    for event in reversed(list(events)):
        if event.item_id in left and event.sequence > STREAM_SEQUENCE:  # the version has those up to its place
            change = {"purchase": 1, "remove": -1}.get(event.event_type, 0)
            left[event.item_id] = max(left[event.item_id] + change, 0)
    return {item_id for item_id, count in left.items() if count}


def ask_for_somebody(
    servicer: CandidateGenServicer,
    shop: Shop,
    live: LiveState,
    data: st.DataObject,
    *,
    wanted: Filter,
    fits: set[str],
    count: int,
) -> None:
    user_id = data.draw(st.sampled_from([*shop.user_ids, "", "nobody"]), "user")
    if is_gone := data.draw(st.integers(0, 5), "erased") == 0:
        erase(live, user_id)
    request = GetCandidatesRequest(
        count=count,
        user_id=user_id,
        events=[
            RecentEvent(item_id=did.item_id, event_type=did.event_type, sequence=did.sequence)
            for did in data.draw(events, "events")
        ],
        basket_item_ids=data.draw(st.lists(any_id, max_size=3), "cart"),
        filter=wanted,
        include_seen=data.draw(st.booleans(), "include seen"),
        seen_event_types=data.draw(st.sampled_from([[], ["purchase"], ["view"]]), "seen types"),
        seen_item_ids=data.draw(some_ids, "seen"),
        explain=data.draw(st.booleans(), "explain"),
        with_item_ids=True,
    )
    found = servicer.GetCandidates(request, NO_CONTEXT)
    had = set(request.seen_item_ids)
    if user_id in shop.user_ids and not is_gone and list(request.seen_event_types) != ["view"]:
        bought = dict.fromkeys((IDS[row] for row in shop.histories[shop.user_ids.index(user_id)]), 1)  # purchases all
        had |= not_returned(bought, request.events)
    passing = fits - set(request.basket_item_ids) - (set() if request.include_seen else had)
    check(found.candidates, list(found.item_ids), passing)
    assert found.matching_items == len(passing)
    assert len(found.item_ids) >= min(count, len(passing))
    if found.query_vector:
        ann = [bool(sources & (1 << CANDIDATE_SOURCE_ANN)) for sources in sources_of(found.candidates)]
        has_vector = {item_id for row, item_id in enumerate(IDS) if shop.item_embeddings[row].any()}
        known = passing & has_vector  # of all others the trainer knows no score either
        expected = min(count, len(known))
        assert ann == [True] * expected + [False] * (len(ann) - expected)
        check_best(shop, np.frombuffer(found.query_vector, "<f4"), known, found.candidates, count=expected)
    live.erased = {}


def check_best(shop: Shop, query: NDArray[np.float32], passing: set[str], found: CandidateSet, *, count: int) -> None:
    """Scores are those of the items, and descend; an exhaustive index gives the best that there are."""
    exact = shop.item_embeddings @ query
    given = np.array(scores_of(found)[:count])
    np.testing.assert_allclose(given, exact[rows_of(found)[:count]], rtol=2e-2, atol=2e-2)  # fp16 rounds
    assert (np.diff(given) <= 0).all()
    if shop is not trained(2) and shop is not trained(3):
        best = np.sort([exact[row] for row, item_id in enumerate(IDS) if item_id in passing])[::-1][:count]
        np.testing.assert_allclose(given, best, rtol=2e-2, atol=2e-2)


def test_an_item_that_came_after_training_is_found_as_long_as_there_is_one(published: Callable[[int], Path]) -> None:
    live = LiveState()
    retriever = Retriever(open_artifact(published(0)), live=live, counts=SourceCounts())
    change(live, record("new-0", is_whole=True))
    servicer = CandidateGenServicer(cast("Watcher[Retriever]", Held(retriever)), max_count=1000)
    request = GetSimilarItemsRequest(item_id="new-0", count=1, with_item_ids=True)
    assert list(servicer.GetSimilarItems(request, NO_CONTEXT).item_ids) == []  # it has no category
    change(live, record("new-0", is_whole=True, category=CATEGORIES[0]))
    assert len(servicer.GetSimilarItems(request, NO_CONTEXT).item_ids) == 1
    change(live, record("new-0", is_whole=True, is_deleted=True))
    with pytest.raises(ItemNotFoundError, match="new-0"):
        servicer.GetSimilarItems(GetSimilarItemsRequest(item_id="new-0", count=1), NO_CONTEXT)
