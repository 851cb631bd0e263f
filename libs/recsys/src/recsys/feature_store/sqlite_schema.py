"""The tables of the embedded feature store, and connections to its file."""

import sqlite3
from pathlib import Path
from typing import Final

# Keys of subjects are those of `codec.key_of`. Counters live in `meta`, so that they go on after a trim. `sessions`:
# whose a session is by now; `pasts`: whose its entries in stream and lake are from before it was anybody's; `active`:
# when it did something last. `repeats`: purchases of an item beyond the one in `had`. `trending` was earlier.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_ids (event_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_ids_by_time ON event_ids (at_ms);
CREATE TABLE IF NOT EXISTS recent (
  subject TEXT NOT NULL, sequence INTEGER NOT NULL, unix_ms INTEGER NOT NULL, event TEXT NOT NULL,
  PRIMARY KEY (subject, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS had (
  subject TEXT NOT NULL, event_type TEXT NOT NULL, item_id TEXT NOT NULL,
  PRIMARY KEY (subject, event_type, item_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS repeats (
  subject TEXT NOT NULL, item_id TEXT NOT NULL, purchases INTEGER NOT NULL, PRIMARY KEY (subject, item_id))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS active (session_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS active_by_time ON active (at_ms);
CREATE TABLE IF NOT EXISTS sessions (session_id TEXT PRIMARY KEY, user_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user_id);
CREATE TABLE IF NOT EXISTS pasts (user_id TEXT NOT NULL, session_id TEXT NOT NULL, PRIMARY KEY (user_id, session_id))
  WITHOUT ROWID;
DROP TABLE IF EXISTS trending;
CREATE TABLE IF NOT EXISTS counters (item_id TEXT PRIMARY KEY, weight REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_by_weight ON counters (weight);
CREATE TABLE IF NOT EXISTS items (
  item_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, is_whole INTEGER NOT NULL, is_deleted INTEGER NOT NULL,
  fields TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stream (
  sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, entry TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS stream_by_subject ON stream (subject);
CREATE TABLE IF NOT EXISTS erasures (sequence INTEGER PRIMARY KEY, user_hash TEXT NOT NULL, erasure TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS exposures (
  request_id TEXT PRIMARY KEY, subject TEXT NOT NULL, experiment TEXT, arm TEXT, at_ms INTEGER NOT NULL,
  is_clicked INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exposures_by_time ON exposures (at_ms);
CREATE INDEX IF NOT EXISTS exposures_by_subject ON exposures (subject);
CREATE TABLE IF NOT EXISTS arms (
  experiment TEXT NOT NULL, arm TEXT NOT NULL, exposures INTEGER NOT NULL, empty INTEGER NOT NULL,
  clicked INTEGER NOT NULL, latency_ms REAL NOT NULL, PRIMARY KEY (experiment, arm)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS units (
  subject TEXT NOT NULL, experiment TEXT NOT NULL, arm TEXT NOT NULL, first_ms INTEGER NOT NULL,
  is_clicked INTEGER NOT NULL, is_converted INTEGER NOT NULL, revenue REAL NOT NULL,
  PRIMARY KEY (subject, experiment)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS units_by_experiment ON units (experiment);
CREATE TABLE IF NOT EXISTS experiment_states (experiment TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
"""
DAY_MS: Final = 86_400_000
_BUSY_MS: Final = 5_000  # another process writes: its transactions are short


def connect(path: Path) -> sqlite3.Connection:
    """A connection that commits only when told to, to disk. Raises: sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def create(path: Path) -> None:
    """Make the file and its tables where they are not there yet. Raises: OSError, sqlite3.Error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    finally:
        connection.close()


def next_number(connection: sqlite3.Connection, name: str) -> int:
    """The next number of a counter, which starts at 1; inside a transaction."""
    [number] = connection.execute(
        "INSERT INTO meta VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET number = number + 1 RETURNING number", (name,)
    ).fetchone()
    return int(number)
