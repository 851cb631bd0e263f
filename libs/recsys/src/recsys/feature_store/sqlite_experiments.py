"""Exposures and experiments of the embedded feature store. Writes are inside a transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from recsys.feature_store import codec
from recsys.feature_store.interface import EXPOSURE_DAYS, ArmTotals, Event, Exposure
from recsys.feature_store.sqlite_schema import DAY_MS, next_number

PURCHASE: Final = "purchase"


def record(connection: sqlite3.Connection, exposures: Sequence[Exposure]) -> None:
    """See `interface.FeatureStore.record_exposures`."""
    for exposure in exposures:
        key = codec.key_of(exposure.subject) if exposure.subject else ""
        inserted = connection.execute(
            "INSERT OR IGNORE INTO exposures VALUES (?, ?, ?, ?, ?, 0)",
            (exposure.request_id, key, exposure.experiment, exposure.arm, exposure.unix_ms),
        ).rowcount
        if inserted:
            connection.execute(
                "INSERT INTO stream VALUES (?, 'exposure', ?, ?)",
                (next_number(connection, "stream"), key, codec.exposure_to_text(exposure)),
            )
            _count_exposure(connection, exposure, key=key)
    if exposures:
        oldest_ms = max(exposure.unix_ms for exposure in exposures) - EXPOSURE_DAYS * DAY_MS
        connection.execute("DELETE FROM exposures WHERE at_ms < ?", (oldest_ms,))


def count_event(connection: sqlite3.Connection, event: Event, *, key: str) -> None:
    """What a new event of a resolved subject means to experiments: a click, a conversion, both or nothing."""
    if event.request_id:
        _count_click(connection, event.request_id)
    if event.event_type == PURCHASE:
        connection.execute(
            "UPDATE units SET is_converted = 1, revenue = revenue + ? WHERE subject = ? AND first_ms <= ?",
            (event.value or 0.0, key, event.unix_ms),
        )


def totals(connection: sqlite3.Connection, experiment: str) -> dict[str, ArmTotals]:
    """See `interface.FeatureStore.experiment_totals`."""
    units = {
        arm: figures
        for arm, *figures in connection.execute(
            "SELECT arm, COUNT(*), SUM(is_clicked), SUM(is_converted), SUM(revenue), SUM(revenue * revenue) "
            "FROM units WHERE experiment = ? GROUP BY arm",
            (experiment,),
        )
    }
    rows = connection.execute(
        "SELECT arm, exposures, empty, clicked, latency_ms FROM arms WHERE experiment = ?", (experiment,)
    )
    found = {}
    for arm, exposures, empty, clicked, latency_ms in rows:
        count, clicked_units, converted, revenue, squares = units.get(arm, (0, 0, 0, 0.0, 0.0))
        found[arm] = ArmTotals(
            exposures=exposures,
            empty_exposures=empty,
            clicked_exposures=clicked,
            units=count,
            clicked_units=clicked_units,
            converted_units=converted,
            revenue=revenue,
            revenue_squares=squares,
            latency_ms_sum=latency_ms,
        )
    return found


def forget(connection: sqlite3.Connection, key: str) -> int:
    """Remove what is known of a subject; returns how many entries. Counts of exposures name nobody and stay."""
    return sum(
        connection.execute(f"DELETE FROM {table} WHERE subject = ?", (key,)).rowcount
        for table in ("exposures", "units")
    )


def _count_exposure(connection: sqlite3.Connection, exposure: Exposure, *, key: str) -> None:
    if exposure.experiment is None or exposure.arm is None:
        return
    is_empty = int(not exposure.item_ids)
    connection.execute(
        "INSERT INTO arms VALUES (?1, ?2, 1, ?3, 0, ?4) ON CONFLICT (experiment, arm) DO UPDATE SET "
        "exposures = exposures + 1, empty = empty + ?3, latency_ms = latency_ms + ?4",
        (exposure.experiment, exposure.arm, is_empty, exposure.latency_ms),
    )
    if key:
        connection.execute(
            "INSERT OR IGNORE INTO units VALUES (?, ?, ?, ?, 0, 0, 0)",
            (key, exposure.experiment, exposure.arm, exposure.unix_ms),
        )


def _count_click(connection: sqlite3.Connection, request_id: str) -> None:
    clicked = connection.execute(
        "UPDATE exposures SET is_clicked = 1 WHERE request_id = ? AND is_clicked = 0 "
        "RETURNING subject, experiment, arm",
        (request_id,),
    ).fetchone()
    if clicked and clicked[1] is not None:
        subject, experiment, arm = clicked
        connection.execute("UPDATE arms SET clicked = clicked + 1 WHERE experiment = ? AND arm = ?", (experiment, arm))
        connection.execute(
            "UPDATE units SET is_clicked = 1 WHERE subject = ? AND experiment = ?", (subject, experiment)
        )
