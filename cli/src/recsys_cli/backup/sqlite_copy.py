"""The embedded store as one file, copied while it is written to, by SQLite's own online backup."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from recsys import durable_file
from recsys.errors import DataError, StoreUnavailableError
from recsys_cli.backup.manifest import Position

FILE: Final = "features.db"
_BESIDE: Final = ("-wal", "-shm")  # what SQLite keeps beside a file that is open


def take(source: Path, folder: Path) -> Position:
    """Copy the store of a path. Raises: StoreUnavailableError."""
    try:
        with closing(sqlite3.connect(source, timeout=30)) as store, closing(sqlite3.connect(folder / FILE)) as copy:
            store.backup(copy)  # all pages within one reading transaction, which holds no writer up
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            [damage] = copy.execute("PRAGMA quick_check").fetchone()
            if damage != "ok":
                raise StoreUnavailableError(f"{source}: expected a sound database, found: {damage}")
            numbers = dict(copy.execute("SELECT name, number FROM meta WHERE name IN ('stream', 'items')"))
            [first] = copy.execute("SELECT min(sequence) FROM stream").fetchone()
    except sqlite3.Error as error:
        raise StoreUnavailableError(f"{source}: cannot be copied: {error}") from error
    trimmed = numbers.get("stream", 0) if first is None else first - 1
    return Position(stream=numbers.get("stream", 0), trimmed=trimmed, items=numbers.get("items", 0))


def is_empty(target: Path) -> bool:
    """Whether there is no store at a path."""
    return not target.exists()


def restore(folder: Path, target: Path) -> None:
    """Put the copy in a store's place. Nobody may have it open. Raises: OSError, DataError."""
    if not (folder / FILE).is_file():
        raise DataError(f"{folder / FILE}: expected the embedded store's copy, found none")
    target.parent.mkdir(parents=True, exist_ok=True)
    for name in _BESIDE:
        target.with_name(target.name + name).unlink(missing_ok=True)
    with durable_file.replacing(target) as file, (folder / FILE).open("rb") as copy:
        shutil.copyfileobj(copy, file)
