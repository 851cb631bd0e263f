"""Events of the embedded feature store: append, merge a session, erase a user. All inside a transaction."""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from recsys.feature_store import codec, sqlite_experiments
from recsys.feature_store.interface import (
    EVENT_ID_DAYS,
    HALF_LIVES_S,
    RECENT_EVENTS,
    Appended,
    Erasure,
    Event,
    Merge,
    StoredEvent,
    Subject,
)
from recsys.feature_store.sqlite_schema import DAY_MS, next_number

# Weights are kept as if decayed from a landmark onwards: weight × 2^((t − landmark) / half-life). Beyond this exponent
# the landmark moves up, long before a float ends (2^1023).
_MOST_EXPONENT: Final = 500
_LEAST_WEIGHT: Final = 1e-9


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
        subject = resolve(connection, event.subject)
        key = codec.key_of(subject)
        _store(connection, event, key=key, sequence=sequence, now_ms=now_ms)
        touched.add(key)
        new.append(event)
        outcomes.append(Appended(sequence, is_duplicate=False))
    _cap_recent(connection, touched)
    _count(connection, [event for event in new if event.weight])
    return outcomes


def resolve(connection: sqlite3.Connection, subject: Subject) -> Subject:
    """The user that a session was merged into; any other subject itself."""
    if subject.kind == "user":
        return subject
    found = connection.execute("SELECT user_id FROM sessions WHERE session_id = ?", (subject.id,)).fetchone()
    return Subject("user", found[0]) if found else subject


def recent_of(connection: sqlite3.Connection, subject: Subject) -> tuple[StoredEvent, ...]:
    """Recent events of a resolved subject, most recent first."""
    rows = connection.execute("SELECT sequence, event FROM recent WHERE subject = ?", (codec.key_of(subject),))
    return codec.by_time([StoredEvent(sequence, codec.event_from_text(text, subject)) for sequence, text in rows])


def had_by(connection: sqlite3.Connection, subject: Subject) -> dict[str, frozenset[str]]:
    """Event type → ids of items that a resolved subject had."""
    had: dict[str, set[str]] = {}
    rows = connection.execute("SELECT event_type, item_id FROM had WHERE subject = ?", (codec.key_of(subject),))
    for event_type, item_id in rows:
        had.setdefault(event_type, set()).add(item_id)
    return {event_type: frozenset(ids) for event_type, ids in had.items()}


def merge_session(connection: sqlite3.Connection, session_id: str, *, user_id: str, now_ms: int) -> int:
    """See `interface.FeatureStore.merge_session`."""
    session, user = codec.key_of(Subject("session", session_id)), codec.key_of(Subject("user", user_id))
    before = resolve(connection, Subject("session", session_id))
    if before.kind == "session":
        connection.execute("INSERT OR IGNORE INTO pasts VALUES (?, ?)", (user_id, session_id))
    if before != Subject("user", user_id):
        text = codec.merge_to_text(Merge(session_id, user_id, now_ms))
        row = (next_number(connection, "stream"), user, text)
        connection.execute("INSERT INTO stream VALUES (?, 'merge', ?, ?)", row)
    connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, user_id))
    moved = connection.execute("UPDATE recent SET subject = ? WHERE subject = ?", (user, session)).rowcount
    connection.execute("UPDATE OR IGNORE had SET subject = ? WHERE subject = ?", (user, session))
    connection.execute("DELETE FROM had WHERE subject = ?", (session,))
    sqlite_experiments.merge_arms(connection, session, user=user)
    _cap_recent(connection, {user})
    return moved


def erase_user(connection: sqlite3.Connection, user_id: str, *, now_ms: int) -> Erasure:
    """See `interface.FeatureStore.erase_user`."""
    sessions = [row[0] for row in connection.execute("SELECT session_id FROM pasts WHERE user_id = ?", (user_id,))]
    subjects = [Subject("user", user_id), *(Subject("session", session) for session in sessions)]
    removed = 0
    for key in map(codec.key_of, subjects):
        for table in ("recent", "had", "assignments", "stream"):
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


def landmark_of(connection: sqlite3.Connection, half_life_s: int) -> int | None:
    """From when on the counters of a half-life are weighed, Unix milliseconds; none: nothing was counted yet."""
    found = connection.execute("SELECT number FROM meta WHERE name = ?", (f"landmark-{half_life_s}",)).fetchone()
    return found[0] if found else None


def _store(connection: sqlite3.Connection, event: Event, *, key: str, sequence: int, now_ms: int) -> None:
    text = codec.event_to_text(event)
    connection.execute("INSERT INTO event_ids VALUES (?, ?, ?)", (event.event_id, sequence, now_ms))
    connection.execute("INSERT INTO stream VALUES (?, 'event', ?, ?)", (sequence, key, text))
    connection.execute("INSERT INTO recent VALUES (?, ?, ?, ?)", (key, sequence, event.unix_ms, text))
    connection.execute("INSERT OR IGNORE INTO had VALUES (?, ?, ?)", (key, event.event_type, event.item_id))


def _count(connection: sqlite3.Connection, events: Sequence[Event]) -> None:
    """Add to the trending counters, once an item."""
    if not events:
        return
    newest_ms = max(event.unix_ms for event in events)
    for half_life_s in HALF_LIVES_S:
        landmark = landmark_of(connection, half_life_s)
        if landmark is None or newest_ms - landmark > _MOST_EXPONENT * half_life_s * 1000:
            landmark = _move_landmark(connection, half_life_s, landmark=landmark, to_ms=newest_ms)
        weights: dict[str, float] = {}
        for event in events:
            scaled = event.weight * 2.0 ** ((event.unix_ms - landmark) / (half_life_s * 1000))
            weights[event.item_id] = weights.get(event.item_id, 0.0) + scaled
        connection.executemany(
            "INSERT INTO trending VALUES (?, ?, ?) "
            "ON CONFLICT (half_life_s, item_id) DO UPDATE SET weight = weight + excluded.weight",
            [(half_life_s, item_id, weight) for item_id, weight in weights.items()],
        )


def _move_landmark(connection: sqlite3.Connection, half_life_s: int, *, landmark: int | None, to_ms: int) -> int:
    if landmark is not None:
        shrink = 2.0 ** max(-1000.0, (landmark - to_ms) / (half_life_s * 1000))
        connection.execute("UPDATE trending SET weight = weight * ? WHERE half_life_s = ?", (shrink, half_life_s))
        connection.execute("DELETE FROM trending WHERE half_life_s = ? AND weight < ?", (half_life_s, _LEAST_WEIGHT))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"landmark-{half_life_s}", to_ms))
    return to_ms


def _cap_recent(connection: sqlite3.Connection, keys: set[str]) -> None:
    for key in keys:
        connection.execute(
            "DELETE FROM recent WHERE subject = ?1 AND sequence IN (SELECT sequence FROM recent WHERE subject = ?1 "
            "ORDER BY unix_ms DESC, sequence DESC LIMIT -1 OFFSET ?2)",
            (key, RECENT_EVENTS),
        )
