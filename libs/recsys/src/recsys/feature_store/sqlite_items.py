"""What the embedded feature store keeps of items: their records, and trending counters. Inside a transaction.

Weights are kept as if decayed from a landmark onwards: weight × 2^((t − landmark) / half-life).
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from recsys.feature_store import codec
from recsys.feature_store.interface import HALF_LIFE_S, MOST_TRENDING, Event, TrendingItem
from recsys.feature_store.sqlite_schema import next_number
from recsys.shop.item import ItemChange, ItemRecord, changed

_HALF_LIFE_MS: Final = HALF_LIFE_S * 1000
_MOST_EXPONENT: Final = 500  # half-lives after which the landmark moves up, long before a float ends (2^1023)
_LEAST_WEIGHT: Final = 1e-9
_LANDMARK: Final = f"landmark-{HALF_LIFE_S}"
_COLUMNS: Final = "item_id, sequence, is_whole, is_deleted, fields, created_ms, updated_ms"
_VALUES: Final = ":" + _COLUMNS.replace(", ", ", :")


def change(connection: sqlite3.Connection, changes: Sequence[ItemChange], *, now_ms: int) -> list[ItemRecord]:
    """See `interface.FeatureStore.change_items`."""
    records: dict[str, ItemRecord] = {}
    for one in changes:
        row = connection.execute(f"SELECT {_COLUMNS} FROM items WHERE item_id = ?", (one.item_id,)).fetchone()
        record = changed(_record(row) if row else None, one, sequence=next_number(connection, "items"), now_ms=now_ms)
        values = asdict(record) | {"fields": codec.fields_to_text(record.fields)}
        connection.execute(f"INSERT OR REPLACE INTO items ({_COLUMNS}) VALUES ({_VALUES})", values)
        records[record.item_id] = record
    return [records[one.item_id] for one in changes]


def changes(connection: sqlite3.Connection, *, after_sequence: int, limit: int) -> list[ItemRecord]:
    """See `interface.FeatureStore.item_changes`."""
    query = f"SELECT {_COLUMNS} FROM items WHERE sequence > ? ORDER BY sequence LIMIT ?"
    return [_record(row) for row in connection.execute(query, (after_sequence, limit))]


def _record(row: tuple[Any, ...]) -> ItemRecord:
    item_id, sequence, is_whole, is_deleted, fields, *times = row
    return ItemRecord(item_id, sequence, bool(is_whole), bool(is_deleted), codec.fields_from_text(fields), *times)


def trending(connection: sqlite3.Connection, *, limit: int, now_ms: int) -> list[TrendingItem]:
    """See `interface.FeatureStore.trending`."""
    landmark = _landmark(connection)
    if landmark is None:
        return []
    decay = 2.0 ** min(1000.0, max(-1000.0, (landmark - now_ms) / _HALF_LIFE_MS))
    query = "SELECT item_id, weight FROM trending WHERE half_life_s = ? ORDER BY weight DESC, item_id LIMIT ?"
    return [
        TrendingItem(item_id, weight * decay) for item_id, weight in connection.execute(query, (HALF_LIFE_S, limit))
    ]


def count(connection: sqlite3.Connection, events: Sequence[Event]) -> None:
    """Add events that have a weight to the counters, once an item."""
    if not events:
        return
    newest_ms = max(event.unix_ms for event in events)
    landmark = _landmark(connection)
    if landmark is None or newest_ms - landmark > _MOST_EXPONENT * _HALF_LIFE_MS:
        landmark = _move_landmark(connection, landmark, to_ms=newest_ms)
    weights: dict[str, float] = {}
    for event in events:
        scaled = event.weight * 2.0 ** ((event.unix_ms - landmark) / _HALF_LIFE_MS)
        weights[event.item_id] = weights.get(event.item_id, 0.0) + scaled
    connection.executemany(
        f"INSERT INTO trending VALUES ({HALF_LIFE_S}, ?, ?) "
        "ON CONFLICT (half_life_s, item_id) DO UPDATE SET weight = weight + excluded.weight",
        weights.items(),
    )


def drop_lightest(connection: sqlite3.Connection) -> None:
    """Keep MOST_TRENDING counters. It walks past all of them, so it is not for every write."""
    connection.execute(
        "DELETE FROM trending WHERE (half_life_s, item_id) IN (SELECT half_life_s, item_id FROM trending "
        "WHERE half_life_s = ? ORDER BY weight DESC, item_id LIMIT -1 OFFSET ?)",
        (HALF_LIFE_S, MOST_TRENDING),
    )


def _landmark(connection: sqlite3.Connection) -> int | None:
    """From when on the counters are weighed, Unix milliseconds; none: nothing was counted yet."""
    found = connection.execute("SELECT number FROM meta WHERE name = ?", (_LANDMARK,)).fetchone()
    return found[0] if found else None


def _move_landmark(connection: sqlite3.Connection, landmark: int | None, *, to_ms: int) -> int:
    if landmark is not None:
        shrink = 2.0 ** max(-1000.0, (landmark - to_ms) / _HALF_LIFE_MS)
        connection.execute("UPDATE trending SET weight = weight * ?", (shrink,))
        connection.execute("DELETE FROM trending WHERE weight < ?", (_LEAST_WEIGHT,))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_LANDMARK, to_ms))
    return to_ms
