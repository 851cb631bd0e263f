"""Events of the embedded feature store: append, merge a session, erase a user. All inside a transaction."""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256

from recsys.feature_store import codec, sqlite_experiments, sqlite_had, sqlite_trending
from recsys.feature_store.interface import (
    EVENT_ID_DAYS,
    RECENT_EVENTS,
    Appended,
    Erasure,
    Event,
    StoredEvent,
    Subject,
)
from recsys.feature_store.sqlite_schema import DAY_MS, next_number
from recsys.feature_store.sqlite_sessions import note_active, resolve


def append(connection: sqlite3.Connection, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
    """See `interface.FeatureStore.append`."""
    connection.execute("DELETE FROM event_ids WHERE at_ms < ?", (now_ms - EVENT_ID_DAYS * DAY_MS,))
    outcomes, touched, new = [], set(), []
    for event in events:
        known = connection.execute("SELECT sequence FROM event_ids WHERE event_id = ?", (event.event_id,)).fetchone()
        if known:
            outcomes.append(Appended(known[0], is_duplicate=True))
            continue
        sequence = next_number(connection, "stream")
        if event.subject.kind == "session":
            note_active(connection, event.subject.id, now_ms=now_ms)
        subject = resolve(connection, event.subject)
        key = codec.key_of(subject)
        _store(connection, event, key=key, sequence=sequence, now_ms=now_ms)
        sqlite_experiments.count_event(connection, event, key=key)
        touched.add(key)
        new.append(event)
        outcomes.append(Appended(sequence, is_duplicate=False))
    _cap_recent(connection, touched)
    if new:
        sqlite_trending.count(connection, new, last_sequence=sequence, now_ms=now_ms)
    return outcomes


def recent_of(connection: sqlite3.Connection, subject: Subject) -> tuple[StoredEvent, ...]:
    """Recent events of a resolved subject, most recent first."""
    rows = connection.execute("SELECT sequence, event FROM recent WHERE subject = ?", (codec.key_of(subject),))
    return codec.by_time([StoredEvent(sequence, codec.event_from_text(text, subject)) for sequence, text in rows])


def merge_session(connection: sqlite3.Connection, session_id: str, *, user_id: str, now_ms: int) -> int:
    """See `interface.FeatureStore.merge_session`."""
    session, user = codec.key_of(Subject("session", session_id)), codec.key_of(Subject("user", user_id))
    if resolve(connection, Subject("session", session_id)).kind == "session":
        connection.execute("INSERT OR IGNORE INTO pasts VALUES (?, ?)", (user_id, session_id))
    connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, user_id))
    note_active(connection, session_id, now_ms=now_ms)
    moved = connection.execute("UPDATE recent SET subject = ? WHERE subject = ?", (user, session)).rowcount
    # what the user has already stays as it is
    connection.execute("UPDATE OR IGNORE units SET subject = ? WHERE subject = ?", (user, session))
    sqlite_had.merge(connection, session, into=user)
    connection.execute("UPDATE exposures SET subject = ? WHERE subject = ?", (user, session))
    _cap_recent(connection, {user})
    return moved


def erase_user(connection: sqlite3.Connection, user_id: str, *, now_ms: int) -> Erasure:
    """See `interface.FeatureStore.erase_user`."""
    sessions = [row[0] for row in connection.execute("SELECT session_id FROM pasts WHERE user_id = ?", (user_id,))]
    subjects = [Subject("user", user_id), *(Subject("session", session) for session in sessions)]
    removed = 0
    for key in map(codec.key_of, subjects):
        removed += sqlite_experiments.forget(connection, key)
        connection.execute("DELETE FROM repeats WHERE subject = ?", (key,))
        for table in ("recent", "had", "stream"):
            removed += connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,)).rowcount
    for table in ("sessions", "pasts"):
        removed += connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,)).rowcount
    sequence = next_number(connection, "stream")
    hashes = tuple(sha256(session.encode()).hexdigest() for session in sessions)
    erasure = Erasure(sha256(user_id.encode()).hexdigest(), sequence, now_ms, removed, session_hashes=hashes)
    text = codec.erasure_to_text(erasure)
    connection.execute("INSERT INTO erasures VALUES (?, ?, ?)", (sequence, erasure.user_hash, text))
    connection.execute("INSERT INTO stream VALUES (?, 'erasure', '', ?)", (sequence, text))
    return erasure


def note_lake_erasure(connection: sqlite3.Connection, user_hash: str, *, lake_rows: int, now_ms: int) -> None:
    """See `interface.FeatureStore.note_lake_erasure`."""
    rows = connection.execute("SELECT sequence, erasure FROM erasures WHERE user_hash = ?", (user_hash,)).fetchall()
    for sequence, text in rows:
        erasure = codec.erasure_from_text(text, sequence)
        if erasure.lake_rows is None:
            noted = Erasure(
                user_hash,
                sequence,
                erasure.erased_ms,
                erasure.store_entries,
                lake_rows,
                now_ms,
                erasure.session_hashes,
            )
            connection.execute(
                "UPDATE erasures SET erasure = ? WHERE sequence = ?", (codec.erasure_to_text(noted), sequence)
            )


def _store(connection: sqlite3.Connection, event: Event, *, key: str, sequence: int, now_ms: int) -> None:
    text = codec.event_to_text(event)
    connection.execute("INSERT INTO event_ids VALUES (?, ?, ?)", (event.event_id, sequence, now_ms))
    connection.execute("INSERT INTO stream VALUES (?, 'event', ?, ?)", (sequence, key, text))
    connection.execute("INSERT INTO recent VALUES (?, ?, ?, ?)", (key, sequence, event.unix_ms, text))
    sqlite_had.note(connection, event, key=key)


def _cap_recent(connection: sqlite3.Connection, keys: set[str]) -> None:
    for key in keys:
        connection.execute(
            "DELETE FROM recent WHERE subject = ?1 AND sequence IN (SELECT sequence FROM recent WHERE subject = ?1 "
            "ORDER BY unix_ms DESC, sequence DESC LIMIT -1 OFFSET ?2)",
            (key, RECENT_EVENTS),
        )
