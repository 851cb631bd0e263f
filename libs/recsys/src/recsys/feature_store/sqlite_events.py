"""Events of the embedded feature store: append, merge a session, erase a user. All inside a transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from recsys.feature_store import codec, sqlite_experiments, sqlite_seen, sqlite_sessions, sqlite_trending
from recsys.feature_store.interface import (
    EVENT_ID_DAYS,
    RECENT_EVENTS,
    Appended,
    Erasure,
    Event,
    Merge,
    StoredEvent,
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
        key = codec.key_of(sqlite_sessions.resolve(connection, event.subject))
        sequence = _store(connection, event, key=key, now_ms=now_ms)
        touched.add(key)
        new.append(event)
        outcomes.append(Appended(sequence, is_duplicate=False))
    _cap_recent(connection, touched)
    sqlite_trending.count(connection, [event for event in new if event.weight])
    if any(one.sequence % _LIGHTEST_EVERY == 0 for one in outcomes):
        sqlite_trending.drop_lightest(connection)
    return outcomes


def recent_of(connection: sqlite3.Connection, subject: Subject) -> tuple[StoredEvent, ...]:
    """Recent events of a resolved subject, most recent first."""
    rows = connection.execute("SELECT sequence, event FROM recent WHERE subject = ?", (codec.key_of(subject),))
    return codec.by_time([StoredEvent(sequence, codec.event_from_text(text, subject)) for sequence, text in rows])


def merge_session(connection: sqlite3.Connection, session_id: str, *, user_id: str, now_ms: int) -> int:
    """See `interface.FeatureStore.merge_session`."""
    session, user = codec.key_of(Subject("session", session_id)), codec.key_of(Subject("user", user_id))
    before = sqlite_sessions.resolve(connection, Subject("session", session_id))
    if before.kind == "session":
        connection.execute("INSERT OR IGNORE INTO pasts VALUES (?, ?)", (user_id, session_id))
    if before != Subject("user", user_id):
        enter(connection, "merge", key=user, text=codec.merge_to_text(Merge(session_id, user_id, now_ms)))
    connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, user_id))
    moved = connection.execute("UPDATE recent SET subject = ? WHERE subject = ?", (user, session)).rowcount
    sqlite_seen.move(connection, session, to=user)
    sqlite_sessions.touch(connection, Subject("session", session_id), now_ms=now_ms)
    sqlite_experiments.merge_arms(connection, session, user=user)
    _cap_recent(connection, {user})
    return moved


def erase_user(connection: sqlite3.Connection, user_id: str, *, now_ms: int) -> Erasure:
    """See `interface.FeatureStore.erase_user`."""
    sessions = [row[0] for row in connection.execute("SELECT session_id FROM pasts WHERE user_id = ?", (user_id,))]
    subjects = [Subject("user", user_id), *(Subject("session", session) for session in sessions)]
    removed = 0
    for key in map(codec.key_of, subjects):
        for table in ("recent", "had", "bought_again", "assignments", "stream"):
            removed += connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,)).rowcount
    for session in sessions:
        connection.execute("DELETE FROM session_times WHERE session_id = ?", (session,))
    for table in ("sessions", "pasts"):
        removed += connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,)).rowcount
    for subject in subjects:
        connection.execute("INSERT OR REPLACE INTO erased VALUES (?, ?)", (codec.hashed_key_of(subject), now_ms))
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
    sqlite_seen.note(connection, event, key=key)
    sqlite_sessions.touch(connection, event.subject, now_ms=now_ms)
    return sequence


def _cap_recent(connection: sqlite3.Connection, keys: set[str]) -> None:
    for key in keys:
        connection.execute(
            "DELETE FROM recent WHERE subject = ?1 AND sequence IN (SELECT sequence FROM recent WHERE subject = ?1 "
            "ORDER BY unix_ms DESC, sequence DESC LIMIT -1 OFFSET ?2)",
            (key, RECENT_EVENTS),
        )
