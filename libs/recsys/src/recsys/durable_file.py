"""A file that is replaced whole and survives the loss of power: a reader finds the old content or the new."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

TEMPORARY: Final = ".new"
"""What the name of a file ends with that takes another's place when it is complete."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the path's place when all went well; else what was there stays.

    Raises: OSError, where it cannot be written.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")  # two processes may write the same at once
    try:
        with beside.open("wb") as file:
            yield file
            flush(file)
        os.replace(beside, path)
        flush_dir(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def replace(path: Path, content: bytes | memoryview) -> None:
    """The file with this content. Raises: OSError."""
    with replacing(path) as file:
        file.write(content)


def replace_by_link(path: Path, target: Path) -> None:
    """A symbolic link in the path's place. Raises: OSError."""
    beside = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
    beside.unlink(missing_ok=True)  # of a process of this number that was killed here: a container's is always 1
    beside.symlink_to(target)
    os.replace(beside, path)
    flush_dir(path.parent)


def flush(file: BinaryIO) -> None:
    """What was written so far is on disk."""
    file.flush()  # from Python's buffer to the kernel; fsync does the rest
    os.fsync(file.fileno())


def flush_dir(directory: Path) -> None:
    """The names in a directory are on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
