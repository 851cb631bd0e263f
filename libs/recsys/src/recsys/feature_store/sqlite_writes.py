"""The writes of the embedded feature store: events, exposures, merges, erasures, items. All inside a transaction."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from recsys.feature_store import codec, sqlite_subjects
from recsys.feature_store.interface import (
    CLOCKS_APART_MS,
    EVENT_ID_DAYS,
    MOST_TRENDING,
    RECENT_EVENTS,
    Appended,
    Erasure,
    Event,
    Exposure,
    Merge,
    PackedHistory,
    Subject,
)
from recsys.feature_store.sqlite_schema import DAY_MS, enter, next_number
from recsys.ids import user_hash
from recsys.shop.item import ItemChange, ItemRecord, changed

_LIGHTEST_EVERY: Final = 1_000  # entries of the stream between two looks for counters to drop

ITEM_COLUMNS: Final = "item_id, sequence, is_whole, is_deleted, fields, created_ms, updated_ms"
"""Of a record's row."""

_VALUES: Final = ":" + ITEM_COLUMNS.replace(", ", ", :")


def record_of(row: Sequence[Any]) -> ItemRecord:
    """The record of a row of ITEM_COLUMNS."""
    item_id, sequence, is_whole, is_deleted, fields, *times = row
    return ItemRecord(item_id, sequence, bool(is_whole), bool(is_deleted), json.loads(fields), *times)


def append(
    connection: sqlite3.Connection, events: Sequence[Event], *, now_ms: int, forget_before_ms: int
) -> list[Appended]:
    """See `interface.FeatureStore.append`. A session that was not heard of since `forget_before_ms` is forgotten."""
    connection.execute("DELETE FROM event_ids WHERE at_ms < ?", (now_ms - EVENT_ID_DAYS * DAY_MS,))
    outcomes, touched, new = [], set(), []
    for event in events:
        known = connection.execute("SELECT sequence FROM event_ids WHERE event_id = ?", (event.event_id,)).fetchone()
        if known:
            outcomes.append(Appended(known[0], is_duplicate=True))
            continue
        key = codec.key_of(sqlite_subjects.resolve(connection, event.subject))
        outcomes.append(Appended(_store(connection, event, key=key, now_ms=now_ms), is_duplicate=False))
        touched.add(key)
        new.append(event)
    _cap_recent(connection, touched)
    _count(connection, new)
    if any(one.sequence % _LIGHTEST_EVERY == 0 for one in outcomes):
        _drop_lightest(connection)
    sqlite_subjects.forget_quiet(connection, before_ms=forget_before_ms)
    return outcomes


def record_exposures(connection: sqlite3.Connection, exposures: Sequence[Exposure]) -> None:
    """See `interface.FeatureStore.record_exposures`."""
    for exposure in exposures:
        subject, key = exposure.subject, ""
        if subject:
            if _is_erased_since(connection, subject, exposure.unix_ms):
                continue
            subject = sqlite_subjects.resolve(connection, subject)
            sqlite_subjects.touch(connection, subject, now_ms=exposure.unix_ms)
            key = codec.key_of(subject)
        enter(connection, "exposure", key=key, text=codec.to_text(exposure))
        if subject and exposure.experiment:
            sqlite_subjects.note_arm(connection, exposure, key=key)


def merge_session(connection: sqlite3.Connection, session_id: str, *, user_id: str, now_ms: int) -> int:
    """See `interface.FeatureStore.merge_session`."""
    session, user = codec.key_of(Subject("session", session_id)), codec.key_of(Subject("user", user_id))
    before = sqlite_subjects.resolve(connection, Subject("session", session_id))
    if before.kind == "session":
        connection.execute("INSERT OR IGNORE INTO pasts VALUES (?, ?)", (user_id, session_id))
    if before != Subject("user", user_id):
        enter(connection, "merge", key=user, text=codec.to_text(Merge(session_id, user_id, now_ms)))
    connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, user_id))
    sqlite_subjects.touch(connection, Subject("session", session_id), now_ms=now_ms)
    moved = sqlite_subjects.move(connection, session, to=user)
    _cap_recent(connection, {user})
    return moved


def write_histories(connection: sqlite3.Connection, histories: Sequence[PackedHistory]) -> int:
    """See `interface.FeatureStore.write_histories`."""
    rows = [
        (codec.key_of(Subject("user", one.user_id)), one.sequence, one.text, user_hash(one.user_id))
        for one in histories
    ]
    return connection.executemany(
        "INSERT INTO histories SELECT ?1, ?2, ?3 "
        "WHERE NOT EXISTS (SELECT 1 FROM erasures WHERE user_hash = ?4 AND sequence > ?2) "
        "ON CONFLICT (subject) DO UPDATE SET sequence = excluded.sequence, text = excluded.text "
        "WHERE excluded.sequence >= histories.sequence",
        rows,
    ).rowcount


