"""Sessions of the embedded feature store: whose they are, and when they are forgotten. Inside a transaction."""

import sqlite3
from typing import Final

from recsys.feature_store import codec
from recsys.feature_store.interface import Subject

_MOST_AT_ONCE: Final = 2_000  # sessions forgotten with one write: more than one write begins


def resolve(connection: sqlite3.Connection, subject: Subject) -> Subject:
    """The user that a session was merged into; any other subject itself."""
    if subject.kind == "user":
        return subject
    found = connection.execute("SELECT user_id FROM sessions WHERE session_id = ?", (subject.id,)).fetchone()
    return Subject("user", found[0]) if found else subject


def note_active(connection: sqlite3.Connection, session_id: str, *, now_ms: int) -> None:
    """The session did something."""
    connection.execute("INSERT OR REPLACE INTO active VALUES (?, ?)", (session_id, now_ms))


def forget_old(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Forget sessions that did nothing since: what they did, and whose they are. What became a user's stays there."""
    old = connection.execute(
        "SELECT session_id FROM active WHERE at_ms < ? ORDER BY at_ms LIMIT ?", (before_ms, _MOST_AT_ONCE)
    ).fetchall()
    for (session_id,) in old:
        key = codec.key_of(Subject("session", session_id))
        for table in ("recent", "had", "repeats"):
            connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,))
        for table in ("sessions", "active"):
            connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
