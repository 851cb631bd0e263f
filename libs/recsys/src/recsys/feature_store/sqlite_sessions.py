"""When sessions of the embedded feature store were last heard of, and what goes when one is quiet for long.

All inside a transaction.
"""

import sqlite3
from typing import Final

from recsys.feature_store import codec
from recsys.feature_store.interface import Subject

_MOST_AT_ONCE: Final = 1_000  # as many as a batch of events may be new


def touch(connection: sqlite3.Connection, subject: Subject, *, now_ms: int) -> None:
    """Note that a session was heard of, merged into a user or not. A user is never forgotten this way."""
    if subject.kind == "session":
        connection.execute(
            "INSERT INTO session_times VALUES (?, ?) "
            "ON CONFLICT (session_id) DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)",
            (subject.id, now_ms),
        )


def forget_quiet(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Forget sessions that were not heard of since, the quietest first: what they had, and whose they are."""
    quiet = connection.execute(
        "SELECT session_id FROM session_times WHERE last_ms < ? ORDER BY last_ms LIMIT ?", (before_ms, _MOST_AT_ONCE)
    ).fetchall()
    for (session_id,) in quiet:
        key = codec.key_of(Subject("session", session_id))
        for table in ("recent", "had", "bought_again", "assignments"):
            connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,))
        for table in ("sessions", "session_times"):
            connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
