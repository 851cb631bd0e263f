"""What every feature store must do, asked of both."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from store_backends import store_url, valkey_cluster, valkey_container  # noqa: F401 # fixtures

from recsys.errors import InvalidArgumentError
from recsys.feature_store import sqlite_writes, valkey
from recsys.feature_store import valkey_cluster as valkey_cluster_backend
from recsys.feature_store.interface import (
    CLOCKS_APART_MS,
    HALF_LIFE_S,
    RECENT_EVENTS,
    Appended,
    Erasure,
    Event,
    Exposure,
    FeatureStore,
    Merge,
    PackedHistory,
    Profile,
    RecentEvent,
    Subject,
)
from recsys.feature_store.opening import open_store
from recsys.feature_store.sqlite_schema import DAY_MS
from recsys.shop.item import ItemChange

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
ANNA, GUEST = Subject("user", "anna"), Subject("session", "guest")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[FeatureStore]:  # noqa: F811
    opened = open_store(store_url)
    yield opened
    await opened.close()


def event(number: int, item_id: str = "i", *, subject: Subject = ANNA, event_type: str = "view") -> Event:
    """The event of this number, as many milliseconds after NOW_MS."""
    return Event(f"e{number}", subject, item_id, event_type, NOW_MS + number, weight=1.0)


def exposure(
    number: int, *, subject: Subject | None = ANNA, arm: str = "a", items: tuple[str, ...] = ("i",)
) -> Exposure:
    return Exposure(
        f"l{number}", subject, NOW_MS + number, items, (1.0,) * len(items), "v1", "exp", arm, 2.5, request_id="r"
    )


async def test_an_event_comes_back_as_it_was(store: FeatureStore) -> None:
    answer = {"request_id": "r", "position": 3, "list_id": "l"}
    whole = Event("ä|\n", ANNA, "i|\n🛒", "purchase", NOW_MS, 5.0, value=9.99, **answer, quantity=6)
    [appended] = await store.append([whole], now_ms=NOW_MS)
    assert not appended.is_duplicate
    profile = await store.profile(ANNA)
    assert profile.recent == (RecentEvent(appended.sequence, "ä|\n", "i|\n🛒", "purchase", NOW_MS, 6),)
    assert profile.seen == {"purchase": frozenset({"i|\n🛒"})}
    [entry] = await store.read_stream(after_sequence=0, limit=10)
    assert (entry.sequence, entry.entry) == (appended.sequence, whole)


async def test_nobody_is_a_stranger_enough_for_an_error(store: FeatureStore) -> None:
    profile = await store.profile(GUEST)
    assert (profile.subject, profile.recent, dict(profile.seen)) == (GUEST, (), {})
    assert await store.trending(limit=5, now_ms=NOW_MS) == []
    assert await store.texts("documents") == await store.texts("experiment_states") == {}
    assert await store.erasure("anna") is None


async def test_a_repeated_event_id_changes_nothing(store: FeatureStore) -> None:
    [first] = await store.append([event(1)], now_ms=NOW_MS)
    before = await store.trending(limit=5, now_ms=NOW_MS)
    again = await store.append([replace(event(1), item_id="other"), event(2), event(2)], now_ms=NOW_MS)
    assert again[0] == Appended(first.sequence, is_duplicate=True)
    assert [each.is_duplicate for each in again] == [True, False, True]
    assert again[2].sequence == again[1].sequence
    assert len(await store.read_stream(after_sequence=0, limit=9)) == 2
    assert "other" not in {stored.item_id for stored in (await store.profile(ANNA)).recent}
    [after] = await store.trending(limit=5, now_ms=NOW_MS)
    assert after.weight == pytest.approx(2 * before[0].weight, rel=1e-5)


async def test_of_two_with_one_id_in_one_request_the_first_counts_whatever_the_second_says(store: FeatureStore) -> None:
    other = replace(bought(2, "other"), event_id="e1", quantity=3)
    await store.append([bought(1), other], now_ms=NOW_MS)
    profile = await store.profile(ANNA)
    assert ([each.item_id for each in profile.recent], profile.seen) == (["i"], {"purchase": {"i"}})


async def test_writers_at_one_moment_agree_on_who_was_first(store: FeatureStore) -> None:
    outcomes = await asyncio.gather(*(store.append([event(1)], now_ms=NOW_MS) for _ in range(20)))
    assert sorted(one.is_duplicate for [one] in outcomes) == [False, *[True] * 19]
    assert len({one.sequence for [one] in outcomes}) == 1
    assert len(await store.read_stream(after_sequence=0, limit=9)) == 1


async def test_recent_events_are_the_latest_by_time_and_what_was_seen_is_never_forgotten(store: FeatureStore) -> None:
    numbers = [*range(0, 2 * RECENT_EVENTS, 2), *range(1, 2 * RECENT_EVENTS, 2)]
    for start in range(0, len(numbers), 50):
        await store.append([event(n, f"i{n}") for n in numbers[start : start + 50]], now_ms=NOW_MS)
    profile = await store.profile(ANNA)
    latest = [f"e{n}" for n in range(2 * RECENT_EVENTS - 1, RECENT_EVENTS - 1, -1)]
    assert [stored.event_id for stored in profile.recent] == latest
    assert profile.seen["view"] == {f"i{n}" for n in numbers}


@pytest.mark.parametrize(("after", "kept"), [(0, 40), (10, 30), (24, 16), (39, 16), (99, 16)])
async def test_events_up_to_a_place_that_a_model_knows_are_left_out_but_for_the_latest(
    store: FeatureStore, after: int, kept: int
) -> None:
    appended = await store.append([event(n, f"i{n}") for n in range(40)], now_ms=NOW_MS)
    profile = await store.profile(ANNA, after_sequence=appended[0].sequence - 1 + after)
    assert [recent.event_id for recent in profile.recent] == [f"e{n}" for n in range(39, 39 - kept, -1)]
    assert profile.omitted == 40 - kept
    assert profile.seen == {"view": {f"i{n}" for n in range(40)}}


async def test_an_event_that_came_late_is_among_those_after_the_place_and_the_latest_by_time_have_no_gap(
    store: FeatureStore,
) -> None:
    [*_, last] = await store.append([event(n) for n in range(20, 60)], now_ms=NOW_MS)
    await store.append([event(1)], now_ms=NOW_MS)  # of before them
    profile = await store.profile(ANNA, after_sequence=last.sequence)
    assert [recent.event_id for recent in profile.recent] == [*(f"e{n}" for n in range(59, 43, -1)), "e1"]


async def test_of_a_session_no_event_is_left_out_before_it_is_a_users(store: FeatureStore) -> None:
    await store.append([event(n, subject=GUEST) for n in range(40)], now_ms=NOW_MS)
    assert len((await store.profile(GUEST, after_sequence=99)).recent) == 40  # no model knows a session by its id
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    for subject in (GUEST, ANNA):
        assert len((await store.profile(subject, after_sequence=99)).recent) == 16


async def test_had_is_told_by_event_type(store: FeatureStore) -> None:
    await store.append(
        [event(1, "a"), event(2, "b", event_type="cart"), event(3, "a", event_type="cart")], now_ms=NOW_MS
    )
    assert (await store.profile(ANNA)).seen == {"view": {"a"}, "cart": {"a", "b"}}


def bought(number: int, item_id: str = "i", *, subject: Subject = ANNA) -> Event:
    return event(number, item_id, subject=subject, event_type="purchase")


def returned(number: int, item_id: str = "i", *, subject: Subject = ANNA) -> Event:
    return event(number, item_id, subject=subject, event_type="remove")


async def test_a_removal_of_what_was_never_bought_changes_nothing_that_was_seen(store: FeatureStore) -> None:
    await store.append([returned(1, "never"), event(2, "seen"), returned(3, "seen")], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {"view": {"seen"}}
    await store.append([bought(4, "never")], now_ms=NOW_MS)  # the removal came before it
    assert (await store.profile(ANNA)).seen == {"view": {"seen"}, "purchase": {"never"}}


async def test_a_removal_takes_back_one_purchase_and_the_last_one_is_as_if_never_bought(store: FeatureStore) -> None:
    await store.append([event(0), bought(1), bought(2), bought(3), returned(4)], now_ms=NOW_MS)
    await store.append([returned(5)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {"view": {"i"}, "purchase": {"i"}}
    await store.append([returned(6), returned(7)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {"view": {"i"}}


async def test_a_removal_takes_back_as_many_pieces_as_it_says(store: FeatureStore) -> None:
    six, four, five = (replace(made, quantity=n) for made, n in ((bought(1), 6), (returned(2), 4), (returned(4), 5)))
    await store.append([event(0), six, four, returned(3)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {"view": {"i"}, "purchase": {"i"}}
    await store.append([five], now_ms=NOW_MS)  # more than were left
    assert (await store.profile(ANNA)).seen == {"view": {"i"}}
    await store.append([bought(5)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {"view": {"i"}, "purchase": {"i"}}
    assert [each.quantity for each in (await store.profile(ANNA)).recent] == [1, 5, 1, 4, 6, 1]


async def test_pieces_of_a_session_are_its_users(store: FeatureStore) -> None:
    await store.append([replace(bought(1, subject=GUEST), quantity=3), bought(2)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.append([replace(returned(3), quantity=3)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {"purchase": {"i"}}
    await store.append([returned(4)], now_ms=NOW_MS)
    assert not (await store.profile(ANNA)).seen


async def test_purchases_of_a_session_and_of_its_user_are_taken_back_one_by_one(store: FeatureStore) -> None:
    of_guest = [bought(1, subject=GUEST), bought(2, subject=GUEST), bought(3, "other", subject=GUEST)]
    await store.append([*of_guest, bought(4)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.append([returned(5), returned(6, subject=GUEST), returned(7, "other")], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {"purchase": {"i"}}
    await store.append([returned(8)], now_ms=NOW_MS)
    assert not (await store.profile(ANNA)).seen


async def test_a_session_is_forgotten_when_nothing_came_of_it_for_the_days_set(store_url: str) -> None:  # noqa: F811
    store, other = open_store(store_url, session_days=2), Subject("session", "other")
    try:
        await store.append([event(1, subject=GUEST), bought(2, subject=GUEST), event(3, subject=other)], now_ms=NOW_MS)
        await store.append([event(4), event(5, subject=other)], now_ms=NOW_MS + 2 * DAY_MS)
        assert len((await store.profile(GUEST)).recent) == 2  # two days are not over yet
        await store.append([event(6)], now_ms=NOW_MS + 2 * DAY_MS + 1)
        assert await store.profile(GUEST) == Profile(GUEST, recent=(), seen={})
        assert len((await store.profile(other)).recent) == 2
        assert len((await store.profile(ANNA)).recent) == 2
        await store.append([event(7)], now_ms=NOW_MS + 365 * DAY_MS)
        assert (await store.profile(other)).recent == ()
        assert len((await store.profile(ANNA)).recent) == 3  # a user stays until erased
        assert len(await store.read_stream(after_sequence=0, limit=9)) == 7  # the sink has not moved them yet
    finally:
        await store.close()


async def test_sessions_of_an_older_version_which_noted_no_times_are_forgotten_too(
    store_url: str,  # noqa: F811
    request: pytest.FixtureRequest,
) -> None:
    if store_url.startswith("valkey+cluster"):
        pytest.skip("no older version wrote to a cluster")
    shown, merged = Subject("session", "shown"), Subject("session", "merged")
    store = open_store(store_url)
    await store.append([event(1, subject=GUEST), event(2)], now_ms=NOW_MS)
    await store.record_exposures([exposure(3, subject=shown)])
    await store.merge_session("merged", user_id="anna", now_ms=NOW_MS)
    await store.close()
    if store_url.startswith("sqlite"):
        with closing(sqlite3.connect(store_url.removeprefix("sqlite://"))) as connection, connection:
            connection.execute("DROP TABLE session_times")
    else:
        request.getfixturevalue("valkey_container").exec(["valkey-cli", "del", "times:sessions", "times:marking"])

    store = open_store(store_url)
    try:
        await store.append([event(4)], now_ms=NOW_MS + DAY_MS)
        assert len((await store.profile(GUEST)).recent) == 1
        assert (await store.profile(merged)).subject == ANNA
        await store.append([event(5)], now_ms=NOW_MS + 32 * DAY_MS)
        for session in (GUEST, shown, merged):
            assert await store.profile(session) == Profile(session, recent=(), seen={})
        assert len((await store.profile(ANNA)).recent) == 3
    finally:
        await store.close()


async def test_the_arm_of_a_session_that_was_only_shown_lists_goes_with_it(store: FeatureStore) -> None:
    await store.record_exposures([exposure(1, subject=GUEST)])
    assert (await store.profile(GUEST)).arms == {"exp": "a"}
    await store.append([event(2)], now_ms=NOW_MS + 31 * DAY_MS)
    assert await store.profile(GUEST) == Profile(GUEST, recent=(), seen={})


async def test_a_quiet_merged_session_is_nobodys_again_and_its_past_stays_its_users(store: FeatureStore) -> None:
    await store.append([event(1, "a", subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS + 20 * DAY_MS)
    await store.append([event(2, "b")], now_ms=NOW_MS + 40 * DAY_MS)
    assert (await store.profile(GUEST)).subject == ANNA  # counted from the merge
    await store.append([event(3, "c")], now_ms=NOW_MS + 51 * DAY_MS)
    assert (await store.profile(GUEST)).subject == GUEST
    assert (await store.profile(ANNA)).seen == {"view": {"a", "b", "c"}}
    erasure = await store.erase_user("anna", now_ms=NOW_MS + 52 * DAY_MS)
    assert erasure.session_hashes == (sha256(b"guest").hexdigest(),)  # its rows in the lake are anna's


async def test_counters_of_unknown_ids_do_not_pile_up(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in (sqlite_writes, valkey, valkey_cluster_backend):
        monkeypatch.setattr(backend, "MOST_TRENDING", 3)
    heavy = [replace(event(n, f"heavy{n}"), weight=9.0 - n) for n in range(3)]
    junk = [event(n, f"junk{n}") for n in range(3, 1_000)]
    await store.append([*heavy, *junk], now_ms=NOW_MS)
    trending = await store.trending(limit=5_000, now_ms=NOW_MS)
    assert [item.item_id for item in trending] == ["heavy0", "heavy1", "heavy2"]


async def test_a_session_merges_into_its_user_with_its_past_and_its_future(store: FeatureStore) -> None:
    await store.append([event(1, "a", subject=GUEST), event(2, "b", subject=GUEST), event(3, "c")], now_ms=NOW_MS)
    assert await store.merge_session("guest", user_id="anna", now_ms=NOW_MS) == 2
    await store.append([event(4, "d", subject=GUEST)], now_ms=NOW_MS)
    for subject in (ANNA, GUEST):
        profile = await store.profile(subject)
        assert profile.subject == ANNA
        assert [stored.item_id for stored in profile.recent] == ["d", "c", "b", "a"]
        assert profile.seen == {"view": {"a", "b", "c", "d"}}
    assert await store.merge_session("guest", user_id="anna", now_ms=NOW_MS) == 0


async def test_a_history_of_training_is_its_users_until_a_later_one_takes_its_place(store: FeatureStore) -> None:
    assert await store.write_histories([PackedHistory("anna", 5, "five | ä\0"), PackedHistory("ben", 5, "his")]) == 2
    assert (await store.profile(ANNA)).history == "five | ä\0"
    assert (await store.profile(GUEST)).history == ""
    assert await store.write_histories([PackedHistory("anna", 4, "four"), PackedHistory("ben", 5, "again")]) == 1
    assert [(await store.profile(Subject("user", who))).history for who in ("anna", "ben")] == ["five | ä\0", "again"]
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    assert (await store.profile(GUEST)).history == "five | ä\0"
    assert await store.write_histories([PackedHistory(f"user-{n}", 6, "x") for n in range(120)]) == 120
    assert (await store.profile(Subject("user", "user-119"))).history == "x"


async def test_a_history_goes_with_its_user_and_comes_back_only_of_a_training_that_knew_the_erasure(
    store: FeatureStore,
) -> None:
    await store.write_histories([PackedHistory("anna", 0, "before")])
    erasure = await store.erase_user("anna", now_ms=NOW_MS)
    assert erasure.store_entries == 1
    assert (await store.profile(ANNA)).history == ""
    assert await store.write_histories([PackedHistory("anna", erasure.sequence - 1, "read before it")]) == 0
    assert (await store.profile(ANNA)).history == ""
    assert await store.write_histories([PackedHistory("anna", erasure.sequence, "since")]) == 1
    assert (await store.profile(ANNA)).history == "since"


async def test_a_session_that_gets_another_user_starts_afresh_for_that_one(store: FeatureStore) -> None:
    await store.append([event(1, "a", subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    assert await store.merge_session("guest", user_id="ben", now_ms=NOW_MS) == 0
    await store.append([event(2, "b", subject=GUEST)], now_ms=NOW_MS)
    assert [s.item_id for s in (await store.profile(ANNA)).recent] == ["a"]
    assert [s.item_id for s in (await store.profile(Subject("user", "ben"))).recent] == ["b"]


async def test_a_counter_halves_with_every_half_life(store: FeatureStore) -> None:
    later_ms = NOW_MS + HALF_LIFE_S * 1000
    await store.append([replace(event(0, "old"), weight=8.0)], now_ms=NOW_MS)
    await store.append([replace(event(1, "new"), unix_ms=later_ms, weight=3.0)], now_ms=later_ms)
    await store.append([replace(event(2, "none"), weight=0.0)], now_ms=later_ms)
    trending = await store.trending(limit=5, now_ms=later_ms + HALF_LIFE_S * 1000)
    assert [(item.item_id, pytest.approx(item.weight)) for item in trending] == [("old", 2.0), ("new", 1.5)]
    assert [item.item_id for item in await store.trending(limit=1, now_ms=later_ms)] == ["old"]


async def test_counters_outlive_many_half_lives_and_equal_ones_come_by_id(store: FeatureStore) -> None:
    far_ms = NOW_MS + 5_000 * HALF_LIFE_S * 1000
    await store.append([event(0, "old")], now_ms=NOW_MS)
    await store.append([replace(event(n, item), unix_ms=far_ms) for n, item in ((1, "b"), (2, "a"))], now_ms=far_ms)
    trending = await store.trending(limit=5, now_ms=far_ms)
    assert [(item.item_id, pytest.approx(item.weight)) for item in trending] == [("a", 1.0), ("b", 1.0)]


async def test_items_are_put_patched_and_deleted(store: FeatureStore) -> None:
    [patched] = await store.change_items([ItemChange("i", "patch", {"available": False})], now_ms=1)
    assert (patched.is_whole, patched.is_deleted, patched.fields) == (False, False, {"available": False})
    [again] = await store.change_items([ItemChange("i", "patch", {"price": 2.5})], now_ms=2)
    assert (again.fields, again.created_ms, again.updated_ms) == ({"available": False, "price": 2.5}, 1, 2)
    [put] = await store.change_items([ItemChange("i", "put", {"title": "T"})], now_ms=3)
    assert (put.is_whole, put.fields) == (True, {"title": "T"})
    [deleted] = await store.change_items([ItemChange("i", "delete")], now_ms=4)
    assert (deleted.is_deleted, deleted.fields) == (True, {})
    [back] = await store.change_items([ItemChange("i", "put", {"title": "U"})], now_ms=5)
    assert (back.is_deleted, back.is_whole, back.fields, back.created_ms) == (False, True, {"title": "U"}, 5)
    assert await store.item_changes(after_sequence=0, limit=10) == [back]


async def test_a_follower_reads_changes_page_by_page_and_a_changed_record_moves_to_the_end(store: FeatureStore) -> None:
    await store.change_items([ItemChange(f"i{n}", "put", {"title": str(n)}) for n in range(5)], now_ms=1)
    first = await store.item_changes(after_sequence=0, limit=2)
    await store.change_items([ItemChange("i0", "patch", {"price": 1.0})], now_ms=2)
    rest = await store.item_changes(after_sequence=first[-1].sequence, limit=10)
    assert [record.item_id for record in first] == ["i0", "i1"]
    assert [record.item_id for record in rest] == ["i2", "i3", "i4", "i0"]
    assert rest[-1].fields == {"title": "0", "price": 1.0}


async def test_changes_of_one_item_at_one_moment_are_all_there_in_the_end(store: FeatureStore) -> None:
    patches = [ItemChange("i", "patch", {f"attributes.{n}": "x"}) for n in range(10)]
    await asyncio.gather(*(store.change_items([patch], now_ms=1) for patch in patches))
    [record] = await store.item_changes(after_sequence=0, limit=10)
    assert record.fields == {f"attributes.{n}": "x" for n in range(10)}


async def test_an_erased_user_leaves_no_trace_but_the_erasure(store: FeatureStore) -> None:
    await store.append([event(1, subject=GUEST), event(2), event(3, subject=Subject("user", "ben"))], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.record_exposures([exposure(1), exposure(2, subject=Subject("user", "ben"))])
    erasure = await store.erase_user("anna", now_ms=NOW_MS + 9)
    assert erasure.user_hash == sha256(b"anna").hexdigest()
    assert erasure.session_hashes == (sha256(b"guest").hexdigest(),)
    assert erasure.store_entries > 0
    for subject in (ANNA, GUEST):
        assert (await store.profile(subject)).recent == ()
        assert not (await store.profile(subject)).seen
    left = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=99)]
    assert [one.subject for one in left if isinstance(one, Event | Exposure)] == [Subject("user", "ben")] * 2
    assert not [one for one in left if isinstance(one, Merge)]
    assert [one for one in left if isinstance(one, Erasure)] == [erasure]
    assert (await store.profile(ANNA)).arms == {}
    assert await store.erasures() == [erasure]
    assert await store.erasures(after_sequence=erasure.sequence) == []


async def test_what_an_erased_user_does_afterwards_is_new_and_stays(store: FeatureStore) -> None:
    await store.append([event(1, "a")], now_ms=NOW_MS)
    erasure = await store.erase_user("anna", now_ms=NOW_MS)
    [appended] = await store.append([event(2, "b")], now_ms=NOW_MS)
    assert appended.sequence > erasure.sequence
    assert (await store.profile(ANNA)).seen == {"view": {"b"}}
    await store.note_lake_erasure(erasure.user_hash, lake_rows=7, now_ms=NOW_MS + 1)
    noted = replace(erasure, lake_rows=7, lake_erased_ms=NOW_MS + 1)
    assert await store.erasure("anna") == noted


async def test_what_a_session_did_before_its_first_user_goes_with_that_user_and_no_other(store: FeatureStore) -> None:
    await store.append([event(1, subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.merge_session("guest", user_id="ben", now_ms=NOW_MS)
    await store.append([event(2, subject=GUEST)], now_ms=NOW_MS)
    of_ben = await store.erase_user("ben", now_ms=NOW_MS)
    assert of_ben.session_hashes == ()
    left = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=9)]
    assert left == [event(1, subject=GUEST), Merge("guest", "anna", NOW_MS), of_ben]
    assert (await store.profile(GUEST)).subject == GUEST  # ben's trace in the session is gone too
    of_anna = await store.erase_user("anna", now_ms=NOW_MS)
    assert of_anna.session_hashes == (sha256(b"guest").hexdigest(),)
    assert [entry.entry for entry in await store.read_stream(after_sequence=0, limit=9)] == [of_ben, of_anna]


async def test_an_erased_first_user_of_a_session_leaves_it_to_the_present_one(store: FeatureStore) -> None:
    await store.append([event(1, "a", subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.merge_session("guest", user_id="ben", now_ms=NOW_MS)
    await store.erase_user("anna", now_ms=NOW_MS)
    await store.append([event(2, "b", subject=GUEST)], now_ms=NOW_MS)
    assert (await store.profile(Subject("user", "ben"))).seen == {"view": {"b"}}


async def test_a_user_erased_twice_has_both_erasures_and_the_later_one_is_told(store: FeatureStore) -> None:
    first = await store.erase_user("anna", now_ms=NOW_MS)
    other = await store.erase_user("ben", now_ms=NOW_MS)
    second = await store.erase_user("anna", now_ms=NOW_MS + 1)
    assert await store.erasures() == [first, other, second]
    assert await store.erasures(after_sequence=first.sequence) == [other, second]
    assert await store.erasure("anna") == second
    await store.note_lake_erasure(first.user_hash, lake_rows=3, now_ms=NOW_MS + 2)
    assert [one.lake_rows for one in await store.erasures()] == [3, None, 3]


async def test_an_event_from_years_ahead_leaves_counters_that_can_be_read(store: FeatureStore) -> None:
    ahead_ms = NOW_MS + 3 * 365 * 86_400_000
    await store.append([replace(event(1, "early"), unix_ms=ahead_ms)], now_ms=NOW_MS)
    [item] = await store.trending(limit=5, now_ms=NOW_MS)
    assert item.item_id == "early"


async def test_the_stream_is_read_in_order_and_trimmed_while_the_rest_stays(store: FeatureStore) -> None:
    appended = await store.append([event(n, f"i{n}") for n in range(5)], now_ms=NOW_MS)
    sequences = [one.sequence for one in appended]
    assert sequences == sorted(set(sequences))
    assert await store.stream_end() == sequences[-1]
    page = await store.read_stream(after_sequence=sequences[0], limit=2)
    assert [entry.sequence for entry in page] == sequences[1:3]
    assert await store.trim_stream(up_to_sequence=sequences[2]) == 3
    assert [entry.sequence for entry in await store.read_stream(after_sequence=0, limit=9)] == sequences[3:]
    assert len((await store.profile(ANNA)).recent) == 5
    await store.trim_stream(up_to_sequence=sequences[-1])
    assert await store.stream_end() == sequences[-1]
    [later] = await store.append([event(9)], now_ms=NOW_MS)
    assert later.sequence > sequences[-1]


async def test_an_exposure_comes_back_from_the_stream_as_it_was(store: FeatureStore) -> None:
    plain = replace(exposure(1, subject=None), experiment=None, arm=None)
    of_nobody = exposure(2, subject=None, items=())
    await store.record_exposures([plain, of_nobody, exposure(3)])
    await store.record_exposures([])
    stream = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=9)]
    assert stream == [plain, of_nobody, exposure(3)]
    assert (await store.profile(ANNA)).arms == {"exp": "a"}


async def test_two_lists_of_one_request_are_two_exposures(store: FeatureStore) -> None:
    both = [exposure(1), exposure(2)]
    assert {one.request_id for one in both} == {"r"}
    await store.record_exposures(both)
    assert [entry.entry for entry in await store.read_stream(after_sequence=0, limit=9)] == both


async def test_the_arm_of_the_first_exposure_stays(store: FeatureStore) -> None:
    await store.record_exposures([exposure(1, arm="a"), exposure(2, arm="b")])
    await store.record_exposures([replace(exposure(3, arm="c"), experiment="other")])
    assert (await store.profile(ANNA)).arms == {"exp": "a", "other": "c"}
    await store.record_exposures([exposure(0, arm="b")])  # which another gateway has written later
    assert (await store.profile(ANNA)).arms == {"exp": "b", "other": "c"}


@pytest.mark.parametrize(("of_guest", "of_anna", "kept"), [(1, 2, "guests"), (2, 1, "annas"), (1, None, "guests")])
async def test_an_arm_goes_with_its_session_to_the_user_and_the_earlier_of_two_stays(
    store: FeatureStore, of_guest: int, of_anna: int | None, kept: str
) -> None:
    await store.record_exposures([exposure(of_guest, subject=GUEST, arm="guests")])
    if of_anna is not None:
        await store.record_exposures([exposure(of_anna, arm="annas")])
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    for subject in (ANNA, GUEST):
        assert (await store.profile(subject)).arms == {"exp": kept}


async def test_a_list_that_was_shown_to_a_session_before_its_merge_and_written_after_it_is_the_users(
    store: FeatureStore,
) -> None:
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.record_exposures([exposure(1, subject=GUEST)])
    [_, entry] = await store.read_stream(after_sequence=0, limit=9)
    assert entry.entry == exposure(1)
    assert (await store.profile(ANNA)).arms == {"exp": "a"}


async def test_a_merge_is_an_entry_of_the_stream_once(store: FeatureStore) -> None:
    for user_id, now_ms in (("anna", 1), ("anna", 2), ("ben", 3)):
        await store.merge_session("guest", user_id=user_id, now_ms=now_ms)
    stream = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=9)]
    assert stream == [Merge("guest", "anna", 1), Merge("guest", "ben", 3)]


async def test_a_list_that_waited_in_another_gateway_while_its_user_was_erased_is_not_written(
    store: FeatureStore,
) -> None:
    await store.append([event(1, subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    erasure = await store.erase_user("anna", now_ms=NOW_MS + 2)
    other = exposure(1, subject=Subject("user", "ben"))
    later = replace(exposure(4), unix_ms=NOW_MS + 3 + CLOCKS_APART_MS)
    ahead = replace(exposure(3), unix_ms=NOW_MS + 2 + CLOCKS_APART_MS)  # by a clock that is so far ahead
    await store.record_exposures([exposure(1), exposure(2, subject=GUEST), ahead, other, later])
    stream = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=9)]
    assert stream == [erasure, other, later]


async def test_a_text_is_kept_by_its_kind_in_place_of_the_one_before(store: FeatureStore) -> None:
    for text in ("old", "new ä"):
        await store.write_text("documents", "sums", text)
    await store.write_text("experiment_states", "exp", "[]")
    await store.write_text("experiment_states", "other", "[1]")
    await store.write_text("rules", "saved", "{}")
    assert await store.texts("documents") == {"sums": "new ä"}
    assert await store.texts("experiment_states") == {"exp": "[]", "other": "[1]"}
    assert await store.texts("rules") == {"saved": "{}"}


async def test_another_opener_sees_what_was_written(store: FeatureStore, store_url: str) -> None:  # noqa: F811
    await store.append([event(1)], now_ms=NOW_MS)
    other = open_store(store_url)
    try:
        assert len((await other.profile(ANNA)).recent) == 1
    finally:
        await other.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "valkey+cluster://host:7000/1",
        "mysql://x/y",
        "sqlite://relative.db",
        "valkey:///0",
        "sqlite:///a#1.db",
        "sqlite:///a?1.db",
    ],
)
def test_another_kind_of_address_is_refused_with_what_was_expected(url: str) -> None:
    with pytest.raises(InvalidArgumentError, match="expected sqlite:///path, valkey://host:port/0 or valkey"):
        open_store(url)


async def test_files_whose_names_have_signs_of_a_url_are_two_stores(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("shop#1.csv", "shop#2.csv", "shop?1", "50%23 off", "ä ü")]
    for number, path in enumerate(paths):
        store = open_store(f"sqlite://{quote(str(path))}")
        assert await store.read_stream(after_sequence=0, limit=9) == []
        await store.append([event(number)], now_ms=NOW_MS)
        await store.close()
    assert all(path.is_file() for path in paths)


def test_a_path_that_would_be_cut_is_refused_with_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="write # as %23"):
        open_store(f"sqlite://{tmp_path}/shop#1.db")
    assert not list(tmp_path.iterdir())
