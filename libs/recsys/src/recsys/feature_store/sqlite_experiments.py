"""Exposures and arms of the embedded feature store. Writes are inside a transaction."""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from recsys.feature_store import codec
from recsys.feature_store.interface import CLOCKS_APART_MS, Exposure, Subject
from recsys.feature_store.sqlite_schema import next_number

_FIRST_COUNTS: Final = (
    "ON CONFLICT (subject, experiment) DO UPDATE SET arm = excluded.arm, first_ms = excluded.first_ms "
    "WHERE excluded.first_ms < first_ms"
)


def record(connection: sqlite3.Connection, exposures: Sequence[tuple[Exposure, Subject | None]]) -> None:
    """See `interface.FeatureStore.record_exposures`; beside each exposure whose it is by now."""
    erased = _erased_since(connection, min((exposure.unix_ms for exposure, _ in exposures), default=0))
    for exposure, subject in exposures:
        if exposure.subject and exposure.unix_ms <= erased.get(_hashed(exposure.subject), -1):
            continue
        key = codec.key_of(subject) if subject else ""
        row = (next_number(connection, "stream"), key, codec.exposure_to_text(exposure))
        connection.execute("INSERT INTO stream VALUES (?, 'exposure', ?, ?)", row)
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


def _erased_since(connection: sqlite3.Connection, since_ms: int) -> dict[tuple[str, str], int]:
    """Who was erased later than this: kind and hash → until when, by whichever gateway's clock, a list is older."""
    erased: dict[tuple[str, str], int] = {}
    for text, sequence in connection.execute("SELECT erasure, sequence FROM erasures ORDER BY sequence DESC"):
        erasure = codec.erasure_from_text(text, sequence)
        until_ms = erasure.erased_ms + CLOCKS_APART_MS
        if until_ms < since_ms:
            break
        for subject in (("user", erasure.user_hash), *(("session", one) for one in erasure.session_hashes)):
            erased.setdefault(subject, until_ms)
    return erased


def _hashed(subject: Subject) -> tuple[str, str]:
    return subject.kind, sha256(subject.id.encode()).hexdigest()
