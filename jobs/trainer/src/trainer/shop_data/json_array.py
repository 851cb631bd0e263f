"""The bytes of a file that is one JSON array in, its elements as records out, each on a line of its own.

As in `records`, nothing loops over rows.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import DataError
from trainer.shop_data import records
from trainer.shop_data.records import Records

_ARRAY: Final = re.compile(rb"\s*\[\s*(\{|\]\s*$)")
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_SPACE, _BACKSLASH, _COMMA = b" \\,"


def begins(path: Path, *, encoding: str = records.UTF_8) -> bool:
    """Whether the text of a file is an array of JSON objects. Raises: DataError."""
    return _ARRAY.match(next(records.chunks(path, records.HEAD_BYTES, encoding))) is not None


def read(path: Path, *, encoding: str = records.UTF_8, block_bytes: int = records.BLOCK_BYTES) -> Iterator[Records]:
    """The elements of a JSON array, each as a record of one line whose row is its place in the array, from 1.

    Raises:
        DataError: the file cannot be read, or the array is never closed: what follows cannot be told apart.
    """
    rest, first_row, is_closed = b"", 1, False
    for n, chunk in enumerate(records.chunks(path, block_bytes, encoding)):
        data = np.frombuffer(rest + chunk, dtype=np.uint8).copy()
        if n == 0:
            data[: data.tobytes().find(b"[") + 1] = _SPACE
        if is_closed:
            if data.tobytes().strip():
                raise DataError(f"{path}: expected nothing after the end of the array, found {data.tobytes()[:60]!r}")
            continue
        elements, consumed, is_closed = _split(data, first_row=first_row)
        if not is_closed and (not chunk or len(data) - consumed > 2 * block_bytes):
            raise DataError(f"{path} element {first_row + len(elements)}: expected its end and that of the array")
        found = elements.where(~_spaces_alone(elements))
        if len(found):
            yield found
        first_row += len(elements)
        rest = data[consumed:].tobytes()


def _split(data: NDArray[np.uint8], *, first_row: int) -> tuple[Records, int, bool]:
    """The elements of a part of an array that begins between two of them; `data` is changed, each becomes a line.

    Returns:
        The elements that end in it, how many bytes were read, and whether the array ends in it.
    """
    quotes = np.flatnonzero(data == _QUOTE)
    quotes = quotes[~np.isin(quotes, _escaped(data))]

    places = np.flatnonzero(_is_one_of(data, b"{[]},"))
    places = places[np.searchsorted(quotes, places) % 2 == 0]  # outside of strings
    kinds = data[places]
    depth = np.cumsum(_is_one_of(kinds, b"{[").astype(np.int64) - _is_one_of(kinds, b"}]"))
    closing = np.flatnonzero(depth < 0)[:1]
    last = int(closing[0]) if len(closing) else len(places)
    between = places[:last][(depth[:last] == 0) & (kinds[:last] == _COMMA)]
    cuts = np.append(between, places[closing])
    data[(data == _NEWLINE) | (data == _RETURN)] = _SPACE  # none may stand inside a string
    data[cuts] = _NEWLINE
    ends = cuts + 1
    consumed = int(ends[-1]) if len(ends) else 0
    starts = np.concatenate([[0], ends[:-1]])[: len(ends)].astype(np.int64)
    rows = first_row + np.arange(len(ends))
    return Records(data, starts, ends, rows, np.ones_like(ends)), consumed, len(closing) > 0


def _escaped(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Places of the bytes that a backslash stands before which is not itself escaped."""
    slashes = np.flatnonzero(data == _BACKSLASH)
    if not len(slashes):
        return slashes
    is_last = np.append(np.diff(slashes) > 1, True)
    lasts = np.flatnonzero(is_last)
    lengths = np.diff(np.append(-1, lasts))
    escaped: NDArray[np.int64] = slashes[lasts[lengths % 2 == 1]] + 1
    return escaped


def _spaces_alone(elements: Records) -> NDArray[np.bool_]:
    """bool [n]: nothing but white space stands in the record."""
    if not len(elements):
        return np.zeros(0, dtype=bool)
    written = ~_is_one_of(elements.data[: elements.ends[-1]], b" \t\n\r")
    blank: NDArray[np.bool_] = ~np.logical_or.reduceat(written, elements.starts)
    return blank


def _is_one_of(data: NDArray[np.uint8], characters: bytes) -> NDArray[np.bool_]:
    return np.isin(data, np.frombuffer(characters, dtype=np.uint8))
