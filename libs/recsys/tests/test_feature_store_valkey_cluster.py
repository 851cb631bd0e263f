"""What only the store on a cluster does: spread subjects, and bring to its end what was cut off between two slots."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from store_backends import Cluster, valkey_cluster  # noqa: F401 # fixtures

from recsys.errors import StoreUnavailableError
from recsys.feature_store import valkey_cluster_scripts as scripts
from recsys.feature_store.interface import Event, PackedHistory, Profile, Subject
from recsys.feature_store.valkey import ValkeyStore
from recsys.feature_store.valkey_cluster import ValkeyClusterStore

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
ANNA, BEN, GUEST = Subject("user", "anna"), Subject("user", "ben"), Subject("session", "guest")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(valkey_cluster: Cluster) -> AsyncIterator[ValkeyClusterStore]:  # noqa: F811
    valkey_cluster.flush()
    opened = ValkeyClusterStore(valkey_cluster.url)
    yield opened
    await opened.close()


def event(number: int, subject: Subject = ANNA, *, event_type: str = "view", item_id: str = "i") -> Event:
    return Event(f"e{number}", subject, item_id, event_type, NOW_MS + number, 1.0)


def cut_off(store: ValkeyClusterStore, monkeypatch: pytest.MonkeyPatch, script: str, *, times: int = 1) -> None:
    """Let the next calls of a script on a subject's slot fail before they reach it."""
    whole, left = store._run_on, [None] * times

    async def run_on(key: str, asked: str, *arguments: str | int) -> Any:
        if asked == script and left:
            left.pop()
            raise StoreUnavailableError("cut off")
        return await whole(key, asked, *arguments)

    monkeypatch.setattr(store, "_run_on", run_on)


async def keys_of(cluster: Cluster) -> list[set[str]]:
    return [set(node.exec(["valkey-cli", "keys", "*"]).output.decode().split()) - {""} for node in cluster.nodes]


async def test_subjects_are_spread_and_each_stands_on_one_node(
    store: ValkeyClusterStore,
    valkey_cluster: Cluster,  # noqa: F811
) -> None:
    users = [Subject("user", f"u{number}") for number in range(60)]
    await store.append([event(n, user) for n, user in enumerate(users)], now_ms=NOW_MS)
    await store.append([event(100, Subject("user", "}{odd}"))], now_ms=NOW_MS)
    await store.write_histories([PackedHistory(user.id, 0, "text") for user in users])
    nodes = await keys_of(valkey_cluster)
    for user in users:
        of_user = [sum(key.startswith(f"{{u:{user.id}}}") for key in keys) for keys in nodes]
        assert sorted(of_user) == [0, 0, 3]  # recent events, what was seen, the history of training
    assert all(any(key.startswith("{u:") for key in keys) for keys in nodes)
    assert [any(key.startswith(scripts.SHOP) for key in keys) for keys in nodes].count(True) == 1
    assert len((await store.profile(Subject("user", "}{odd}"))).recent) == 1


