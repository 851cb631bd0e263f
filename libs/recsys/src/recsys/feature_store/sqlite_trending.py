"""Trending counters of the embedded feature store. All inside a transaction.

Weights are kept as if decayed from a landmark onwards: weight × 2^((t − landmark) / half-life).
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from recsys.feature_store.interface import HALF_LIFE_S, MOST_TRENDING, Event, TrendingItem

_HALF_LIFE_MS: Final = HALF_LIFE_S * 1000
_MOST_EXPONENT: Final = 500  # half-lives after which the landmark moves up, long before a float ends (2^1023)
_LEAST_WEIGHT: Final = 1e-9
_LANDMARK: Final = f"landmark-{HALF_LIFE_S}"


def heaviest(connection: sqlite3.Connection, *, limit: int, now_ms: int) -> list[TrendingItem]:
    """See `interface.FeatureStore.trending`."""
    landmark = _landmark(connection)
    if landmark is None:
        return []
    decay = 2.0 ** min(1000.0, max(-1000.0, (landmark - now_ms) / _HALF_LIFE_MS))
    rows = connection.execute(
        "SELECT item_id, weight FROM trending WHERE half_life_s = ? ORDER BY weight DESC, item_id LIMIT ?",
        (HALF_LIFE_S, limit),
    )
    return [TrendingItem(item_id, weight * decay) for item_id, weight in rows]


def count(connection: sqlite3.Connection, events: Sequence[Event]) -> None:
    """Add to the counters, once an item, and drop the lightest beyond MOST_TRENDING."""
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
        "INSERT INTO trending VALUES (?, ?, ?) "
        "ON CONFLICT (half_life_s, item_id) DO UPDATE SET weight = weight + excluded.weight",
        [(HALF_LIFE_S, item_id, weight) for item_id, weight in weights.items()],
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
