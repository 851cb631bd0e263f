"""Each source against known answers, on the checkerboard: even users and items like each other, and so do odd ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import Did, change, record, set_trending
from tiny_artifact import Shop, checkerboard, publish

from candidate_gen.candidates import Candidates
from candidate_gen.excluded import Seen
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.filter import Filter
from recsys.shop.sources import Source

ANY = Conditions()
NOBODY = Asker()


def without_vectors(shop: Shop, *rows: int) -> Shop:
    """The shop with items that no event of the training touched."""
    vectors = shop.item_embeddings.copy()
    vectors[list(rows)] = 0
    return replace(shop, item_embeddings=vectors)


@pytest.fixture
def live() -> LiveState:
    return LiveState()


def retriever_of(shop: Shop, folder: Path, live: LiveState) -> Retriever:
    counts = SourceCounts(session=2, popular=3, trending=2, new=2)
    return Retriever(open_artifact(publish(shop, folder)), live=live, counts=counts)


@pytest.fixture
def board(tmp_path: Path, live: LiveState) -> Retriever:
    return retriever_of(checkerboard(), tmp_path, live)


def ids_by(source: Source, found: Candidates, retriever: Retriever) -> list[str]:
    """What a source proposed, best first."""
    items = retriever.artifact.items
    rows = [row for each in found.lists if each.source is source for row, _ in each.ranked]
    return [items.id_of(row) if row < len(items) else found.new_item_ids[row - len(items)] for row in rows]


def ask(
    retriever: Retriever, source: Source, *, asker: Asker = NOBODY, conditions: Conditions = ANY, count: int = 1
) -> list[str]:
    found = retriever.candidates(asker, conditions, count=count, explain=True).candidates
    return ids_by(source, found, retriever)


def test_session_neighbours_are_like_the_three_most_recent_items(tmp_path: Path, live: LiveState) -> None:
    angles = np.radians(np.arange(0, 120, 10))  # the nearest neighbours of an item are those beside it
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    ring = retriever_of(replace(checkerboard(), item_embeddings=vectors), tmp_path, live)
    events = [Did("item-05", "view"), Did("item-05", "cart"), Did("item-01", "view"), Did("item-09", "remove")]
    assert sorted(ask(ring, Source.SESSION, asker=Asker(events=events))) == ["item-00", "item-02", "item-04", "item-06"]

    of_four = Asker(events=[Did(f"item-{row:02d}", "view") for row in (11, 8, 5, 2)])
    assert "item-01" not in ask(ring, Source.SESSION, asker=of_four)
    assert sorted(ask(ring, Source.SESSION, asker=Asker(basket_item_ids=["item-05"]))) == ["item-04", "item-06"]
    assert ask(ring, Source.SESSION, asker=Asker(events=[Did("stranger", "view")])) == []


def test_an_item_without_a_vector_has_no_neighbours_and_is_nobodys(tmp_path: Path, live: LiveState) -> None:
    board = retriever_of(without_vectors(checkerboard(), 2, 4, 6), tmp_path, live)
    assert ask(board, Source.SESSION, asker=Asker(events=[Did("item-02", "view")])) == []
    assert sorted(ask(board, Source.SESSION, asker=Asker(events=[Did("item-00", "view")]))) == ["item-08", "item-10"]


def test_popular_items_stand_by_popularity_and_pass_the_filter(board: Retriever) -> None:
    assert ask(board, Source.POPULAR) == ["item-11", "item-10", "item-09"]
    assert ask(board, Source.POPULAR, count=5)[3:] == ["item-08", "item-07"]  # for nobody they fill the page
    even = Conditions(filter=Filter(categories=("even",)), exclude_item_ids=["item-10"])
    assert ask(board, Source.POPULAR, conditions=even) == ["item-08", "item-06", "item-04"]


def test_what_trends_stands_before_what_is_popular_and_each_item_once(board: Retriever, live: LiveState) -> None:
    change(live, record("fresh", is_whole=True, category="even"), record("item-10", available=False))
    set_trending(live, {"item-03": 9, "fresh": 8, "item-08": 7, "item-10": 6})

    def listed(conditions: Conditions) -> list[tuple[str, int]]:
        found = board.popular(conditions, count=3, trending=True)
        items = board.artifact.items
        ids = [items.id_of(row) if row < len(items) else found.new_item_ids[row - len(items)] for row in found.rows]
        return list(zip(ids, found.sources.tolist(), strict=True))

    trending, popular = 1 << Source.TRENDING, 1 << Source.POPULAR
    assert listed(Conditions(filter=Filter(categories=("even",)))) == [
        ("fresh", trending),
        ("item-08", trending | popular),
        ("item-06", popular),
        ("item-04", popular),
    ]
    assert [item_id for item_id, _ in listed(ANY)] == ["item-03", "fresh", "item-08", "item-11", "item-09"]
    assert all(bits == popular for _, bits in listed(ANY)[3:])


def test_trending_items_stand_by_weight_within_the_filter(board: Retriever, live: LiveState) -> None:
    assert ask(board, Source.TRENDING) == []
    set_trending(live, {"item-03": 9, "item-02": 8, "stranger": 7, "item-05": 6, "item-04": 5})
    assert ask(board, Source.TRENDING) == ["item-03", "item-02"]
    even = Conditions(filter=Filter(categories=("even",)))
    assert ask(board, Source.TRENDING, conditions=even) == ["item-02", "item-04"]
    set_trending(live, {"item-05": 9, "item-02": 8})
    assert ask(board, Source.TRENDING) == ["item-05", "item-02"]


def test_an_item_that_the_shop_added_is_proposed_as_new_and_when_it_trends(board: Retriever, live: LiveState) -> None:
    assert ask(board, Source.NEW) == []
    set_trending(live, {"fresh": 9, "item-02": 8, "gone": 7})
    change(
        live,
        record("fresh", is_whole=True, created_ms=2, category="even"),
        record("fresher", is_whole=True, created_ms=3, category="odd"),
        record("gone", is_whole=True, is_deleted=True),
        record("off", is_whole=True, available=False),
    )
    assert ask(board, Source.NEW) == ["fresher", "fresh"]
    assert ask(board, Source.TRENDING) == ["fresh", "item-02"]
    found = board.candidates(NOBODY, ANY, count=1)
    fresh = found.candidates.rows.tolist().index(12 + found.candidates.new_item_ids.index("fresh"))
    assert found.candidates.sources[fresh] == 1 << Source.NEW | 1 << Source.TRENDING
    assert found.matching_items == 12 + 2
    even = Conditions(filter=Filter(categories=("even",)))
    assert ask(board, Source.NEW, conditions=even) == ["fresh"]
    assert ask(board, Source.NEW, conditions=Conditions(seen=Seen(item_ids=["fresher"]))) == ["fresh"]


def test_items_that_no_training_touched_are_new_and_each_user_begins_elsewhere(tmp_path: Path, live: LiveState) -> None:
    board = retriever_of(without_vectors(checkerboard(items=40), *range(30, 40)), tmp_path, live)
    assert ask(board, Source.NEW) == ["item-30", "item-31"]
    of_users = [ask(board, Source.NEW, asker=Asker(user_id=f"visitor-{n}")) for n in range(60)]
    assert of_users[0] == ask(board, Source.NEW, asker=Asker(user_id="visitor-0"))
    assert {item_id for two in of_users for item_id in two} == {f"item-{row}" for row in range(30, 40)}


def test_new_items_fill_a_page_that_the_model_cannot_fill(board: Retriever, live: LiveState) -> None:
    change(live, *[record(f"new-{n}", is_whole=True, category="lamps") for n in range(9)])
    lamps = Conditions(filter=Filter(categories=("lamps",)))
    found = board.candidates(Asker(user_id="user-00"), lamps, count=7)
    assert len(found.candidates.rows) == 7
    assert found.matching_items == 9


def test_the_personal_list_comes_first_and_then_what_the_others_add(board: Retriever, live: LiveState) -> None:
    set_trending(live, {"item-01": 5})
    events = [Did("item-02", "view", sequence=0)]  # of before the training: the trained embedding stays
    found = board.candidates(
        Asker(user_id="user-00", events=events), Conditions(seen=Seen(is_included=True)), count=2
    ).candidates
    ids = [board.artifact.items.id_of(row) for row in found.rows]
    assert ids[:2] == ["item-00", "item-02"]
    assert ids[-1] == "item-01"
    assert found.lists == []


def test_an_item_taken_off_sale_is_gone_at_once_and_comes_back(board: Retriever, live: LiveState) -> None:
    def first() -> str:
        found = board.candidates(Asker(user_id="user-00"), Conditions(seen=Seen(is_included=True)), count=1).candidates
        return board.artifact.items.id_of(int(found.rows[0]))

    assert first() == "item-00"
    change(live, record("item-00", available=False))
    assert first() == "item-02"
    change(live, record("item-00", available=True))
    assert first() == "item-00"
