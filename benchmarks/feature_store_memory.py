"""How many bytes a user with 20 events takes in each feature store."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from valkey.asyncio import Valkey

from recsys.feature_store import sqlite_schema
from recsys.feature_store.interface import EVENT_ID_DAYS, Event, FeatureStore
from recsys.feature_store.opening import open_store

EVENTS = 20
_AT_ONCE = 50  # users
_HEADER = (
    "| | bytes a user, as loaded | stream moved on | ids a week old | a million users: these three |\n"
    "|---|---|---|---|---|"
)


async def report(folder: Path, valkey_url: str, *, users: int, event: Callable[[int], Event]) -> None:
    """Print the table: as loaded, when the sink has moved the stream on, and a week later."""
    print(_HEADER, flush=True)
    path = folder / "features.db"
    client: Any = Valkey.from_url(valkey_url, decode_responses=True)

    async def in_file() -> int:
        connection = sqlite_schema.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        connection.close()
        return int((pages - free) * size)  # pages that are free are written to again before the file grows

    async def in_server() -> int:
        return int((await client.info("memory"))["used_memory"])

    async def forget_ids_in_file(store: FeatureStore, now_ms: int) -> None:
        await store.append([], now_ms=now_ms + (EVENT_ID_DAYS + 1) * 86_400_000)

    async def forget_ids_in_server(store: FeatureStore, now_ms: int) -> None:
        names = [name async for name in client.scan_iter(match="id:*", count=10_000)]
        for start in range(0, len(names), 10_000):
            await client.delete(*names[start : start + 10_000])

    await _row("SQLite", f"sqlite://{path}", users, event, size=in_file, forget_ids=forget_ids_in_file)
    await _row("Valkey", valkey_url, users, event, size=in_server, forget_ids=forget_ids_in_server)
    await client.aclose()


async def _row(
    name: str,
    url: str,
    users: int,
    event: Callable[[int], Event],
    *,
    size: Callable[[], Awaitable[int]],
    forget_ids: Callable[[FeatureStore, int], Awaitable[None]],
) -> None:
    store = open_store(url)
    empty, now_ms = await size(), event(0).unix_ms
    sequence = 0
    for start in range(0, users, _AT_ONCE):
        # a user's events are spread over a batch, as they are over a day
        batch = [event(user) for _ in range(EVENTS) for user in range(start, min(users, start + _AT_ONCE))]
        sequence = (await store.append(batch, now_ms=now_ms))[-1].sequence
    sizes = [await size()]
    await store.trim_stream(up_to_sequence=sequence)
    sizes.append(await size())
    await forget_ids(store, now_ms)
    sizes.append(await size())
    await store.close()
    a_user = [(one - empty) / users for one in sizes]
    million = " · ".join(f"{one * 1e6 / 1e9:.1f} GB" for one in a_user)
    print(f"| {name} | {' | '.join(f'{one:,.0f}' for one in a_user)} | {million} |", flush=True)
