"""Histories, and pages of users."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_shop import erase
from tiny_artifact import FIRST_EVENT_UNIX_S, checkerboard, publish

from candidate_gen import users
from recsys.artifact.reader import Artifact, open_artifact
from recsys.feature_store.follower import LiveState

USER_IDS = ["a", "ab", "ab/c", "b", "ü1", "ü2"]


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return open_artifact(publish(replace(checkerboard(), user_ids=USER_IDS), tmp_path))


def listed(artifact: Artifact, *, prefix: str = "", after: str = "", page_size: int = 10) -> tuple[list[str], bool]:
    page = users.page(artifact, LiveState(), prefix=prefix, after_user_id=after, page_size=page_size)
    return [user.user_id for user in page.users], page.has_more


def test_a_history_is_most_recent_first_and_says_how_long_it_is(artifact: Artifact) -> None:
    history = users.history(artifact, LiveState(), "b", count=2)
    assert history is not None
    assert history.items == [
        users.SeenItem(item_id="item-01", event_type="purchase", unix_s=FIRST_EVENT_UNIX_S),
        users.SeenItem(item_id="item-05", event_type="purchase", unix_s=FIRST_EVENT_UNIX_S - 1),
    ]
    assert history.total == 5


def test_a_history_says_how_many_of_the_live_items_it_has_too(artifact: Artifact) -> None:
    live = ["item-01", "item-01", "item-05", "item-00", "not-in-the-catalogue"]
    history = users.history(artifact, LiveState(), "b", count=1, live_item_ids=live)
    assert history is not None
    assert history.known_live_items == 2


def test_an_unknown_user_has_no_history(artifact: Artifact) -> None:
    assert users.history(artifact, LiveState(), "nobody", count=2) is None


def test_pages_hold_every_user_once(artifact: Artifact) -> None:
    assert listed(artifact, page_size=4) == (["a", "ab", "ab/c", "b"], True)
    assert listed(artifact, after="b", page_size=4) == (["ü1", "ü2"], False)


def test_a_prefix_restricts_also_from_a_cursor_before_it(artifact: Artifact) -> None:
    assert listed(artifact, prefix="ab") == (["ab", "ab/c"], False)
    assert listed(artifact, prefix="ab", page_size=1) == (["ab"], True)
    assert listed(artifact, prefix="ab", after="ab", page_size=1) == (["ab/c"], False)
    assert listed(artifact, prefix="ü", after="a") == (["ü1", "ü2"], False)
    assert listed(artifact, prefix="zz") == ([], False)


def test_users_say_how_many_items_they_have_seen(artifact: Artifact) -> None:
    page = users.page(artifact, LiveState(), prefix="", after_user_id="", page_size=1)
    assert page.users == [users.User(user_id="a", history_size=5)]


def test_a_model_without_users_has_an_empty_page(tmp_path: Path) -> None:
    nobody = replace(checkerboard(users=0), user_embeddings=np.zeros((0, 2), np.float32))
    assert listed(open_artifact(publish(nobody, tmp_path))) == ([], False)


def test_an_erased_user_is_in_no_page_and_has_no_history(artifact: Artifact) -> None:
    live = LiveState()
    erase(live, "ab")
    assert users.history(artifact, live, "ab", count=2) is None
    page = users.page(artifact, live, prefix="", after_user_id="", page_size=2)
    assert ([user.user_id for user in page.users], page.has_more) == (["a", "ab/c"], True)
    assert users.page(artifact, live, prefix="ab", after_user_id="ab/c", page_size=1).has_more is False


def test_a_version_trained_after_the_erasure_shows_who_came_back(tmp_path: Path) -> None:
    artifact = open_artifact(publish(replace(checkerboard(), user_ids=USER_IDS), tmp_path, stream_sequence=7))
    live = LiveState()
    erase(live, "ab", sequence=7)
    assert users.history(artifact, live, "ab", count=2) is not None
    page = users.page(artifact, live, prefix="", after_user_id="", page_size=2)
    assert [user.user_id for user in page.users] == ["a", "ab"]