async def test_an_event_that_reached_the_stream_alone_is_in_the_profile_when_it_is_sent_again(
    store: ValkeyClusterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [event(1, event_type="purchase"), event(2, BEN)]
    cut_off(store, monkeypatch, scripts.NOTE, times=2)
    with pytest.raises(StoreUnavailableError):
        await store.append(events, now_ms=NOW_MS)
    assert (await store.profile(ANNA)).recent == ()
    for _ in range(2):
        again = await store.append(events, now_ms=NOW_MS)
        assert [one.is_duplicate for one in again] == [True, True]
        assert [one.sequence for one in (await store.profile(ANNA)).recent] == [again[0].sequence]
        assert (await store.profile(BEN)).seen == {"view": {"i"}}
    await store.append([event(3, event_type="remove")], now_ms=NOW_MS)
    assert (await store.profile(ANNA)).seen == {}  # it was bought once
    assert len(await store.read_stream(after_sequence=0, limit=9)) == 3


async def test_what_was_on_its_way_when_its_user_was_erased_does_not_come_back(
    store: ValkeyClusterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(store, monkeypatch, scripts.NOTE)
    with pytest.raises(StoreUnavailableError):
        await store.append([event(1)], now_ms=NOW_MS)
    await store.erase_user("anna", now_ms=NOW_MS)
    [again] = await store.append([event(1)], now_ms=NOW_MS)
    assert again.is_duplicate
    await store._note("u:anna", [(again.sequence, event(1))])  # another gateway's, late
    assert await store.profile(ANNA) == Profile(ANNA, recent=(), seen={})
    await store.append([event(2)], now_ms=NOW_MS)
    assert len((await store.profile(ANNA)).recent) == 1


@pytest.mark.parametrize("at", [scripts.TAKE, scripts.GIVE, scripts.GIVEN], ids=["take", "give", "given"])
async def test_a_merge_that_was_cut_off_is_brought_to_its_end_by_the_next_one_and_moves_everything_once(
    store: ValkeyClusterStore, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    await store.append([event(1, GUEST, event_type="purchase"), event(2, event_type="purchase")], now_ms=NOW_MS)
    cut_off(store, monkeypatch, at)
    with pytest.raises(StoreUnavailableError):
        await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store.append([event(3, GUEST, item_id="later")], now_ms=NOW_MS)  # is the user's: the stream says so
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    profile = await store.profile(GUEST)
    assert profile.subject == ANNA
    assert len(profile.recent) == 3
    for number, seen in ((4, {"i"}), (5, set())):  # bought by the session and by the user, each once
        await store.append([event(number, event_type="remove")], now_ms=NOW_MS)
        assert (await store.profile(ANNA)).seen.get("purchase", set()) == seen
    merges = [one for one in await store.read_stream(after_sequence=0, limit=9) if not isinstance(one.entry, Event)]
    assert len(merges) == 1


async def test_what_an_unfinished_merge_moved_aside_goes_to_its_own_user_and_not_the_next(
    store: ValkeyClusterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append([event(1, GUEST)], now_ms=NOW_MS)
    cut_off(store, monkeypatch, scripts.GIVE)
    with pytest.raises(StoreUnavailableError):
        await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    assert await store.merge_session("guest", user_id="ben", now_ms=NOW_MS) == 0
    assert (len((await store.profile(ANNA)).recent), len((await store.profile(BEN)).recent)) == (1, 0)
    assert (await store.profile(GUEST)).subject == BEN


async def test_an_event_that_was_logged_before_the_merge_and_noted_after_it_is_the_users(
    store: ValkeyClusterStore,
) -> None:
    await store.append([event(1, GUEST)], now_ms=NOW_MS)
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS)
    await store._note("s:guest", [(99, event(2, GUEST, item_id="late"))])
    assert (await store.profile(ANNA)).seen == {"view": {"i", "late"}}


async def test_more_callers_than_may_be_under_way_wait_for_their_turn(store: ValkeyClusterStore) -> None:
    outcomes = await asyncio.gather(
        *(store.append([event(n, Subject("user", f"u{n}"))], now_ms=NOW_MS) for n in range(300))
    )
    assert len({one.sequence for [one] in outcomes}) == 300


async def test_a_cluster_with_the_keys_of_a_store_on_one_server_is_refused(
    store: ValkeyClusterStore,
) -> None:
    await store._client.set("sequence:stream", 7)
    for write in (store.append([event(1)], now_ms=NOW_MS), store.profile(ANNA)):
        with pytest.raises(StoreUnavailableError, match="keys of a store on one server"):
            await write


async def test_a_store_for_one_server_says_that_it_met_a_cluster(valkey_cluster: Cluster) -> None:  # noqa: F811
    single = ValkeyStore(f"valkey://{valkey_cluster.addresses[0]}/0")
    with pytest.raises(StoreUnavailableError, match=r"MOVED|cluster"):  # not every key is of this node
        await asyncio.gather(single.texts("documents"), single.texts("experiment_states"), single.erasure("anna"))
    await single.close()
