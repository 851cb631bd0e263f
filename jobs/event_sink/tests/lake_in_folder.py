"""A stream in memory, and a sink whose lake is in a folder."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl

from event_sink.lake_writer import LakeWriter
from event_sink.sink import Sink
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Erasure, Event, Exposure, Merge, StreamEntry, Subject
from recsys.lake import TABLES, Table, lake_dir, read_table
from recsys.shop.item import ItemRecord

DAY_MS = 86_400_000
FIRST_DAY_MS = 1_767_225_600_000  # 2026-01-01


class StreamInMemory:
    """What the sink uses of a feature store. `is_away` makes every call fail; `step` is called before each change."""

    def __init__(self) -> None:
        self.entries: list[StreamEntry] = []
        self.all_erasures: dict[str, Erasure] = {}
        self.items: list[ItemRecord] = []
        self.documents: dict[str, str] = {}
        self.sequence = 0
        self.is_away = False
        self.step: Callable[[], None] = lambda: None

    def event(
        self, event_id: str, *, user: str | None = None, session: str | None = None, day: int = 0, item: str = "i"
    ) -> int:
        subject = Subject("user", user) if user is not None else Subject("session", str(session))
        return self._append(Event(event_id, subject, item, "view", FIRST_DAY_MS + day * DAY_MS, 1.0, value=2))

    def exposure(self, list_id: str, *, user: str | None, day: int = 0) -> int:
        subject = None if user is None else Subject("user", user)
        when = FIRST_DAY_MS + day * DAY_MS
        return self._append(Exposure(list_id, subject, when, ("i", "j"), (0.5, 1.0), "v1"))

    def merge(self, session: str, *, user: str, day: int = 0) -> int:
        return self._append(Merge(session, user, FIRST_DAY_MS + day * DAY_MS))

    def erase(self, user: str, *, sessions: tuple[str, ...] = ()) -> str:
        """As erase_user: what is in the stream goes, and an erasure comes behind it."""
        who = {Subject("user", user), *(Subject("session", session) for session in sessions)}
        self.entries = [entry for entry in self.entries if _whose(entry) not in who]
        erasure = Erasure(
            hashed(user), self.sequence + 1, 1, 0, session_hashes=tuple(hashed(session) for session in sessions)
        )
        self._append(erasure)
        self.all_erasures[erasure.user_hash] = erasure
        return erasure.user_hash

    def item(self, item_id: str, **fields: str | float | bool | None) -> None:
        self.items = [record for record in self.items if record.item_id != item_id]
        self.sequence += 1
        self.items.append(ItemRecord(item_id, self.sequence, False, False, fields, 1, 2))

    async def read_stream(self, *, after_sequence: int, limit: int) -> list[StreamEntry]:
        self._answer()
        return [entry for entry in self.entries if entry.sequence > after_sequence][:limit]

    async def stream_end(self) -> int:
        return self.sequence

    async def trim_stream(self, *, up_to_sequence: int) -> int:
        self._answer()
        self.step()
        before = len(self.entries)
        self.entries = [entry for entry in self.entries if entry.sequence > up_to_sequence]
        return before - len(self.entries)

    async def erasures(self, *, after_sequence: int = 0) -> list[Erasure]:
        self._answer()
        found = [one for one in self.all_erasures.values() if one.sequence > after_sequence]
        return sorted(found, key=lambda one: one.sequence)

    async def note_lake_erasure(self, user_hash: str, *, lake_rows: int, now_ms: int) -> None:
        self._answer()
        self.step()
        old = self.all_erasures[user_hash]
        assert old.lake_rows is None, "told twice"
        self.all_erasures[user_hash] = Erasure(
            user_hash, old.sequence, old.erased_ms, old.store_entries, lake_rows, now_ms, old.session_hashes
        )

    async def item_changes(self, *, after_sequence: int, limit: int) -> list[ItemRecord]:
        self._answer()
        return [record for record in self.items if record.sequence > after_sequence][:limit]

    async def write_text(self, kind: str, name: str, text: str) -> None:
        self._answer()
        assert kind == "documents"
        self.documents[name] = text

    async def texts(self, kind: str) -> dict[str, str]:
        self._answer()
        return dict(self.documents) if kind == "documents" else {}

    def _append(self, entry: Event | Exposure | Merge | Erasure) -> int:
        self.sequence += 1
        self.entries.append(StreamEntry(self.sequence, entry))
        return self.sequence

    def _answer(self) -> None:
        if self.is_away:
            raise StoreUnavailableError("away")


class Lake:
    """A sink over the stream, and what a reader finds in its lake."""

    def __init__(self, volume: Path, store: StreamInMemory, *, batch: int) -> None:
        self.path = lake_dir(volume)
        self.store = store
        self.batch = batch
        self.writer: LakeWriter | None = None

    async def drain(self) -> None:
        """A process that starts, moves everything, and ends."""
        self.kill()
        self.writer = LakeWriter(self.path)
        sink = Sink(self.store, self.writer, batch=self.batch)  # type: ignore[arg-type]
        await sink.recover()
        while await sink.turn():
            pass

    def kill(self) -> None:
        """What the kernel does when a process ends: the lock is free."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def rows(self, table: Table = "events") -> pl.DataFrame:
        return read_table(self.path, table)[1]

    def ids(self, table: Table = "events") -> list[str]:
        return self.rows(table)["event_id" if table == "events" else "list_id"].to_list()

    def files(self) -> list[str]:
        """Every Parquet file and leftover below the lake's tables."""
        found = (path for name in TABLES for path in (self.path / name).rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.path)) for path in found)


def _whose(entry: StreamEntry) -> Subject | None:
    if isinstance(entry.entry, Merge):
        return Subject("user", entry.entry.user_id)
    return getattr(entry.entry, "subject", None)


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
