"""The baselines of `benchmarks.feature_store`: the same text of an event, durable, one write an event; nothing else."""

import asyncio
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from valkey.asyncio import Valkey

from recsys.feature_store import codec
from recsys.feature_store.interface import Event


class PlainLog(ABC):
    """A log that a shop's engineer would write in an hour."""

    NAME: str

    @abstractmethod
    async def fill(self, user: int, events: list[Event]) -> None:
        """Put a user's events there to be read."""

    @abstractmethod
    async def read(self, user: int) -> None:
        """The texts of a user's events."""

    @abstractmethod
    async def events_per_s(self, events: list[Event], *, writers: int, seconds: float) -> float:
        """So many writers at once, one write an event."""

    @abstractmethod
    async def close(self) -> None:
        """Give back connections."""


class SqliteLog(PlainLog):
    """A table with an index, WAL, synchronous = FULL."""

    NAME = "INSERT and commit, an event each"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = self._connect()
        self._connection.execute("CREATE TABLE log (sequence INTEGER PRIMARY KEY, subject TEXT, entry TEXT)")
        self._connection.execute("CREATE TABLE recent (subject TEXT, entry TEXT)")
        self._connection.execute("CREATE INDEX recent_by_subject ON recent (subject)")

    async def fill(self, user: int, events: list[Event]) -> None:
        rows = [(f"u:user-{user}", codec.to_text(event)) for event in events]
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO recent VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    async def read(self, user: int) -> None:
        self._connection.execute("SELECT entry FROM recent WHERE subject = ?", (f"u:user-{user}",)).fetchall()

    async def events_per_s(self, events: list[Event], *, writers: int, seconds: float) -> float:
        left, written = list(events), [0] * writers
        begun = time.perf_counter()

        def write(writer: int) -> None:
            connection = self._connect()
            while left and time.perf_counter() - begun < seconds:
                event = left.pop()
                row = (codec.key_of(event.subject), codec.to_text(event))
                connection.execute("INSERT INTO log (subject, entry) VALUES (?, ?)", row)  # commits by itself
                written[writer] += 1
            connection.close()

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(written) / (time.perf_counter() - begun)

    async def close(self) -> None:
        self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection


class ValkeyLog(PlainLog):
    """A stream, and a list a user to read from."""

    NAME = "XADD, an event each"

    def __init__(self, url: str) -> None:
        self._client: Any = Valkey.from_url(url, decode_responses=True)

    async def fill(self, user: int, events: list[Event]) -> None:
        await self._client.rpush(f"plain:{user}", *map(codec.to_text, events))

    async def read(self, user: int) -> None:
        await self._client.lrange(f"plain:{user}", 0, -1)

    async def events_per_s(self, events: list[Event], *, writers: int, seconds: float) -> float:
        left, written = list(events), 0
        begun = time.perf_counter()

        async def write() -> None:
            nonlocal written
            while left and time.perf_counter() - begun < seconds:
                event = left.pop()
                fields = {"s": codec.key_of(event.subject), "e": codec.to_text(event)}
                await self._client.xadd("plain", fields)
                written += 1

        await asyncio.gather(*(write() for _ in range(writers)))
        return written / (time.perf_counter() - begun)

    async def close(self) -> None:
        await self._client.aclose()
