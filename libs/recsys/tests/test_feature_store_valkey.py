"""What only the store on a server does: share connections, go through a stream in parts, tell of loose settings."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from store_backends import valkey_container, valkey_url  # noqa: F401 # fixtures
from testcontainers.core.container import DockerContainer

from recsys.errors import StoreUnavailableError
from recsys.feature_store import valkey as backend
from recsys.feature_store.interface import Event, Subject
from recsys.feature_store.valkey import ValkeyStore

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(valkey_container: DockerContainer) -> AsyncIterator[ValkeyStore]:  # noqa: F811
    valkey_container.exec(["valkey-cli", "flushall"])
    opened = ValkeyStore(valkey_url(valkey_container))
    yield opened
    await opened.close()


def event(number: int, user_id: str) -> Event:
    return Event(f"e{number}", Subject("user", user_id), "i", "view", NOW_MS + number, 1.0)


async def test_more_callers_than_connections_wait_for_one(store: ValkeyStore) -> None:
    outcomes = await asyncio.gather(
        *(store.append([event(n, "anna")], now_ms=NOW_MS) for n in range(4 * backend._MOST_CONNECTIONS))
    )
    assert len({one.sequence for [one] in outcomes}) == 4 * backend._MOST_CONNECTIONS


@pytest.mark.parametrize("part", [1, 3, 10, 11, 1000])
async def test_an_erased_user_leaves_every_part_of_a_long_stream(
    store: ValkeyStore, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_STREAM_PART", part)
    users = ["anna", "ben", "anna", "ben", "ben", "anna", "anna", "ben", "ben", "anna"]
    await store.append([event(n, user_id) for n, user_id in enumerate(users)], now_ms=NOW_MS)
    erasure = await store.erase_user("anna", now_ms=NOW_MS)
    left = [entry.entry for entry in await store.read_stream(after_sequence=0, limit=99)]
    assert left[:-1] == [event(n, user_id) for n, user_id in enumerate(users) if user_id == "ben"]
    assert left[-1] == erasure
    assert erasure.store_entries == 5 + 5 + 1  # of the stream, recent ones, the item that was had


async def test_a_server_that_may_lose_what_it_acknowledges_is_told_of_once(
    store: ValkeyStore,
    valkey_container: DockerContainer,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger=backend.__name__)
    valkey_container.exec(["valkey-cli", "config", "set", "appendfsync", "everysec"])
    try:
        for n in range(2):
            await store.append([event(n, "anna")], now_ms=NOW_MS)
    finally:
        valkey_container.exec(["valkey-cli", "config", "set", "appendfsync", "always"])
    assert [record.message for record in caplog.records] == ["this server may lose what it acknowledges"]


async def test_a_server_that_is_unavailable_is_named_without_its_password() -> None:
    store = ValkeyStore("valkey://:secret@127.0.0.1:1/0")
    with pytest.raises(StoreUnavailableError, match=r"^127\.0\.0\.1:1/0: ") as caught:
        await store.append([event(1, "anna")], now_ms=NOW_MS)
    assert "secret" not in str(caught.value)
    await store.close()
