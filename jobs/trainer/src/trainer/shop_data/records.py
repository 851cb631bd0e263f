"""The bytes of a text file in, whole records with their line numbers out.

A record is one line, or, where quotes count (CSV, RFC 4180), a line together with the line breaks inside its quotes.
All of it is numpy over blocks of bytes: nothing loops over rows.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import DataError

BLOCK_BYTES = 1 << 25
UTF_8: Final = "utf-8"
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
HEAD_BYTES: Final = 1 << 16  # of a file: whether its lines end in a carriage return alone
_OTHER_FORMATS: Final = {b"PK\x03\x04": "a zip archive: unpack it", b"\x1f\x8b": "gzipped text: end its name in .gz"}

_MARK: Final = "trainer.mark"


@dataclass(frozen=True)
class Records:
    """Some records of one block."""

    data: NDArray[np.uint8]  # of the block that they stand in
    starts: NDArray[np.int64]  # [n] first byte
    ends: NDArray[np.int64]  # [n] one past the line break
    rows: NDArray[np.int64]  # [n] line of the file, from 1, that the record starts in
    fields: NDArray[np.int64]  # [n] separators outside quotes, plus one

    def __len__(self) -> int:
        return len(self.starts)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Records":
        """Those of a mask [n], of positions in ascending order, or of a slice."""
        return Records(self.data, self.starts[chosen], self.ends[chosen], self.rows[chosen], self.fields[chosen])

    def joined(self) -> bytes:
        """The bytes of these records, one after another."""
        if not len(self):
            return b""
        first, last = int(self.starts[0]), int(self.ends[-1])
        span = self.data[first:last]
        edges = np.zeros(len(span) + 1, dtype=np.int8)
        edges[self.starts - first] += 1
        edges[self.ends - first] -= 1
        return bytes(span[np.cumsum(edges[:-1], dtype=np.int8).astype(bool)])

    def texts(self) -> list[str]:
        """The records as text for people, without their line breaks; bytes that are not UTF-8 are replaced."""
        slices = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return [self.data[start:end].tobytes().decode("utf-8", "replace").rstrip("\r\n") for start, end in slices]

    def blank(self) -> NDArray[np.bool_]:
        """bool [n]: nothing stands in the record, not even a space."""
        lengths = self.ends - self.starts
        empty: NDArray[np.bool_] = (lengths == 1) | ((lengths == 2) & (self.data[self.starts] == _RETURN))
        return empty

    def valid_utf8(self) -> NDArray[np.bool_]:
        """bool [n]"""
        valid = np.ones(len(self), dtype=bool)
        if not len(self) or _is_utf8(self.data):
            return valid
        beyond_ascii = np.concatenate([[0], np.cumsum(self.data > 127)])
        for n in np.flatnonzero(beyond_ascii[self.ends] > beyond_ascii[self.starts]).tolist():
            valid[n] = _is_utf8(self.data[self.starts[n] : self.ends[n]])
        return valid


def read(
    path: Path, *, separator: str | None, encoding: str = UTF_8, block_bytes: int = BLOCK_BYTES
) -> Iterator[Records]:
    """The records of a file, gzipped or not, block by block.

    Args:
        path: the file; a name that ends in .gz is gzipped.
        separator: what parts fields; None: every line is a record of one field, and quotes do not count.
        encoding: of the text; a byte order mark of UTF-16 says so whatever this is.
        block_bytes: how much to read at a time; no record may be longer than twice this.

    Raises:
        DataError: the file cannot be read, or a quote is opened and never closed.
    """
    rest, first_row = b"", 1
    for chunk in chunks(path, block_bytes, encoding):
        if not chunk and not rest:
            break
        data = np.frombuffer(rest + (chunk or b"\n"), dtype=np.uint8)
        records = _split(data, separator=separator, first_row=first_row)
        consumed = int(records.ends[-1]) if len(records) else 0
        if consumed < len(data) and (not chunk or len(data) > 2 * block_bytes):
            row = first_row + int(np.count_nonzero(data[:consumed] == _NEWLINE))
            found = f"none in {len(data) - consumed:,} bytes" if separator is None else "a quote that is never closed"
            raise DataError(f"{path} row {row}: expected the end of the row, found {found}")
        if len(records):
            yield records
        first_row += int(np.count_nonzero(data[:consumed] == _NEWLINE))
        rest = data[consumed:].tobytes()


def chunks(path: Path, size: int, encoding: str) -> Iterator[bytes]:
    """The file's text as UTF-8 with line feeds and without a byte order mark, then one empty chunk for the end."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            chunk = file.read(size)
            for signature, what in _OTHER_FORMATS.items():
                if chunk.startswith(signature):
                    raise DataError(f"{path}: expected text, found {what}")
            decoder = _decoder(chunk, encoding)
            ends_in_returns = None
            while chunk:
                more = file.read(size)
                text = chunk if decoder is None else decoder.decode(chunk, not more).encode(UTF_8, "surrogatepass")
                if ends_in_returns is None and text:
                    text = text.removeprefix(_BYTE_ORDER_MARK)
                    head = text[:HEAD_BYTES]
                    ends_in_returns = b"\r" in head.removesuffix(b"\r") and b"\n" not in head
                if text:
                    yield text.replace(b"\r", b"\n") if ends_in_returns else text
                chunk = more
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except UnicodeError as error:
        raise DataError(f"{path}: expected text in {encoding}: {error}") from error
    yield b""


def _decoder(head: bytes, encoding: str) -> codecs.IncrementalDecoder | None:
    """What makes characters of a file's bytes; none: they are UTF-8."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    if encoding == UTF_8:
        return None
    return codecs.getincrementaldecoder(encoding)(_MARK)


def _mark(error: UnicodeError) -> tuple[str, int]:
    """What cannot be decoded becomes a lone surrogate, which is no valid UTF-8 either: its record is set aside."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_MARK, _mark)


def _split(data: NDArray[np.uint8], *, separator: str | None, first_row: int) -> Records:
    newlines = np.flatnonzero(data == _NEWLINE)
    if separator is None:
        ends = newlines + 1
        parted = np.zeros(len(data), dtype=bool)
    else:
        outside = np.bitwise_xor.accumulate(data == _QUOTE) == 0
        ends = newlines[outside[newlines]] + 1
        parted = (data == ord(separator)) & outside
    if not len(ends):
        return Records(data[:0], ends, ends, ends, ends)
    whole = int(ends[-1])  # what follows is the beginning of a record that the next block ends
    starts = np.concatenate([[0], ends[:-1]])
    rows = first_row + np.searchsorted(newlines, starts)
    fields = 1 + np.diff(np.searchsorted(np.flatnonzero(parted), ends), prepend=0)
    return Records(data[:whole], starts, ends, rows, fields)


def _is_utf8(data: NDArray[np.uint8]) -> bool:
    try:
        str(data.data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
