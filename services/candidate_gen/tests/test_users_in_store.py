"""A version that holds no users answers, from the histories that come with requests, as one that holds them."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from live_shop import Did, erase
from tiny_artifact import packed_histories_of, publish, random_shop, with_als_fold_in

from candidate_gen import users
from candidate_gen.campaigns.campaigns import Campaign
from candidate_gen.excluded import Seen
from candidate_gen.query.query_vectors import VectorOrigin
from candidate_gen.retriever import Asker, Conditions, Retrieved, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact import layout
from recsys.artifact.reader import open_artifact
from recsys.errors import EventsOmittedError, InvalidArgumentError
from recsys.feature_store.follower import LiveState

SHOP = with_als_fold_in(random_shop(seed=5, users=12, items=60))
UP_TO = 100
HISTORIES = packed_histories_of(SHOP, stream_sequence=UP_TO)
USER = SHOP.user_ids[1]


@pytest.fixture
def live() -> LiveState:
    return LiveState()


@pytest.fixture
def stored(tmp_path: Path, live: LiveState) -> Retriever:
    artifact = open_artifact(publish(SHOP, tmp_path / "stored", stream_sequence=UP_TO))
    return Retriever(artifact, live=live, counts=SourceCounts())


@pytest.fixture
def without(tmp_path: Path, live: LiveState) -> Retriever:
    path = publish(SHOP, tmp_path / "without", stream_sequence=UP_TO, users_in="feature_store")
    retriever = Retriever(open_artifact(path), live=live, counts=SourceCounts())
    retriever.warm()
    return retriever


def ask(retriever: Retriever, user_id: str, *events: Did, seen: Seen = Seen(), after: int = 0) -> Retrieved:  # noqa: B008 # frozen
    asker = Asker(user_id=user_id, events=events, events_after=after, history=HISTORIES.get(user_id, ""))
    return retriever.candidates(asker, Conditions(seen=seen), count=20, explain=True)


def test_its_files_name_no_user_and_are_smaller(stored: Retriever, without: Retriever) -> None:
    of_stored, of_without = (set(each.manifest.files) for each in (stored, without))
    assert of_stored - of_without == set(layout.USER_FILES)
    assert (without.manifest.user_count, len(without.artifact.users)) == (len(SHOP.user_ids), 0)
    sizes = [sum(file.bytes for file in each.manifest.files.values()) for each in (stored, without)]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("seen", [Seen(), Seen(is_included=True), Seen(event_types=["view"])])
def test_lists_are_those_of_stored_vectors_before_and_after_live_events(
    stored: Retriever, without: Retriever, seen: Seen
) -> None:
    rng = random.Random(0)
    for user_id in SHOP.user_ids:
        events = [
            Did(rng.choice(SHOP.item_ids), rng.choice(["view", "purchase", "remove"]), rng.randrange(2 * UP_TO))
            for _ in range(rng.choice([0, 0, 1, 5]))
        ]
        expected, found = (ask(each, user_id, *events, seen=seen) for each in (stored, without))
        np.testing.assert_allclose(found.query.vector, expected.query.vector, rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(found.candidates.rows, expected.candidates.rows)
        np.testing.assert_array_equal(found.candidates.sources, expected.candidates.sources)
        assert (found.matching_items, found.dropped) == (expected.matching_items, expected.dropped)
        folded = VectorOrigin.FOLDED_IN if expected.query.origin is VectorOrigin.TRAINED else expected.query.origin
        assert found.query.origin is folded


def test_who_has_no_history_there_is_a_stranger(without: Retriever) -> None:
    assert ask(without, "nobody").query.origin is VectorOrigin.NONE
    assert ask(without, "nobody", Did(SHOP.item_ids[3])).query.origin is VectorOrigin.FOLDED_IN


def test_events_are_known_up_to_the_place_of_the_history_and_not_of_the_version(without: Retriever) -> None:
    older = packed_histories_of(SHOP, stream_sequence=UP_TO - 50)[USER]

    def vector(history: str, sequence: int) -> list[float]:
        asker = Asker(user_id=USER, events=[Did(SHOP.item_ids[3], sequence=sequence)], history=history)
        return without.candidates(asker, Conditions(), count=5).query.vector.tolist()

    later = vector(HISTORIES[USER], UP_TO + 1)
    assert vector(HISTORIES[USER], UP_TO) == ask(without, USER).query.vector.tolist() != later
    assert vector(older, UP_TO) == later


def test_events_that_the_history_knows_may_be_omitted_and_others_may_not(without: Retriever) -> None:
    latest = [Did(item_id, sequence=1) for item_id in SHOP.item_ids[:16]]
    ask(without, USER, *latest, after=UP_TO)
    for user_id, after in ((USER, UP_TO + 1), ("nobody", UP_TO)):
        with pytest.raises(EventsOmittedError):
            ask(without, user_id, *latest, after=after)


def test_an_erased_user_is_a_stranger_whatever_history_a_gateway_still_sends(
    without: Retriever, live: LiveState
) -> None:
    erase(live, USER, sequence=UP_TO)
    assert ask(without, USER).query.origin is VectorOrigin.FOLDED_IN
    erase(live, USER, sequence=UP_TO + 1)
    found = ask(without, USER)
    assert (found.query.origin, found.matching_items) == (VectorOrigin.NONE, np.count_nonzero(SHOP.available))


def test_the_history_is_told_as_by_a_version_that_holds_it(stored: Retriever, without: Retriever) -> None:
    live_ids = SHOP.item_ids[:5]
    expected, found = (
        users.history(each.artifact, LiveState(), USER, count=3, live_item_ids=live_ids, packed=HISTORIES[USER])
        for each in (stored, without)
    )
    assert found == expected
    assert found is not None
    assert found.total == len(SHOP.histories[1])
    assert users.history(without.artifact, LiveState(), USER, count=3) is None


def campaign(retriever: Retriever) -> object:
    return Campaign(retriever, Conditions(), count=5)


def list_of_users(retriever: Retriever) -> object:
    return users.page(retriever.artifact, LiveState(), prefix="", after_user_id="", page_size=5)


@pytest.mark.parametrize("asked", [campaign, list_of_users])
def test_what_goes_through_all_users_is_refused_with_what_to_do(
    without: Retriever, asked: Callable[[Retriever], object]
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"'v1', whose users are in the feature store.*TRAINER_USERS_IN"):
        asked(without)
