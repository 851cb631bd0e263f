"""Where results go is found out before the work begins, so that an hour of it is not lost to a missing folder."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from recsys import durable_file
from recsys.errors import DataError


def must_be_writable(folder: Path) -> None:
    """Make the folder where it is missing. Raises: DataError, where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(f"{folder}: expected a folder to write to: {error.strerror}") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the path's place when all went well; before that, what was there stays.

    Raises:
        DataError: the path is a folder, or nothing can be written beside it.
    """
    if path.is_dir():
        raise DataError(f"{path}: expected the name of a file, found a folder")
    must_be_writable(path.parent)
    with durable_file.replacing(path) as file:
        yield file


@contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    """As `replacing`, for text in UTF-8; line breaks are written as they are given."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.flush()
            text.detach()
