"""Exposures and arms of the embedded feature store. Writes are inside a transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from recsys.feature_store import codec, sqlite_sessions
from recsys.feature_store.interface import CLOCKS_APART_MS, Exposure, Subject
from recsys.feature_store.sqlite_schema import enter

_FIRST_COUNTS: Final = (
    "ON CONFLICT (subject, experiment) DO UPDATE SET arm = excluded.arm, first_ms = excluded.first_ms "
    "WHERE excluded.first_ms < first_ms"
)


def record(connection: sqlite3.Connection, exposures: Sequence[Exposure]) -> None:
    """See `interface.FeatureStore.record_exposures`."""
    for exposure in exposures:
        if exposure.subject and _is_erased_since(connection, exposure.subject, exposure.unix_ms):
            continue
        subject = exposure.subject and sqlite_sessions.resolve(connection, exposure.subject)
        if subject:
            sqlite_sessions.touch(connection, subject, now_ms=exposure.unix_ms)
        key = codec.key_of(subject) if subject else ""
        enter(connection, "exposure", key=key, text=codec.exposure_to_text(exposure))
        if subject and exposure.experiment:
            connection.execute(
                f"INSERT INTO assignments VALUES (?, ?, ?, ?) {_FIRST_COUNTS}",
                (key, exposure.experiment, exposure.arm, exposure.unix_ms),
            )


def arms_of(connection: sqlite3.Connection, key: str) -> dict[str, str]:
    """Experiment → arm of a subject."""
    return dict(connection.execute("SELECT experiment, arm FROM assignments WHERE subject = ?", (key,)).fetchall())


def merge_arms(connection: sqlite3.Connection, session: str, *, user: str) -> None:
    """Make the arms of a session its user's; of two, the earlier one stays."""
    connection.execute(
        "INSERT INTO assignments SELECT ?, experiment, arm, first_ms FROM assignments WHERE subject = ? "
        + _FIRST_COUNTS,
        (user, session),
    )
    connection.execute("DELETE FROM assignments WHERE subject = ?", (session,))


def _is_erased_since(connection: sqlite3.Connection, subject: Subject, unix_ms: int) -> bool:
    """Whether somebody was erased after this moment, by whichever gateway's clock."""
    query = "SELECT 1 FROM erased WHERE subject = ? AND at_ms >= ?"
    row = (codec.hashed_key_of(subject), unix_ms - CLOCKS_APART_MS)
    return connection.execute(query, row).fetchone() is not None
