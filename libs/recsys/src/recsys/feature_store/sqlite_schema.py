"""The tables of the embedded feature store, and connections to its file."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from recsys.feature_store import codec

T = TypeVar("T")

# Keys of subjects are those of `codec.key_of`. Counters live in `meta`, so that they go on after a trim. `sessions`:
# whose a session is by now; `pasts`: whose its entries in stream and lake are from before it was anybody's.
# `bought_again`: pieces bought of an item that `had` has, beyond the first. `session_times`: last event, list or merge.
# `counters`: of items, see `codec.counter_of`. `erased`: keys with the id hashed. Exposures, arms and units were
# counted here once; the sink does that now.
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
CREATE TABLE IF NOT EXISTS bought_again (
  subject TEXT NOT NULL, item_id TEXT NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (subject, item_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session_times (session_id TEXT PRIMARY KEY, last_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_times_by_time ON session_times (last_ms);
CREATE TABLE IF NOT EXISTS sessions (session_id TEXT PRIMARY KEY, user_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user_id);
CREATE TABLE IF NOT EXISTS pasts (user_id TEXT NOT NULL, session_id TEXT NOT NULL, PRIMARY KEY (user_id, session_id))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS histories (subject TEXT PRIMARY KEY, sequence INTEGER NOT NULL, text TEXT NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (item_id TEXT PRIMARY KEY, counter REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_by_weight ON counters (counter);
CREATE TABLE IF NOT EXISTS items (
  item_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, is_whole INTEGER NOT NULL, is_deleted INTEGER NOT NULL,
  fields TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stream (
  sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, entry TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS stream_by_subject ON stream (subject);
CREATE TABLE IF NOT EXISTS erasures (sequence INTEGER PRIMARY KEY, user_hash TEXT NOT NULL, erasure TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS erased (subject TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS assignments (
  subject TEXT NOT NULL, experiment TEXT NOT NULL, arm TEXT NOT NULL, first_ms INTEGER NOT NULL,
  PRIMARY KEY (subject, experiment)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS experiment_states (experiment TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rules (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
DROP TABLE IF EXISTS exposures;
DROP TABLE IF EXISTS arms;
DROP TABLE IF EXISTS units;
"""
# Of sessions that an older version wrote without their times, when they were last heard of.
_MARK_SESSIONS: Final = """
INSERT OR IGNORE INTO session_times SELECT substr(subject, 3), max(unix_ms) FROM
  (SELECT subject, unix_ms FROM recent UNION ALL SELECT subject, first_ms FROM assignments)
  WHERE subject >= 's:' AND subject < 's;' GROUP BY subject;
INSERT OR IGNORE INTO session_times SELECT session_id, coalesce(max(unix_ms), 0) FROM sessions
  LEFT JOIN recent ON subject = 'u:' || user_id GROUP BY session_id;
"""
DAY_MS: Final = 86_400_000
_FREE_WITHIN_S: Final = 5.0  # another process writes: its transactions are short
_AGAIN_S: Final = 0.001


def connect(path: Path) -> sqlite3.Connection:
    """A connection that commits only when told to, to disk, and waits for nobody. Raises: sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    when_free(lambda: connection.execute("PRAGMA journal_mode = WAL"))
    connection.execute("PRAGMA synchronous = FULL")
    connection.create_function("counters_together", 2, codec.counters_together, deterministic=True)
    return connection


def when_free(work: Callable[[], T]) -> T:
    """What `work` returns, tried again while another process holds the file. Raises: sqlite3.Error.

    SQLite's own wait looks every 100 ms in the end: beside a process that writes all the time, which leaves the file
    free for less than one, it may not end. While a file is made it does not wait at all.
    """
    until_s = time.monotonic() + _FREE_WITHIN_S
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the low byte: the rest says of what
            if not is_busy or time.monotonic() > until_s:
                raise
            time.sleep(_AGAIN_S)


def create(path: Path) -> None:
    """Make the file and its tables where they are not there yet. Raises: OSError, sqlite3.Error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    try:
        query = "SELECT 1 FROM sqlite_schema WHERE name = 'session_times'"
        has_times = when_free(lambda: connection.execute(query).fetchone())
        script = f"BEGIN IMMEDIATE; {_SCHEMA} {'' if has_times else _MARK_SESSIONS} COMMIT;"
        when_free(lambda: connection.executescript(script))
    finally:
        connection.close()


def next_number(connection: sqlite3.Connection, name: str) -> int:
    """The next number of a counter, which starts at 1; inside a transaction."""
    [number] = connection.execute(
        "INSERT INTO meta VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET number = number + 1 RETURNING number", (name,)
    ).fetchone()
    return int(number)


def enter(connection: sqlite3.Connection, kind: str, *, key: str, text: str) -> int:
    """Add an entry to the stream, of a subject or ""; returns its sequence. Inside a transaction."""
    sequence = next_number(connection, "stream")
    connection.execute("INSERT INTO stream VALUES (?, ?, ?, ?)", (sequence, kind, key, text))
    return sequence