def erase_user(connection: sqlite3.Connection, user_id: str, *, now_ms: int) -> Erasure:
    """See `interface.FeatureStore.erase_user`."""
    sessions = [row[0] for row in connection.execute("SELECT session_id FROM pasts WHERE user_id = ?", (user_id,))]
    subjects = [Subject("user", user_id), *(Subject("session", session) for session in sessions)]
    removed = 0
    for key in map(codec.key_of, subjects):
        removed += sqlite_subjects.forget(connection, key)
        removed += connection.execute("DELETE FROM stream WHERE subject = ?", (key,)).rowcount
    connection.executemany("DELETE FROM session_times WHERE session_id = ?", [(session,) for session in sessions])
    for table in ("sessions", "pasts"):
        removed += connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,)).rowcount
    hashed = [(codec.hashed_key_of(subject), now_ms) for subject in subjects]
    connection.executemany("INSERT OR REPLACE INTO erased VALUES (?, ?)", hashed)
    hashes = tuple(user_hash(session) for session in sessions)
    erasure = Erasure(user_hash(user_id), 0, now_ms, removed, session_hashes=hashes)
    text = codec.to_text(erasure)
    sequence = enter(connection, "erasure", key="", text=text)
    connection.execute("INSERT INTO erasures VALUES (?, ?, ?)", (sequence, erasure.user_hash, text))
    return replace(erasure, sequence=sequence)


def note_lake_erasure(connection: sqlite3.Connection, user_hash: str, *, lake_rows: int, now_ms: int) -> None:
    """See `interface.FeatureStore.note_lake_erasure`."""
    rows = connection.execute("SELECT sequence, erasure FROM erasures WHERE user_hash = ?", (user_hash,)).fetchall()
    for sequence, text in rows:
        erasure = codec.erasure_from_text(text, sequence)
        if erasure.lake_rows is None:
            noted = replace(erasure, lake_rows=lake_rows, lake_erased_ms=now_ms)
            connection.execute("UPDATE erasures SET erasure = ? WHERE sequence = ?", (codec.to_text(noted), sequence))


def change_items(connection: sqlite3.Connection, changes: Sequence[ItemChange], *, now_ms: int) -> list[ItemRecord]:
    """See `interface.FeatureStore.change_items`."""
    records: dict[str, ItemRecord] = {}
    for one in changes:
        row = connection.execute(f"SELECT {ITEM_COLUMNS} FROM items WHERE item_id = ?", (one.item_id,)).fetchone()
        record = changed(row and record_of(row), one, sequence=next_number(connection, "items"), now_ms=now_ms)
        values = asdict(record) | {"fields": codec.json_text(record.fields)}
        connection.execute(f"INSERT OR REPLACE INTO items ({ITEM_COLUMNS}) VALUES ({_VALUES})", values)
        records[record.item_id] = record
    return [records[one.item_id] for one in changes]


def _store(connection: sqlite3.Connection, event: Event, *, key: str, now_ms: int) -> int:
    text = codec.to_text(event)
    sequence = enter(connection, "event", key=key, text=text)
    connection.execute("INSERT INTO event_ids VALUES (?, ?, ?)", (event.event_id, sequence, now_ms))
    connection.execute("INSERT INTO recent VALUES (?, ?, ?, ?)", (key, sequence, event.unix_ms, text))
    sqlite_subjects.note_seen(connection, event, key=key)
    sqlite_subjects.touch(connection, event.subject, now_ms=now_ms)
    return sequence


def _is_erased_since(connection: sqlite3.Connection, subject: Subject, unix_ms: int) -> bool:
    """Whether somebody was erased after this moment, by whichever gateway's clock."""
    query = "SELECT 1 FROM erased WHERE subject = ? AND at_ms >= ?"
    row = (codec.hashed_key_of(subject), unix_ms - CLOCKS_APART_MS)
    return connection.execute(query, row).fetchone() is not None


def _cap_recent(connection: sqlite3.Connection, keys: set[str]) -> None:
    connection.executemany(
        "DELETE FROM recent WHERE subject = ?1 AND sequence IN (SELECT sequence FROM recent WHERE subject = ?1 "
        "ORDER BY unix_ms DESC, sequence DESC LIMIT -1 OFFSET ?2)",
        [(key, RECENT_EVENTS) for key in keys],
    )


def _count(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Add events that have a weight to the counters."""
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?) "
        "ON CONFLICT (item_id) DO UPDATE SET counter = counters_together(counter, excluded.counter)",
        [(event.item_id, codec.counter_of(event)) for event in events if event.weight],
    )


def _drop_lightest(connection: sqlite3.Connection) -> None:
    """Keep MOST_TRENDING counters. It walks past all of them, so it is not for every write."""
    connection.execute(
        "DELETE FROM counters WHERE item_id IN "
        "(SELECT item_id FROM counters ORDER BY counter DESC, item_id LIMIT -1 OFFSET ?)",
        (MOST_TRENDING,),
    )
