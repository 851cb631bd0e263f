"""Items of the embedded feature store: changes in, records out."""

import sqlite3
from collections.abc import Sequence

from recsys.feature_store import codec
from recsys.feature_store.sqlite_schema import next_number
from recsys.shop.item import ItemChange, ItemRecord, changed

_COLUMNS = "item_id, sequence, is_whole, is_deleted, fields, created_ms, updated_ms"


def change(connection: sqlite3.Connection, changes: Sequence[ItemChange], *, now_ms: int) -> list[ItemRecord]:
    """See `interface.FeatureStore.change_items`; inside a transaction."""
    records: dict[str, ItemRecord] = {}
    for one in changes:
        row = connection.execute(f"SELECT {_COLUMNS} FROM items WHERE item_id = ?", (one.item_id,)).fetchone()
        record = changed(_record(row) if row else None, one, sequence=next_number(connection, "items"), now_ms=now_ms)
        connection.execute(
            f"INSERT OR REPLACE INTO items ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                record.item_id,
                record.sequence,
                record.is_whole,
                record.is_deleted,
                codec.fields_to_text(record.fields),
                record.created_ms,
                record.updated_ms,
            ),
        )
        records[record.item_id] = record
    return [records[one.item_id] for one in changes]


def changes(connection: sqlite3.Connection, *, after_sequence: int, limit: int) -> list[ItemRecord]:
    """See `interface.FeatureStore.item_changes`."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM items WHERE sequence > ? ORDER BY sequence LIMIT ?", (after_sequence, limit)
    )
    return [_record(row) for row in rows]


def _record(row: tuple[str, int, int, int, str, int, int]) -> ItemRecord:
    item_id, sequence, is_whole, is_deleted, fields, created_ms, updated_ms = row
    return ItemRecord(
        item_id, sequence, bool(is_whole), bool(is_deleted), codec.fields_from_text(fields), created_ms, updated_ms
    )
