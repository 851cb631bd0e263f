"""The one thread of a process that writes to the embedded feature store, with group commit.

Writes that wait together share one transaction and one flush to disk. A write is acknowledged after the commit; one
that fails by itself is rolled back by itself.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, TypeVar

from recsys.errors import StoreUnavailableError
from recsys.feature_store import sqlite_schema

T = TypeVar("T")

_MOST_AT_ONCE: Final = 64
_LEFT_FREE: Final = 0.05
"""After a transaction the file is left alone for such a share of its time, so that other processes can write too."""
# Of one statement and what it was given; any other error of SQLite is one of the file, and so of all who wait.
_OF_ONE_WRITE: Final = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)


class _Write(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    done: Future[Any]


class SqliteWriter:
    """Runs functions of a connection, each as if in a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, once it is on disk. Raises: StoreUnavailableError, or what `work` raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="feature-store-writer", daemon=True)
            self._thread.start()
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()  # a caller that waits no more takes nothing back
        self._queue.put(_Write(work, done))
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """End the thread after what was given to it."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _serve(self) -> None:
        connection: sqlite3.Connection | None = None
        is_last = False
        while not is_last:
            taken = [self._queue.get()]
            while len(taken) < _MOST_AT_ONCE and not self._queue.empty():  # no other thread takes any
                taken.append(self._queue.get())
            writes = [write for write in taken if write is not None]
            is_last = len(writes) < len(taken)
            if not writes:
                break
            began_s = time.monotonic()
            try:
                connection = connection or sqlite_schema.connect(self._path)
                outcomes = _in_one_transaction(connection, writes)
            except sqlite3.Error as error:
                outcomes = [StoreUnavailableError(f"{self._path}: nothing was written: {error}")] * len(writes)
                if connection is not None:
                    connection.close()
                    connection = None
            for write, outcome in zip(writes, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    write.done.set_exception(outcome)
                else:
                    write.done.set_result(outcome)
            time.sleep((time.monotonic() - began_s) * _LEFT_FREE)
        if connection is not None:
            connection.close()


def _in_one_transaction(connection: sqlite3.Connection, writes: list[_Write]) -> list[Any]:
    """Results, or exceptions of single writes. Raises: sqlite3.Error; nothing was written then."""
    outcomes: list[Any] = []
    sqlite_schema.when_free(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        for write in writes:
            connection.execute("SAVEPOINT one")
            try:
                outcomes.append(write.work(connection))
            except Exception as error:  # handed to the caller as it is
                if isinstance(error, sqlite3.Error) and not isinstance(error, _OF_ONE_WRITE):
                    raise
                connection.execute("ROLLBACK TO one")
                outcomes.append(error)
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes
