"""Trending counters of the embedded feature store: a decayed sum of weights for each item. Inside a transaction.

Weights are kept as if decayed from a landmark onwards: weight × 2^((t − landmark) / half-life).
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from recsys.feature_store.interface import HALF_LIFE_S, LEAST_WEIGHT, MOST_TRENDING, Event, TrendingItem

_HALF_LIFE_MS: Final = HALF_LIFE_S * 1000
_MOST_EXPONENT: Final = 500  # beyond it the landmark moves up, long before a float ends (2^1023)
_CUT_EVERY: Final = 1_000  # events: to count the items takes a millisecond


def heaviest(connection: sqlite3.Connection, *, limit: int, now_ms: int) -> list[TrendingItem]:
    """See `interface.FeatureStore.trending`."""
    landmark = _landmark(connection)
    if landmark is None:
        return []
    decay = 2.0 ** min(1000.0, max(-1000.0, (landmark - now_ms) / _HALF_LIFE_MS))
    rows = connection.execute("SELECT item_id, weight FROM counters ORDER BY weight DESC, item_id LIMIT ?", (limit,))
    return [TrendingItem(item_id, weight * decay) for item_id, weight in rows]


def count(connection: sqlite3.Connection, events: Sequence[Event], *, last_sequence: int, now_ms: int) -> None:
    """Add the weights of new events, once an item, and end the counters that are too light by now.

    Args:
        last_sequence: of the last event in the stream.
    """
    weighty = [event for event in events if event.weight]
    if weighty:
        _add(connection, weighty, now_ms=max(now_ms, *(event.unix_ms for event in weighty)))
    landmark = _landmark(connection)
    if landmark is None:
        return
    least = LEAST_WEIGHT * 2.0 ** min(1000.0, (now_ms - landmark) / _HALF_LIFE_MS)
    connection.execute("DELETE FROM counters WHERE weight < ?", (least,))
    if last_sequence % _CUT_EVERY < len(events):
        connection.execute(
            "DELETE FROM counters WHERE item_id IN "
            "(SELECT item_id FROM counters ORDER BY weight DESC, item_id LIMIT -1 OFFSET ?)",
            (MOST_TRENDING,),
        )


def _add(connection: sqlite3.Connection, events: Sequence[Event], *, now_ms: int) -> None:
    landmark = _landmark(connection)
    if landmark is None or now_ms - landmark > _MOST_EXPONENT * _HALF_LIFE_MS:
        landmark = _move_landmark(connection, landmark, to_ms=now_ms)
    weights: dict[str, float] = {}
    for event in events:
        scaled = event.weight * 2.0 ** ((event.unix_ms - landmark) / _HALF_LIFE_MS)
        weights[event.item_id] = weights.get(event.item_id, 0.0) + scaled
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT (item_id) DO UPDATE SET weight = weight + excluded.weight",
        weights.items(),
    )


def _landmark(connection: sqlite3.Connection) -> int | None:
    found = connection.execute("SELECT number FROM meta WHERE name = 'landmark'").fetchone()
    return found[0] if found else None


def _move_landmark(connection: sqlite3.Connection, landmark: int | None, *, to_ms: int) -> int:
    if landmark is not None:
        shrink = 2.0 ** max(-1000.0, (landmark - to_ms) / _HALF_LIFE_MS)
        connection.execute("UPDATE counters SET weight = weight * ?", (shrink,))
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('landmark', ?)", (to_ms,))
    return to_ms
