"""The feature store: whether it answers, keeps what it acknowledges, and has room."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from valkey import Valkey
from valkey.exceptions import ResponseError, ValkeyError

from recsys.errors import RecsysError
from recsys.feature_store.opening import open_store, without_secrets
from recsys.feature_store.valkey import DURABLE
from recsys_cli import places
from recsys_cli.doctor.finding import Finding, good, warning, wrong

_TIMEOUT_S: Final = 3.0
_FULL: Final = 0.9
_MANY_ENTRIES: Final = 100_000  # that the sink has not moved
_LEAST_FREE_BYTES: Final = 500_000_000
_DURABLE: Final = {**DURABLE, "maxmemory-policy": "noeviction"}


def look(url: str) -> Iterator[Finding]:
    """What is to say of the store at an address; empty: there is none."""
    if not url:
        yield warning(
            "feature store",
            "none is named: events, changes of items and experiments are not taken",
            mend="name it: GATEWAY_FEATURE_STORE_URL or --feature-store-url",
        )
        return
    yield from _sqlite(Path(unquote(urlsplit(url).path))) if url.startswith("sqlite:") else _valkey(url)


def look_at_stream(url: str, *, moved: int) -> Iterator[Finding]:
    """How many entries the lake does not have yet."""
    try:
        waiting = asyncio.run(_waiting(url, moved))
    except RecsysError:  # `look` says so
        return
    if waiting >= _MANY_ENTRIES:
        yield warning(
            "stream",
            f"entries that are not in the lake: {waiting:,} or more",
            mend="start event_sink; its log says what stops it",
        )
    else:
        yield good("stream", f"entries that are not in the lake yet: {waiting:,}")


async def _waiting(url: str, moved: int) -> int:
    store = open_store(url)
    try:
        return len(await store.read_stream(after_sequence=moved, limit=_MANY_ENTRIES))
    finally:
        await store.close()


def _sqlite(path: Path) -> Iterator[Finding]:
    if not path.is_file():
        yield wrong("feature store", f"{path} is not there", mend="the gateway makes it when it starts: start it")
        return
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        yield wrong("feature store", f"{path} or its folder cannot be written to by uid {os.getuid()}", mend="chown it")
        return
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_TIMEOUT_S)) as connection:
            [damage] = connection.execute("PRAGMA quick_check").fetchone()
            [journal] = connection.execute("PRAGMA journal_mode").fetchone()
    except sqlite3.Error as error:
        yield wrong("feature store", f"{path}: {error}", mend="recsys restore brings back that of a backup")
        return
    if damage != "ok":
        yield wrong("feature store", f"{path} is damaged: {damage}", mend="recsys restore")
    elif journal != "wal":
        yield warning("feature store", f"{path} has journal {journal!r}, not WAL", mend="restart the gateway")
    else:
        yield good("feature store", f"{path} is sound, {path.stat().st_size / 1e6:,.1f} MB")
    free = shutil.disk_usage(path.parent).free
    if free < _LEAST_FREE_BYTES:
        yield wrong(
            "feature store",
            f"{free / 1e6:,.0f} MB are free beside {path}",
            mend="make room: a full disk takes no event",
        )


def _valkey(url: str) -> Iterator[Finding]:
    shown = without_secrets(url)
    try:
        connected: Any = Valkey.from_url(places.of_one_server(url), decode_responses=True, socket_timeout=_TIMEOUT_S)
        with closing(connected) as client:
            client.ping()
            yield good("feature store", f"{shown} answers")
            yield from _persistence(client, shown)
            yield from _memory(client.info("memory"), shown)
    except (ValkeyError, OSError) as error:
        yield wrong(
            "feature store",
            f"{shown}: {str(error) or type(error).__name__}",
            mend="start it, or name another: GATEWAY_FEATURE_STORE_URL",
        )


def _persistence(client: Any, shown: str) -> Iterator[Finding]:
    try:
        found = client.config_get(*_DURABLE)
    except ResponseError:
        yield warning("persistence", f"{shown} does not say how it keeps what it is told", mend="ask who runs it")
        return
    differing = {name: found.get(name) for name, value in _DURABLE.items() if found.get(name) != value}
    for name, value in differing.items():
        yield wrong(
            "persistence",
            f"{shown}: {name} is {value}, expected {_DURABLE[name]}: it may lose what it acknowledged",
            mend=f"valkey-cli config set {name} {_DURABLE[name]}, and in its configuration",
        )
    if not differing:
        yield good("persistence", ", ".join(f"{name} {value}" for name, value in _DURABLE.items()))


def _memory(info: dict[str, Any], shown: str) -> Iterator[Finding]:
    used, most = int(info["used_memory"]), int(info["maxmemory"])
    found = f"{shown} holds {used / 1e6:,.0f} MB" + (f" of {most / 1e6:,.0f}" if most else ", without a limit")
    if most and used > _FULL * most:
        yield wrong("store memory", found, mend="give it more (STORE_MAXMEMORY, STORE_MEMORY): full, it takes no event")
    else:
        yield good("store memory", found)
