"""What a subject of the embedded feature store had. Inside a transaction; keys are those of `codec.key_of`."""

import sqlite3

from recsys.event_types import PURCHASE, REMOVE
from recsys.feature_store import codec
from recsys.feature_store.interface import Event, Subject


def had_by(connection: sqlite3.Connection, subject: Subject) -> dict[str, frozenset[str]]:
    """Event type → ids of items that a resolved subject had."""
    had: dict[str, set[str]] = {}
    rows = connection.execute("SELECT event_type, item_id FROM had WHERE subject = ?", (codec.key_of(subject),))
    for event_type, item_id in rows:
        had.setdefault(event_type, set()).add(item_id)
    return {event_type: frozenset(ids) for event_type, ids in had.items()}


def note(connection: sqlite3.Connection, event: Event, *, key: str) -> None:
    """An event more."""
    if event.event_type == REMOVE:
        _take_back(connection, key, event.item_id)
        return
    row = (key, event.event_type, event.item_id)
    is_new = connection.execute("INSERT OR IGNORE INTO had VALUES (?, ?, ?)", row).rowcount
    if event.event_type == PURCHASE and not is_new:
        _repeat(connection, key, event.item_id, purchases=1)


def merge(connection: sqlite3.Connection, key: str, *, into: str) -> None:
    """Make what one subject had another's. Purchases add up, so that as many removals take them back."""
    both = connection.execute(
        "SELECT item_id FROM had WHERE subject = ? AND event_type = ? "
        "INTERSECT SELECT item_id FROM had WHERE subject = ? AND event_type = ?",
        (key, PURCHASE, into, PURCHASE),
    ).fetchall()
    repeats = connection.execute("SELECT item_id, purchases FROM repeats WHERE subject = ?", (key,)).fetchall()
    for item_id, purchases in [*((item_id, 1) for (item_id,) in both), *repeats]:
        _repeat(connection, into, item_id, purchases=purchases)
    connection.execute("UPDATE OR IGNORE had SET subject = ? WHERE subject = ?", (into, key))
    for table in ("had", "repeats"):
        connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,))


def _repeat(connection: sqlite3.Connection, key: str, item_id: str, *, purchases: int) -> None:
    connection.execute(
        "INSERT INTO repeats VALUES (?, ?, ?) "
        "ON CONFLICT (subject, item_id) DO UPDATE SET purchases = purchases + excluded.purchases",
        (key, item_id, purchases),
    )


def _take_back(connection: sqlite3.Connection, key: str, item_id: str) -> None:
    pair = (key, item_id)
    has_more = connection.execute(
        "UPDATE repeats SET purchases = purchases - 1 WHERE subject = ? AND item_id = ?", pair
    ).rowcount
    if has_more:
        connection.execute("DELETE FROM repeats WHERE subject = ? AND item_id = ? AND purchases = 0", pair)
    else:
        connection.execute("DELETE FROM had WHERE subject = ? AND item_id = ? AND event_type = ?", (*pair, PURCHASE))
