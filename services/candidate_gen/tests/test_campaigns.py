"""Lists of many users at once against known answers, against brute force, and against what each user gets alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_shop import erase
from tiny_artifact import Shop, checkerboard, off_sale, publish, random_shop

from candidate_gen.campaigns.campaigns import Campaign
from candidate_gen.excluded import Seen
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.filter import Filter
from recsys.shop.item import ItemRecord

ANY = Conditions()
SEEN_TOO = Conditions(seen=Seen(is_included=True))
THE_INDEX_ALONE = SourceCounts(session=0, popular=0, trending=0, new=0)


def retriever_of(version_dir: Path, live: LiveState | None = None) -> Retriever:
    return Retriever(open_artifact(version_dir), live=live or LiveState(), counts=THE_INDEX_ALONE)


def lists_of(
    retriever: Retriever, user_ids: Sequence[str], *, count: int, conditions: Conditions = ANY
) -> list[list[tuple[str, float]]]:
    """Items and scores of each user."""
    campaign = Campaign(retriever, conditions, count=count)
    lists = campaign.lists(user_ids)
    pairs = list(zip(campaign.retriever.artifact.items.ids_of(lists.rows), lists.scores.tolist(), strict=True))
    ends = np.cumsum(lists.lengths).tolist()
    return [pairs[end - length : end] for end, length in zip(ends, lists.lengths.tolist(), strict=True)]


def items_of(
    retriever: Retriever, user_ids: Sequence[str], *, count: int, conditions: Conditions = ANY
) -> list[list[str]]:
    found = lists_of(retriever, user_ids, count=count, conditions=conditions)
    return [[item_id for item_id, _ in one] for one in found]


def brute_force(shop: Shop, user: int, *, count: int, conditions: Conditions = ANY) -> list[tuple[str, float]]:
    """The best of all items that a user may get, by 64-bit scores; conditions of categories and seen only."""
    scores = shop.item_embeddings.astype(np.float64) @ shop.user_embeddings[user].astype(np.float64)
    allowed = shop.available.copy()
    if not conditions.seen.is_included:
        allowed[shop.histories[user]] = False
    if conditions.filter.categories:
        allowed &= np.isin([("even", "odd")[row % 2] for row in range(len(scores))], conditions.filter.categories)
    order = np.lexsort((np.arange(len(scores)), -scores))
    return [(shop.item_ids[row], scores[row]) for row in order.tolist() if allowed[row]][:count]


def assert_same(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [item_id for item_id, _ in found] == [item_id for item_id, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], rtol=1e-4, atol=1e-5)


@pytest.fixture
def board(tmp_path: Path) -> Retriever:
    return retriever_of(publish(checkerboard(), tmp_path))


def test_every_user_of_the_checkerboard_gets_the_diagonal_first(board: Retriever) -> None:
    users = [f"user-{row:02d}" for row in range(6)]
    assert items_of(board, users, count=1) == [[f"item-{row:02d}"] for row in range(6)]


def test_a_list_has_exact_scores_and_breaks_ties_by_id(board: Retriever) -> None:
    [found] = lists_of(board, ["user-00"], count=1000)
    assert found == [("item-00", 1.0), *((f"item-{row:02d}", 0.0) for row in range(1, 12, 2))]


def test_seen_items_come_back_when_asked_for(board: Retriever) -> None:
    assert items_of(board, ["user-03"], count=3, conditions=SEEN_TOO) == [["item-01", "item-03", "item-05"]]


def test_only_events_of_the_named_types_count_as_seen(board: Retriever) -> None:
    def after(event_type: str) -> list[list[str]]:
        return items_of(board, ["user-03"], count=1, conditions=Conditions(seen=Seen(event_types=[event_type])))

    assert (after("purchase"), after("view")) == ([["item-03"]], [["item-01"]])


def test_an_item_that_nobody_took_up_is_in_no_list(tmp_path: Path) -> None:
    board = checkerboard()
    board.item_embeddings[3] = 0
    retriever = retriever_of(publish(board, tmp_path))
    assert items_of(retriever, ["user-03"], count=3, conditions=SEEN_TOO) == [["item-01", "item-05", "item-07"]]


def test_what_is_off_sale_or_excluded_or_filtered_is_in_no_list(tmp_path: Path) -> None:
    retriever = retriever_of(publish(off_sale(checkerboard(), 1), tmp_path))
    conditions = Conditions(
        filter=Filter(categories=("odd",)), exclude_item_ids=["item-03"], seen=Seen(is_included=True)
    )
    assert items_of(retriever, ["user-01"], count=3, conditions=conditions) == [["item-05", "item-07", "item-09"]]


def test_what_goes_off_sale_is_out_of_the_next_lists(tmp_path: Path) -> None:
    live = LiveState()
    campaign = Campaign(retriever_of(publish(checkerboard(), tmp_path), live), SEEN_TOO, count=1)
    assert campaign.retriever.artifact.items.ids_of(campaign.lists(["user-02"]).rows) == ["item-00"]
    off = {"available": False}
    live.change_items({"item-00": ItemRecord("item-00", 1, False, False, off, created_ms=1, updated_ms=1)})
    assert campaign.retriever.artifact.items.ids_of(campaign.lists(["user-02"]).rows) == ["item-02"]


def test_unknown_erased_and_vectorless_users_get_an_empty_list_and_are_named(tmp_path: Path) -> None:
    live = LiveState()
    erase(live, "user-04")
    shop = checkerboard()
    shop.user_embeddings[2] = 0
    campaign = Campaign(retriever_of(publish(shop, tmp_path), live), ANY, count=2)
    lists = campaign.lists(["user-04", "user-00", "nobody", "", "user-02", "user-01"])
    assert lists.without_vector.tolist() == [0, 2, 3, 4]
    assert lists.lengths.tolist() == [0, 2, 0, 0, 0, 2]


def test_where_the_model_is_popularity_everybody_it_knows_gets_what_the_request_online_gives(tmp_path: Path) -> None:
    shop = random_shop(seed=7, users=40, items=300)
    long = replace(
        shop, histories=[list(range(200)) if user == 3 else each for user, each in enumerate(shop.histories)]
    )
    zeros = {"user_embeddings": shop.user_embeddings * 0, "item_embeddings": shop.item_embeddings * 0}
    retriever = retriever_of(publish(replace(long, **zeros), tmp_path))
    found = lists_of(retriever, shop.user_ids, count=20)
    for user_id, one in zip(shop.user_ids, found, strict=True):
        alone = retriever.candidates(Asker(user_id=user_id), ANY, count=20).candidates.rows
        assert one == [(shop.item_ids[row], float(shop.popularity[row])) for row in alone]
        assert one
    lists = Campaign(retriever, ANY, count=20).lists(["nobody", shop.user_ids[0]])
    assert (lists.lengths.tolist(), lists.without_vector.tolist()) == ([0, len(found[0])], [0])


def test_a_repeated_user_is_answered_in_each_place(board: Retriever) -> None:
    users = ["user-05", "user-01", "user-05"]
    found = items_of(board, users, count=2)
    assert found[0] == found[2] != found[1]


def test_nobody_asked_for_is_no_list(board: Retriever) -> None:
    assert lists_of(board, [], count=5) == []


def test_a_filter_that_nothing_passes_leaves_every_list_empty(board: Retriever) -> None:
    none = Conditions(filter=Filter(categories=("none such",)))
    assert lists_of(board, ["user-00", "user-01"], count=5, conditions=none) == [[], []]


def test_who_has_seen_more_than_a_search_has_room_for_still_gets_a_full_list(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shop = random_shop(seed=3, users=300, items=600)
    likes = np.argsort(-(shop.user_embeddings @ shop.item_embeddings.T), axis=1)
    histories = [likes[user, : rng.choice([0, 5, 100, 400])].tolist() for user in range(300)]
    shop = replace(shop, histories=histories, available=np.ones(600, bool))
    found = lists_of(retriever_of(publish(shop, tmp_path)), shop.user_ids, count=20)
    for user, one in enumerate(found):
        assert_same(one, brute_force(shop, user, count=20))


def test_an_item_set_that_is_scored_one_by_one_gives_the_same_lists(tmp_path: Path) -> None:
    categories = ["rare" if row % 20 == 0 else "common" for row in range(800)]
    shop = replace(random_shop(seed=5, users=40, items=800), categories=categories)
    retriever = retriever_of(publish(shop, tmp_path))
    conditions = Conditions(filter=Filter(categories=("rare",)))
    assert retriever.items(conditions).few is not None
    only_rare = replace(shop, available=shop.available & (np.array(categories) == "rare"))
    for user, one in enumerate(lists_of(retriever, shop.user_ids, count=12, conditions=conditions)):
        assert_same(one, brute_force(only_rare, user, count=12))


@pytest.mark.parametrize("metric", ["inner_product", "cosine"])
@pytest.mark.parametrize(("factory", "effort"), [("Flat", None), ("SQfp16", None), ("IVF8,Flat", 2), ("HNSW16", 64)])
def test_a_user_gets_in_a_batch_what_the_index_gives_them_alone(
    tmp_path: Path, factory: str, effort: int | None, metric: Literal["inner_product", "cosine"]
) -> None:
    # the more an approximate index must not find, the more effort a lone search takes: so, short histories
    shop = random_shop(seed=11, users=60, items=500)
    shop = replace(shop, histories=[history[:15] for history in shop.histories])
    retriever = retriever_of(publish(shop, tmp_path, factory=factory, metric=metric, search_effort=effort))
    found = lists_of(retriever, shop.user_ids, count=10)
    for user, (user_id, one) in enumerate(zip(shop.user_ids, found, strict=True)):
        alone = retriever.candidates(Asker(user_id=user_id), ANY, count=10).candidates.rows
        scores = shop.item_embeddings[alone] @ shop.user_embeddings[user]
        best = np.lexsort((alone, -scores))
        assert_same(one, [(shop.item_ids[alone[at]], scores[at]) for at in best.tolist()])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    users=st.integers(1, 12),
    items=st.integers(1, 40),
    count=st.integers(1, 50),
    categories=st.sampled_from([(), ("even",), ("even", "odd"), ("none such",)]),
    include_seen=st.booleans(),
    data=st.data(),
)
def test_lists_are_what_brute_force_finds(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    seed: int,
    users: int,
    items: int,
    count: int,
    categories: tuple[str, ...],
    include_seen: bool,
    data: st.DataObject,
) -> None:
    shop = random_shop(seed=seed, users=users, items=items)
    retriever = retriever_of(publish(shop, tmp_path_factory.mktemp("volume")))
    asked = data.draw(st.lists(st.integers(0, users), max_size=20))  # one more than there are: nobody
    conditions = Conditions(filter=Filter(categories=categories), seen=Seen(is_included=include_seen))
    user_ids = [shop.user_ids[user] if user < users else "nobody" for user in asked]
    found = lists_of(retriever, user_ids, count=count, conditions=conditions)
    assert len(found) == len(asked)
    for user, one in zip(asked, found, strict=True):
        expected = brute_force(shop, user, count=count, conditions=conditions) if user < users else []
        assert_same(one, expected)
