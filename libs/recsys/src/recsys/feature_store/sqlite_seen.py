"""What subjects of the embedded feature store have seen. All inside a transaction; `key` is a resolved subject's.

An item that was bought has its row in `had`, and in `bought_again` how many times more; a removal takes one back.
"""

import sqlite3

from recsys.feature_store import codec
from recsys.feature_store.interface import Event, Subject
from recsys.shop.events import PURCHASE, REMOVE


def note(connection: sqlite3.Connection, event: Event, *, key: str) -> None:
    """Add what an event says."""
    if event.event_type == REMOVE:
        _take_back(connection, event.item_id, key=key)
        return
    row = (key, event.event_type, event.item_id)
    is_new = connection.execute("INSERT OR IGNORE INTO had VALUES (?, ?, ?)", row).rowcount
    if event.event_type == PURCHASE and not is_new:
        _buy_again(connection, event.item_id, key=key, times=1)


def seen_by(connection: sqlite3.Connection, subject: Subject) -> dict[str, frozenset[str]]:
    """Event type → ids of items that a resolved subject has seen."""
    rows = connection.execute("SELECT event_type, item_id FROM had WHERE subject = ?", (codec.key_of(subject),))
    return codec.by_type(rows)


def move(connection: sqlite3.Connection, key: str, *, to: str) -> None:
    """Make it somebody else's, beside what they have seen."""
    again = connection.execute("SELECT item_id, times FROM bought_again WHERE subject = ?", (key,)).fetchall()
    both = connection.execute(
        "SELECT item_id, 1 FROM had WHERE subject = ?1 AND event_type = ?3 AND item_id IN "
        "(SELECT item_id FROM had WHERE subject = ?2 AND event_type = ?3)",
        (key, to, PURCHASE),
    ).fetchall()
    for item_id, times in again + both:
        _buy_again(connection, item_id, key=to, times=times)
    connection.execute("UPDATE OR IGNORE had SET subject = ? WHERE subject = ?", (to, key))
    for table in ("had", "bought_again"):
        connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,))


def _buy_again(connection: sqlite3.Connection, item_id: str, *, key: str, times: int) -> None:
    connection.execute(
        "INSERT INTO bought_again VALUES (?, ?, ?) "
        "ON CONFLICT (subject, item_id) DO UPDATE SET times = times + excluded.times",
        (key, item_id, times),
    )


def _take_back(connection: sqlite3.Connection, item_id: str, *, key: str) -> None:
    again = connection.execute(
        "UPDATE bought_again SET times = times - 1 WHERE subject = ? AND item_id = ? RETURNING times", (key, item_id)
    ).fetchone()
    if again is None:
        connection.execute(
            "DELETE FROM had WHERE subject = ? AND event_type = ? AND item_id = ?", (key, PURCHASE, item_id)
        )
    elif again[0] == 0:
        connection.execute("DELETE FROM bought_again WHERE subject = ? AND item_id = ?", (key, item_id))
