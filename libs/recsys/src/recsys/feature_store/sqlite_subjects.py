"""What the embedded feature store keeps of users and sessions. Writes are inside a transaction.

`key` is that of a resolved subject: a session that was merged counts as its user. An item that was bought has its row
in `had`, and in `bought_again` how many pieces more; a removal takes back its own.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from recsys.feature_store import codec
from recsys.feature_store.interface import LATEST_EVENTS, Event, Exposure, Profile, Subject
from recsys.shop.events import PURCHASE, REMOVE

_MOST_AT_ONCE: Final = 1_000  # as many as a batch of events may be new
_BUY_AGAIN: Final = "ON CONFLICT (subject, item_id) DO UPDATE SET times = times + excluded.times"
_FIRST_COUNTS: Final = (
    "ON CONFLICT (subject, experiment) DO UPDATE SET arm = excluded.arm, first_ms = excluded.first_ms "
    "WHERE excluded.first_ms < first_ms"
)

PROFILE: Final = f"""
WITH owner (key) AS (SELECT 'u:' || user_id FROM sessions WHERE ?1 GLOB 's:*' AND session_id = substr(?1, 3)),
  who (key) AS (SELECT coalesce((SELECT key FROM owner), ?1)),
  latest (from_ms) AS MATERIALIZED (
    SELECT unix_ms FROM recent, who WHERE subject = key ORDER BY unix_ms DESC LIMIT 1 OFFSET {LATEST_EVENTS - 1})
SELECT 0, key, NULL FROM who
UNION ALL SELECT 1, count(*), group_concat('[' || sequence || ',' || event || ']')
  FILTER (WHERE sequence > ?2 OR key GLOB 's:*' OR unix_ms >= ifnull((SELECT from_ms FROM latest), unix_ms))
  FROM recent, who WHERE subject = key
UNION ALL SELECT 2, event_type, json_group_array(item_id) FROM had, who WHERE subject = key GROUP BY event_type
UNION ALL SELECT 3, experiment, arm FROM assignments, who WHERE subject = key
UNION ALL SELECT 4, 0, text FROM histories, who WHERE subject = key
"""
"""Everything of the subject with a key, or of the user that it was merged into, as of one moment."""


def resolve(connection: sqlite3.Connection, subject: Subject) -> Subject:
    """The user that a session was merged into; any other subject itself."""
    if subject.kind == "user":
        return subject
    found = connection.execute("SELECT user_id FROM sessions WHERE session_id = ?", (subject.id,)).fetchone()
    return Subject("user", found[0]) if found else subject


def profile_of(rows: Iterable[tuple[int, Any, Any]]) -> Profile:
    """The profile that PROFILE found."""
    found: tuple[dict[Any, Any], ...] = ({}, {}, {}, {}, {})
    for part, key, value in rows:
        found[part][key] = value
    who, events, seen, arms, history = found
    [(recent_count, texts)] = events.items()
    recent = codec.recent_from_text(f"[{texts or ''}]")
    return Profile(
        codec.subject_of(*who),
        recent,
        {event_type: frozenset(json.loads(item_ids)) for event_type, item_ids in seen.items()},
        arms,
        history=history.get(0, ""),
        omitted=recent_count - len(recent),
    )


def note_seen(connection: sqlite3.Connection, event: Event, *, key: str) -> None:
    """Add what an event says."""
    row = {"key": key, "type": event.event_type, "item": event.item_id, "purchase": PURCHASE}
    if event.event_type != REMOVE:
        is_new = connection.execute("INSERT OR IGNORE INTO had VALUES (:key, :type, :item)", row).rowcount
        more = row | {"pieces": event.quantity - is_new}
        if event.event_type == PURCHASE and more["pieces"]:
            connection.execute(f"INSERT INTO bought_again VALUES (:key, :item, :pieces) {_BUY_AGAIN}", more)
        return
    again = connection.execute(
        "UPDATE bought_again SET times = times - :pieces WHERE subject = :key AND item_id = :item RETURNING times",
        row | {"pieces": event.quantity},
    ).fetchone()
    if again is None or again[0] < 0:
        connection.execute("DELETE FROM had WHERE subject = :key AND event_type = :purchase AND item_id = :item", row)
    if again is not None and again[0] <= 0:
        connection.execute("DELETE FROM bought_again WHERE subject = :key AND item_id = :item", row)


def note_arm(connection: sqlite3.Connection, exposure: Exposure, *, key: str) -> None:
    """Keep the arm of an exposure; of several in one experiment, the earliest one's stays."""
    row = (key, exposure.experiment, exposure.arm, exposure.unix_ms)
    connection.execute(f"INSERT INTO assignments VALUES (?, ?, ?, ?) {_FIRST_COUNTS}", row)


def touch(connection: sqlite3.Connection, subject: Subject, *, now_ms: int) -> None:
    """Note that a session was heard of, merged into a user or not. A user is never forgotten this way."""
    if subject.kind == "session":
        connection.execute(
            "INSERT INTO session_times VALUES (?, ?) "
            "ON CONFLICT (session_id) DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)",
            (subject.id, now_ms),
        )


def move(connection: sqlite3.Connection, key: str, *, to: str) -> int:
    """Make all that is kept of a subject another's, beside what that has; returns how many recent events moved."""
    keys = {"key": key, "to": to, "purchase": PURCHASE}
    moved = connection.execute("UPDATE recent SET subject = :to WHERE subject = :key", keys).rowcount
    connection.execute(
        "INSERT INTO bought_again SELECT :to, item_id, times FROM bought_again WHERE subject = :key UNION ALL "
        "SELECT :to, item_id, 1 FROM had WHERE subject = :key AND event_type = :purchase AND item_id IN "
        f"(SELECT item_id FROM had WHERE subject = :to AND event_type = :purchase) {_BUY_AGAIN}",
        keys,
    )
    connection.execute("UPDATE OR IGNORE had SET subject = :to WHERE subject = :key", keys)
    connection.execute(
        "INSERT INTO assignments SELECT :to, experiment, arm, first_ms FROM assignments WHERE subject = :key "
        + _FIRST_COUNTS,
        keys,
    )
    forget(connection, key)
    return moved


def forget(connection: sqlite3.Connection, key: str) -> int:
    """Remove all that is kept of a subject outside of the stream; returns how many rows."""
    tables = ("recent", "had", "bought_again", "assignments", "histories")
    return sum(connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,)).rowcount for table in tables)


def forget_quiet(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Forget sessions that were not heard of since, the quietest first: what they have seen, and whose they are."""
    quiet = connection.execute(
        "SELECT session_id FROM session_times WHERE last_ms < ? ORDER BY last_ms LIMIT ?", (before_ms, _MOST_AT_ONCE)
    ).fetchall()
    for (session_id,) in quiet:
        forget(connection, codec.key_of(Subject("session", session_id)))
    for table in ("sessions", "session_times"):
        connection.executemany(f"DELETE FROM {table} WHERE session_id = ?", quiet)
