"""Whose a session of the embedded feature store is, when it was last heard of, and what goes when it is quiet for long.

All inside a transaction.
"""

import sqlite3
from typing import Final

from recsys.feature_store import codec
from recsys.feature_store.interface import Subject

_MOST_AT_ONCE: Final = 1_000  # as many as a batch of events may be new


def resolve(connection: sqlite3.Connection, subject: Subject) -> Subject:
    """The user that a session was merged into; any other subject itself."""
    if subject.kind == "user":
        return subject
    found = connection.execute("SELECT user_id FROM sessions WHERE session_id = ?", (subject.id,)).fetchone()
    return Subject("user", found[0]) if found else subject


def touch(connection: sqlite3.Connection, subject: Subject, *, now_ms: int) -> None:
    """Note that a session was heard of, merged into a user or not. A user is never forgotten this way."""
    if subject.kind == "session":
        connection.execute(
            "INSERT INTO session_times VALUES (?, ?) "
            "ON CONFLICT (session_id) DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)",
            (subject.id, now_ms),
        )


def mark_unmarked(connection: sqlite3.Connection) -> None:
    """Note of sessions that an older version wrote, without their times, when they were last heard of.

    Takes 0.2 s for 200,000 sessions of five events.
    """
    connection.execute(
        "INSERT OR IGNORE INTO session_times SELECT substr(subject, 3), max(unix_ms) FROM "
        "(SELECT subject, unix_ms FROM recent UNION ALL SELECT subject, first_ms FROM assignments) "
        "WHERE subject >= 's:' AND subject < 's;' GROUP BY subject"
    )
    connection.execute(
        "INSERT OR IGNORE INTO session_times SELECT session_id, coalesce(max(unix_ms), 0) FROM sessions "
        "LEFT JOIN recent ON subject = 'u:' || user_id GROUP BY session_id"
    )


def forget_quiet(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Forget sessions that were not heard of since, the quietest first: what they have seen, and whose they are."""
    quiet = connection.execute(
        "SELECT session_id FROM session_times WHERE last_ms < ? ORDER BY last_ms LIMIT ?", (before_ms, _MOST_AT_ONCE)
    ).fetchall()
    for (session_id,) in quiet:
        key = codec.key_of(Subject("session", session_id))
        for table in ("recent", "had", "bought_again", "assignments"):
            connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,))
        for table in ("sessions", "session_times"):
            connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
