"""What every feature store must do, asked of both."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from store_backends import store_url, valkey_container  # noqa: F401 # fixtures

from recsys.errors import InvalidArgumentError
from recsys.feature_store.interface import (
    HALF_LIFE_S,
    RECENT_EVENTS,
    Appended,
    ArmTotals,
    Erasure,
    Event,
    ExperimentState,
    Exposure,
    FeatureStore,
    ItemChange,
    Subject,
)
from recsys.feature_store.opening import open_store, sqlite_url

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
ANNA, GUEST = Subject("user", "anna"), Subject("session", "guest")
HALF_LIFE_MS = HALF_LIFE_S * 1000


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
        f"r{number}", subject, NOW_MS + number, items, (1.0,) * len(items), "v1", "exp", arm, latency_ms=2.5
    )


async def test_an_event_comes_back_as_it_was(store: FeatureStore) -> None:
    whole = Event("ä|\n", ANNA, "i|\n🛒", "purchase", NOW_MS, 5.0, value=9.99, request_id="r", position=3)
    [appended] = await store.append([whole], now_ms=NOW_MS)
    assert not appended.is_duplicate
    profile = await store.profile(ANNA)
    assert [(stored.sequence, stored.event) for stored in profile.recent] == [(appended.sequence, whole)]
    assert profile.had == {"purchase": frozenset({"i|\n🛒"})}
    [entry] = await store.read_stream(after_sequence=0, limit=10)
    assert (entry.sequence, entry.entry) == (appended.sequence, whole)


async def test_nobody_is_a_stranger_enough_for_an_error(store: FeatureStore) -> None:
    profile = await store.profile(GUEST)
    assert (profile.subject, profile.recent, dict(profile.had)) == (GUEST, (), {})
    assert await store.trending(limit=5, now_ms=NOW_MS) == []
    assert await store.experiment_totals("nothing") == {}
    assert await store.erasure("anna") is None


async def test_a_repeated_event_id_changes_nothing(store: FeatureStore) -> None:
    [first] = await store.append([event(1)], now_ms=NOW_MS)
    before = await store.trending(limit=5, now_ms=NOW_MS)
    again = await store.append([replace(event(1), item_id="other"), event(2), event(2)], now_ms=NOW_MS)
    assert again[0] == Appended(first.sequence, is_duplicate=True)
    assert [each.is_duplicate for each in again] == [True, False, True]
    assert again[2].sequence == again[1].sequence
    assert len(await store.read_stream(after_sequence=0, limit=10)) == 2
    assert "other" not in {stored.event.item_id for stored in (await store.profile(ANNA)).recent}
    [after] = await store.trending(limit=5, now_ms=NOW_MS)
    assert after.weight == pytest.approx(2 * before[0].weight, rel=1e-5)


async def test_writers_at_one_moment_agree_on_who_was_first(store: FeatureStore) -> None:
    outcomes = await asyncio.gather(*(store.append([event(1)], now_ms=NOW_MS) for _ in range(20)))
    assert sorted(one.is_duplicate for [one] in outcomes) == [False, *[True] * 19]
    assert len({one.sequence for [one] in outcomes}) == 1
    assert len(await store.read_stream(after_sequence=0, limit=10)) == 1


async def test_recent_events_are_the_latest_by_time_and_what_was_had_is_never_forgotten(store: FeatureStore) -> None:
    numbers = [*range(0, 2 * RECENT_EVENTS, 2), *range(1, 2 * RECENT_EVENTS, 2)]
    for start in range(0, len(numbers), 50):
        await store.append([event(n, f"i{n}") for n in numbers[start : start + 50]], now_ms=NOW_MS)
    profile = await store.profile(ANNA)
    latest = [f"e{n}" for n in range(2 * RECENT_EVENTS - 1, RECENT_EVENTS - 1, -1)]
    assert [stored.event.event_id for stored in profile.recent] == latest
    assert profile.had["view"] == {f"i{n}" for n in numbers}


async def test_had_is_told_by_event_type(store: FeatureStore) -> None:
    await store.append(
        [event(1, "a"), event(2, "b", event_type="cart"), event(3, "a", event_type="cart")], now_ms=NOW_MS
    )
    assert (await store.profile(ANNA)).had == {"view": {"a"}, "cart": {"a", "b"}}


async def test_a_session_merges_into_its_user_with_its_past_and_its_future(store: FeatureStore) -> None:
    await store.append([event(1, "a", subject=GUEST), event(2, "b", subject=GUEST), event(3, "c")], now_ms=NOW_MS)
    assert await store.merge_session("guest", user_id="anna", now_ms=NOW_MS) == 2
    await store.append([event(4, "d", subject=GUEST)], now_ms=NOW_MS)
    for subject in (ANNA, GUEST):
        profile = await store.profile(subject)
        assert profile.subject == ANNA
        assert [stored.event.item_id for stored in profile.recent] == ["d", "c", "b", "a"]
        assert profile.had == {"view": {"a", "b", "c", "d"}}
    assert await store.merge_session("guest", user_id="anna", now_ms=NOW_MS) == 0


async def test_a_session_that_gets_another_user_starts_afresh_for_that_one(store: FeatureStore) -> None:
    await store.append([event(1, "a", subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    assert await store.merge_session("guest", user_id="ben", now_ms=NOW_MS) == 0
    await store.append([event(2, "b", subject=GUEST)], now_ms=NOW_MS)
    assert [s.event.item_id for s in (await store.profile(ANNA)).recent] == ["a"]
    assert [s.event.item_id for s in (await store.profile(Subject("user", "ben"))).recent] == ["b"]


async def test_a_counter_halves_with_every_half_life(store: FeatureStore) -> None:
    later_ms = NOW_MS + HALF_LIFE_MS
    await store.append([replace(event(0, "old"), weight=8.0)], now_ms=NOW_MS)
    await store.append([replace(event(1, "new"), unix_ms=later_ms, weight=3.0)], now_ms=later_ms)
    await store.append([replace(event(2, "none"), weight=0.0)], now_ms=later_ms)
    trending = await store.trending(limit=5, now_ms=later_ms + HALF_LIFE_MS)
    assert [(item.item_id, pytest.approx(item.weight)) for item in trending] == [("old", 2.0), ("new", 1.5)]
    assert [item.item_id for item in await store.trending(limit=1, now_ms=later_ms)] == ["old"]


async def test_counters_outlive_many_half_lives_and_equal_ones_come_by_id(store: FeatureStore) -> None:
    far_ms = NOW_MS + 5_000 * HALF_LIFE_MS
    await store.append([event(0, "old")], now_ms=NOW_MS)
    await store.append([replace(event(n, item), unix_ms=far_ms) for n, item in ((1, "b"), (2, "a"))], now_ms=far_ms)
    trending = await store.trending(limit=5, now_ms=far_ms)
    assert [(item.item_id, pytest.approx(item.weight)) for item in trending] == [("a", 1.0), ("b", 1.0)]


async def test_a_counter_ends_when_little_of_it_is_left(store: FeatureStore) -> None:
    week_ms = 7 * HALF_LIFE_MS
    await store.append([event(n, f"junk-{n}") for n in range(50)], now_ms=NOW_MS)
    await store.append([replace(event(50, "heavy"), weight=5.0)], now_ms=NOW_MS)
    await store.append([replace(event(51, "new"), unix_ms=NOW_MS + week_ms)], now_ms=NOW_MS + week_ms)
    left = await store.trending(limit=100, now_ms=NOW_MS + week_ms)
    assert [item.item_id for item in left] == ["new", "heavy"]


async def test_an_event_of_long_ago_begins_no_counter(store: FeatureStore) -> None:
    await store.append([replace(event(0, "old"), unix_ms=0)], now_ms=NOW_MS)
    assert await store.trending(limit=5, now_ms=NOW_MS) == []


async def test_counters_are_so_many_at_the_most_and_the_lightest_go(store_url: str) -> None:  # noqa: F811
    most = 20_000
    store = open_store(store_url)
    for start in range(0, most + 2_000, 1_000):
        events = [replace(event(n, f"i{n}"), weight=1.0 + (n >= 2_000)) for n in range(start, start + 1_000)]
        await store.append(events, now_ms=NOW_MS)
    held = await store.trending(limit=2 * most, now_ms=NOW_MS)
    assert {item.item_id for item in held} == {f"i{n}" for n in range(2_000, most + 2_000)}
    await store.close()


async def test_a_session_is_forgotten_so_long_after_its_last_event_and_a_user_is_not(store_url: str) -> None:  # noqa: F811
    day_ms = 86_400_000
    store = open_store(store_url, session_days=2)
    stays = Subject("session", "stays")
    await store.append([event(1, subject=GUEST), event(2, subject=stays), event(3)], now_ms=NOW_MS)
    await store.append([event(4, "later", subject=stays)], now_ms=NOW_MS + day_ms)
    await store.append([event(5)], now_ms=NOW_MS + 2 * day_ms)
    assert len((await store.profile(GUEST)).recent) == 1  # not a moment earlier
    await store.append([event(6)], now_ms=NOW_MS + 2 * day_ms + 1)
    gone = await store.profile(GUEST)
    assert (gone.recent, gone.had) == ((), {})
    assert len((await store.profile(stays)).recent) == 2
    assert len((await store.profile(ANNA)).recent) == 3
    await store.close()


async def test_a_session_that_comes_back_after_it_was_forgotten_starts_afresh(store_url: str) -> None:  # noqa: F811
    store = open_store(store_url, session_days=2)
    await store.append([event(1, "before", subject=GUEST, event_type="purchase")], now_ms=NOW_MS)
    await store.append([event(2, "before", subject=GUEST, event_type="purchase")], now_ms=NOW_MS)
    later_ms = NOW_MS + 3 * 86_400_000
    await store.append([event(3, "after", subject=GUEST, event_type="purchase")], now_ms=later_ms)
    assert (await store.profile(GUEST)).had == {"purchase": frozenset({"after"})}
    await store.close()


async def test_whose_a_session_is_is_forgotten_with_it_and_what_became_the_users_stays(store_url: str) -> None:  # noqa: F811
    store = open_store(store_url, session_days=2)
    await store.append([event(1, "a", subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.append([event(2, "b")], now_ms=NOW_MS + 3 * 86_400_000)
    assert (await store.profile(GUEST)).subject == GUEST
    assert (await store.profile(ANNA)).had == {"view": frozenset({"a", "b"})}
    erasure = await store.erase_user("anna", now_ms=NOW_MS)
    assert erasure.session_hashes == (sha256(b"guest").hexdigest(),)  # its rows of before are the user's in the lake
    await store.close()


def bought(number: int, item_id: str = "i", *, subject: Subject = ANNA) -> Event:
    return event(number, item_id, subject=subject, event_type="purchase")


def returned(number: int, item_id: str = "i", *, subject: Subject = ANNA) -> Event:
    return event(number, item_id, subject=subject, event_type="remove")


async def test_a_removal_of_what_was_never_had_puts_nothing_into_what_was_had(store: FeatureStore) -> None:
    await store.append([returned(1)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).had == {}
    await store.append([bought(2)], now_ms=NOW_MS)  # and takes no later purchase back
    assert (await store.profile(ANNA)).had == {"purchase": frozenset({"i"})}


async def test_a_removal_takes_back_one_purchase_and_leaves_views(store: FeatureStore) -> None:
    await store.append([event(1), bought(2), bought(3), returned(4)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).had == {"view": frozenset({"i"}), "purchase": frozenset({"i"})}
    await store.append([returned(5)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).had == {"view": frozenset({"i"})}


async def test_purchases_of_a_session_and_its_user_add_up(store: FeatureStore) -> None:
    await store.append([bought(1), bought(2, subject=GUEST), bought(3, subject=GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.append([returned(4), returned(5)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).had == {"purchase": frozenset({"i"})}
    await store.append([returned(6)], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).had == {}


async def test_a_long_batch_keeps_its_order_and_may_be_sent_again(store: FeatureStore) -> None:
    batch = [event(n, f"i{n}") for n in range(130)]
    first = await store.append(batch[:70], now_ms=NOW_MS)  # as if the answer for the rest had been lost
    again = await store.append(batch, now_ms=NOW_MS)
    assert [one.sequence for one in again[:70]] == [one.sequence for one in first]
    assert [one.is_duplicate for one in again] == [True] * 70 + [False] * 60
    stream = await store.read_stream(after_sequence=0, limit=1_000)
    assert [entry.entry for entry in stream] == batch


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
        assert not (await store.profile(subject)).had
    left = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=99)]
    assert [one.subject for one in left if isinstance(one, Event | Exposure)] == [Subject("user", "ben")] * 2
    assert [one for one in left if isinstance(one, Erasure)] == [erasure]
    assert (await store.experiment_totals("exp"))["a"].units == 1
    assert await store.erasures() == [erasure]
    assert await store.erasures(after_sequence=erasure.sequence) == []


async def test_what_an_erased_user_does_afterwards_is_new_and_stays(store: FeatureStore) -> None:
    await store.append([event(1, "a")], now_ms=NOW_MS)
    erasure = await store.erase_user("anna", now_ms=NOW_MS)
    [appended] = await store.append([event(2, "b")], now_ms=NOW_MS)
    assert appended.sequence > erasure.sequence
    assert (await store.profile(ANNA)).had == {"view": {"b"}}
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
    assert left == [event(1, subject=GUEST), of_ben]
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
    assert (await store.profile(Subject("user", "ben"))).had == {"view": {"b"}}


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
    page = await store.read_stream(after_sequence=sequences[0], limit=2)
    assert [entry.sequence for entry in page] == sequences[1:3]
    assert await store.trim_stream(up_to_sequence=sequences[2]) == 3
    assert [entry.sequence for entry in await store.read_stream(after_sequence=0, limit=9)] == sequences[3:]
    assert len((await store.profile(ANNA)).recent) == 5
    await store.trim_stream(up_to_sequence=sequences[-1])
    [later] = await store.append([event(9)], now_ms=NOW_MS)
    assert later.sequence > sequences[-1]


async def test_exposures_clicks_and_conversions_are_counted_once_each(store: FeatureStore) -> None:
    await store.record_exposures([exposure(1), exposure(2, items=()), exposure(3, subject=GUEST, arm="b"), exposure(1)])
    answer = replace(event(10), request_id="r1")
    await store.append([answer, replace(answer, event_id="twice"), replace(event(11), request_id="?")], now_ms=NOW_MS)
    bought = replace(event(12, event_type="purchase"), value=3.0)
    await store.append([bought, replace(bought, event_id="e13", value=4.0)], now_ms=NOW_MS)
    before = replace(event(-5, subject=GUEST, event_type="purchase"), value=100.0)
    await store.append([before], now_ms=NOW_MS)
    assert await store.experiment_totals("exp") == {
        "a": ArmTotals(
            exposures=2,
            empty_exposures=1,
            clicked_exposures=1,
            units=1,
            clicked_units=1,
            converted_units=1,
            revenue=7.0,
            revenue_squares=49.0,
            latency_ms_sum=5.0,
        ),
        "b": ArmTotals(exposures=1, units=1, latency_ms_sum=2.5),
    }


async def test_a_unit_stays_in_the_arm_of_its_first_exposure_and_goes_to_the_user_on_sign_in(
    store: FeatureStore,
) -> None:
    await store.record_exposures([exposure(1, subject=GUEST), exposure(2, subject=GUEST, arm="b")])
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.append([replace(event(5, event_type="purchase"), value=2.0)], now_ms=NOW_MS)
    totals = await store.experiment_totals("exp")
    assert (totals["a"].units, totals["a"].converted_units, totals["a"].revenue) == (1, 1, 2.0)
    assert totals["b"].units == 0


async def test_an_exposure_without_experiment_or_subject_is_only_logged(store: FeatureStore) -> None:
    plain = replace(exposure(1, subject=None), experiment=None, arm=None)
    await store.record_exposures([plain])
    assert [entry.entry for entry in await store.read_stream(after_sequence=0, limit=9)] == [plain]
    await store.append([replace(event(5), request_id="r1")], now_ms=NOW_MS)


async def test_what_the_api_changed_of_experiments_is_kept(store: FeatureStore) -> None:
    state = ExperimentState(stopped_ms=NOW_MS, shares={"a": 0.5})
    await store.set_experiment_state("exp", ExperimentState())
    await store.set_experiment_state("exp", state)
    assert await store.experiment_states() == {"exp": state}


async def test_another_opener_sees_what_was_written(store: FeatureStore, store_url: str) -> None:  # noqa: F811
    await store.append([event(1)], now_ms=NOW_MS)
    other = open_store(store_url)
    try:
        assert len((await other.profile(ANNA)).recent) == 1
    finally:
        await other.close()


@pytest.mark.parametrize(
    "url", ["", "mysql://x/y", "sqlite://relative.db", "valkey:///0", "sqlite:///shop#1.db", "sqlite:///shop?.db"]
)
def test_another_kind_of_address_is_refused_with_what_was_expected(url: str) -> None:
    with pytest.raises(InvalidArgumentError, match="expected sqlite:///path or valkey://"):
        open_store(url)


@pytest.mark.parametrize("name", ["shop#1.csv", "what?", "50%20", "ä 🛒", "plain"])
async def test_each_path_has_a_store_of_its_own(tmp_path: Path, name: str) -> None:
    store = open_store(sqlite_url(tmp_path / name / "features.db"))
    await store.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "features.db").is_file()
