"""Events left out by a caller, since a model knows them: the answer is the same as with all of them, or a refusal."""

import random
from pathlib import Path

import numpy as np
import pytest
from live_shop import Did
from tiny_artifact import publish, random_shop, with_als_fold_in

from candidate_gen.retriever import Asker, Conditions, Retrieved, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact.reader import open_artifact
from recsys.errors import EventsOmittedError
from recsys.feature_store.follower import LiveState
from recsys.feature_store.interface import LATEST_EVENTS

SHOP = with_als_fold_in(random_shop(seed=5, users=4, items=40))
UP_TO = 100


@pytest.fixture
def retriever(tmp_path: Path) -> Retriever:
    artifact = open_artifact(publish(SHOP, tmp_path, stream_sequence=UP_TO))
    return Retriever(artifact, live=LiveState(), counts=SourceCounts())


def did(rng: random.Random, *, count: int, items: int) -> list[Did]:
    """Events, most recent first; their places in the stream are nearly in that order, as of events that come late."""
    places = sorted(range(1, 2 * UP_TO), key=lambda place: place + rng.uniform(0, 20), reverse=True)
    return [
        Did(f"item-{rng.randrange(items):05d}", rng.choice(["view", "purchase", "remove"]), place)
        for place in sorted(rng.sample(places, count), key=places.index)
    ]


def without(events: list[Did], after: int) -> list[Did]:
    """As the store leaves them out."""
    return events[:LATEST_EVENTS] + [event for event in events[LATEST_EVENTS:] if event.sequence > after]


def ask(retriever: Retriever, user_id: str, events: list[Did], *, after: int = 0) -> Retrieved:
    asker = Asker(user_id=user_id, events=without(events, after), events_after=after)
    return retriever.candidates(asker, Conditions(), count=5, explain=True)


def test_the_answer_is_the_same_whatever_was_left_out_up_to_the_versions_place(retriever: Retriever) -> None:
    rng, answered = random.Random(0), 0
    for _ in range(300):
        user_id = SHOP.user_ids[rng.randrange(len(SHOP.user_ids))]
        events = did(rng, count=rng.randrange(150), items=rng.choice([2, 10, 60]))
        after = rng.randrange(1, UP_TO + 1)
        expected = ask(retriever, user_id, events)
        try:
            found = ask(retriever, user_id, events, after=after)
        except EventsOmittedError:
            continue
        answered += 1
        assert (found.query.origin, found.matching_items, found.dropped) == (
            expected.query.origin,
            expected.matching_items,
            expected.dropped,
        )
        np.testing.assert_array_equal(found.query.vector, expected.query.vector)
        for name in ("rows", "scores", "sources"):
            np.testing.assert_array_equal(getattr(found.candidates, name), getattr(expected.candidates, name))
    assert answered > 150


@pytest.mark.parametrize(
    ("user_id", "after", "items"),
    [(SHOP.user_ids[1], UP_TO + 1, 40), ("who signed up since", UP_TO, 40), (SHOP.user_ids[1], UP_TO, 2)],
    ids=["a version that was rolled back to", "a user whom the version does not know", "few different items lately"],
)
def test_a_version_that_needs_what_was_left_out_refuses(
    retriever: Retriever, user_id: str, after: int, items: int
) -> None:
    events = did(random.Random(1), count=100, items=items)
    ask(retriever, user_id, events)
    with pytest.raises(EventsOmittedError, match="needs all of them"):
        ask(retriever, user_id, events, after=after)
