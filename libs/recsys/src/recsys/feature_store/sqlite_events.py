"""The stream of the embedded feature store: events, exposures, merges and erasures. All inside a transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from recsys.feature_store import codec, sqlite_items, sqlite_subjects
from recsys.feature_store.interface import (
    CLOCKS_APART_MS,
    EVENT_ID_DAYS,
    RECENT_EVENTS,
    Appended,
    Erasure,
    Event,
    Exposure,
    Merge,
    Subject,
)
from recsys.feature_store.sqlite_schema import DAY_MS, enter
from recsys.ids import user_hash

_LIGHTEST_EVERY: Final = 1_000  # entries of the stream between two looks for counters to drop


def append(connection: sqlite3.Connection, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
    """See `interface.FeatureStore.append`."""
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
    sqlite_items.count(connection, [event for event in new if event.weight])
    if any(one.sequence % _LIGHTEST_EVERY == 0 for one in outcomes):
        sqlite_items.drop_lightest(connection)
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
        enter(connection, "exposure", key=key, text=codec.exposure_to_text(exposure))
        if subject and exposure.experiment:
            sqlite_subjects.note_arm(connection, exposure, key=key)


def merge_session(connection: sqlite3.Connection, session_id: str, *, user_id: str, now_ms: int) -> int:
    """See `interface.FeatureStore.merge_session`."""
    session, user = codec.key_of(Subject("session", session_id)), codec.key_of(Subject("user", user_id))
    before = sqlite_subjects.resolve(connection, Subject("session", session_id))
    if before.kind == "session":
        connection.execute("INSERT OR IGNORE INTO pasts VALUES (?, ?)", (user_id, session_id))
    if before != Subject("user", user_id):
        enter(connection, "merge", key=user, text=codec.merge_to_text(Merge(session_id, user_id, now_ms)))
    connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, user_id))
    sqlite_subjects.touch(connection, Subject("session", session_id), now_ms=now_ms)
    moved = sqlite_subjects.move(connection, session, to=user)
    _cap_recent(connection, {user})
    return moved


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
    text = codec.erasure_to_text(erasure)
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
            connection.execute(
                "UPDATE erasures SET erasure = ? WHERE sequence = ?", (codec.erasure_to_text(noted), sequence)
            )


def _store(connection: sqlite3.Connection, event: Event, *, key: str, now_ms: int) -> int:
    text = codec.event_to_text(event)
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
