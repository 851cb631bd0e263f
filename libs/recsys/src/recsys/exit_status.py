"""How the commands of people end: a sentence and an exit status where something foreseen goes wrong, never a traceback.

`recsys` and `python -m trainer` end alike; the table is in docs/command-line.md.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

from recsys.errors import (
    ItemNotFoundError,
    ObjectStoreError,
    RecsysError,
    StoreUnavailableError,
    VersionNotFoundError,
)


class Status(IntEnum):
    """What a command ends with."""

    DONE = 0
    FOUND_WRONG = 1  # a check has found something to mend
    CANNOT = 2  # wrong arguments, settings, files or data
    REFUSED = 3  # by the trainer's gate
    NOT_FOUND = 4  # no such item, user, list, version or experiment
    UNAVAILABLE = 5  # the API, the feature store or the object store does not answer: try again
    NO_ACCESS = 6  # the API key is missing, unknown or lacks the scope


def status_of(error: RecsysError) -> Status:
    """What a command ends with that this error has stopped."""
    if isinstance(error, StoreUnavailableError | ObjectStoreError):
        return Status.UNAVAILABLE
    if isinstance(error, VersionNotFoundError | ItemNotFoundError):
        return Status.NOT_FOUND
    return Status.CANNOT


@contextmanager
def ended_by_a_sentence() -> Iterator[None]:
    """What is foreseen to go wrong within the block ends the process."""
    try:
        yield
    except RecsysError as error:
        end(str(error), status_of(error))
    except OSError as error:  # a full disk, a folder where a file should be, a file of somebody else
        where = error.filename or "the volume (--artifact-dir)"  # unnamed: while writing
        end(f"{where}: {error.strerror or error}", Status.CANNOT)
    except MemoryError as error:
        end(f"not enough memory: {error}", Status.CANNOT)


def end(message: str, status: Status) -> NoReturn:
    """Say what went wrong on stderr, and end the process."""
    sys.stderr.write(f"error: {message}\n")
    sys.exit(status)
