"""The embedded feature store: one SQLite file in WAL mode, no server, flushed to disk with every commit.

Reads run where they are asked, in microseconds; writes go through `sqlite_writer`. Several processes may open the file.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from recsys.errors import StoreUnavailableError
from recsys.feature_store import codec, sqlite_schema, sqlite_subjects, sqlite_writes
from recsys.feature_store.interface import (
    SESSION_DAYS,
    Appended,
    Erasure,
    Event,
    Exposure,
    FeatureStore,
    PackedHistory,
    Profile,
    StreamEntry,
    Subject,
    TextKind,
    TrendingItem,
)
from recsys.feature_store.sqlite_writer import SqliteWriter
from recsys.ids import user_hash
from recsys.shop.item import ItemChange, ItemRecord

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore(FeatureStore):
    """Belongs to one event loop."""

    def __init__(self, path: Path, *, session_days: int = SESSION_DAYS) -> None:
        """Make the file where it is not there yet. Raises: StoreUnavailableError."""
        self._path = path
        self._session_ms = session_days * sqlite_schema.DAY_MS
        self._reader: sqlite3.Connection | None = None
        self._writer = SqliteWriter(path)
        try:
            sqlite_schema.create(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailableError(f"{path}: the feature store cannot be opened: {error}") from error

    async def append(self, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
        forget_before_ms = now_ms - self._session_ms
        return await self._write(sqlite_writes.append, events, now_ms=now_ms, forget_before_ms=forget_before_ms)

    async def profile(self, subject: Subject, *, after_sequence: int = 0) -> Profile:
        return sqlite_subjects.profile_of(self._rows(sqlite_subjects.PROFILE, codec.key_of(subject), after_sequence))

    async def merge_session(self, session_id: str, *, user_id: str, now_ms: int) -> int:
        return await self._write(sqlite_writes.merge_session, session_id, user_id=user_id, now_ms=now_ms)

    async def write_histories(self, histories: Sequence[PackedHistory]) -> int:
        return await self._write(sqlite_writes.write_histories, histories)

    async def trending(self, *, limit: int, now_ms: int) -> list[TrendingItem]:
        rows = self._rows("SELECT item_id, counter FROM counters ORDER BY counter DESC, item_id LIMIT ?", limit)
        return codec.trending_of(rows, now_ms=now_ms)

    async def change_items(self, changes: Sequence[ItemChange], *, now_ms: int) -> list[ItemRecord]:
        return await self._write(sqlite_writes.change_items, changes, now_ms=now_ms)

    async def item_changes(self, *, after_sequence: int, limit: int) -> list[ItemRecord]:
        query = f"SELECT {sqlite_writes.ITEM_COLUMNS} FROM items WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return [sqlite_writes.record_of(row) for row in self._rows(query, after_sequence, limit)]

    async def erase_user(self, user_id: str, *, now_ms: int) -> Erasure:
        return await self._write(sqlite_writes.erase_user, user_id, now_ms=now_ms)

    async def erasures(self, *, after_sequence: int = 0) -> list[Erasure]:
        rows = self._rows("SELECT erasure, sequence FROM erasures WHERE sequence > ? ORDER BY sequence", after_sequence)
        return [codec.erasure_from_text(*row) for row in rows]

    async def erasure(self, user_id: str) -> Erasure | None:
        query = "SELECT erasure, sequence FROM erasures WHERE user_hash = ? ORDER BY sequence DESC LIMIT 1"
        return next((codec.erasure_from_text(*row) for row in self._rows(query, user_hash(user_id))), None)

    async def note_lake_erasure(self, user_hash: str, *, lake_rows: int, now_ms: int) -> None:
        await self._write(sqlite_writes.note_lake_erasure, user_hash, lake_rows=lake_rows, now_ms=now_ms)

    async def read_stream(self, *, after_sequence: int, limit: int) -> list[StreamEntry]:
        query = "SELECT kind, entry, sequence, subject FROM stream WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return [
            codec.entry_from_text(kind, text, sequence=sequence, subject_key=key)
            for kind, text, sequence, key in self._rows(query, after_sequence, limit)
        ]

    async def trim_stream(self, *, up_to_sequence: int) -> int:
        return await self._execute("DELETE FROM stream WHERE sequence <= ?", up_to_sequence)

    async def stream_end(self) -> int:
        rows = self._rows("SELECT number FROM meta WHERE name = 'stream'")
        return int(rows[0][0]) if rows else 0

    async def record_exposures(self, exposures: Sequence[Exposure]) -> None:
        await self._write(sqlite_writes.record_exposures, exposures)

    async def texts(self, kind: TextKind) -> dict[str, str]:
        return dict(self._rows(f"SELECT * FROM {kind}"))

    async def write_text(self, kind: TextKind, name: str, text: str) -> None:
        await self._execute(f"INSERT OR REPLACE INTO {kind} VALUES (?, ?)", name, text)

    async def close(self) -> None:
        self._writer.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def _execute(self, statement: str, *values: str | int) -> int:
        """Run one statement; returns the number of rows that it changed."""
        return await self._write(lambda connection: connection.execute(statement, values).rowcount)

    async def _write(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """What `work` returns, once all of it is on disk."""
        return await self._writer.run(lambda connection: work(connection, *args, **kw))

    def _rows(self, query: str, *values: str | int) -> list[Any]:
        """What one statement finds, as of one moment."""
        try:
            reader = self._reader = self._reader or sqlite_schema.connect(self._path)
            return sqlite_schema.when_free(lambda: reader.execute(query, values).fetchall())
        except sqlite3.Error as error:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            raise StoreUnavailableError(f"{self._path}: cannot be read: {error}") from error
