"""How long a bulk of events holds the Valkey server, and what a profile that is read meanwhile waits."""

import asyncio
import hashlib
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

from valkey.asyncio import Valkey

from recsys.feature_store import valkey, valkey_scripts
from recsys.feature_store.interface import Event, Subject
from recsys.feature_store.valkey import ValkeyStore

EVENTS = 1_000
BULKS = 30
_EVERY_S = 0.002  # between two profiles
_MOST_LOGGED = 100_000


async def report(url: str, *, event: Callable[[], Event]) -> None:
    """Print the table: a bulk in parts, as the store sends it, and as one script."""
    print(
        f"| {BULKS} bulks of {EVENTS:,} events | holds the server: median; most | slowest profile meanwhile "
        "| a bulk takes |\n|---|---|---|---|",
        flush=True,
    )
    for part in (EVENTS, valkey._EVENTS_AT_ONCE):
        with patch.object(valkey, "_EVENTS_AT_ONCE", part):
            await _row(url, part, event)


async def _row(url: str, part: int, event: Callable[[], Event]) -> None:
    client: Any = Valkey.from_url(url, decode_responses=True)
    await client.flushall()
    await client.config_set("slowlog-log-slower-than", 0)
    await client.config_set("slowlog-max-len", _MOST_LOGGED)
    store = ValkeyStore(url)
    subject = Subject("user", "user-0")
    await store.append([event() for _ in range(EVENTS)], now_ms=_now_ms())  # connections and scripts are there then
    await client.slowlog_reset()
    waits: list[float] = []

    async def read_profiles() -> None:
        while True:
            waits.append(await _ms(store.profile(subject)))
            await asyncio.sleep(_EVERY_S)

    reader = asyncio.create_task(read_profiles())
    bulks: list[float] = []
    for _ in range(BULKS):
        events = [event() for _ in range(EVENTS)]
        bulks.append(await _ms(store.append(events, now_ms=_now_ms())))
    reader.cancel()
    digest = hashlib.sha1(valkey_scripts.APPEND.encode()).hexdigest().encode()  # by which the script is called
    held = [entry["duration"] / 1000 for entry in await client.slowlog_get(_MOST_LOGGED) if digest in entry["command"]]
    print(
        f"| in scripts of {part} | {statistics.median(held):.1f} ms; {max(held):.1f} ms | {max(waits):.1f} ms "
        f"| {statistics.median(bulks):.0f} ms |",
        flush=True,
    )
    await store.close()
    await client.aclose()


async def _ms(answer: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await answer
    return (time.perf_counter() - begun) * 1000


def _now_ms() -> int:
    return int(time.time() * 1000)
