"""A Parquet file in, frames of plain columns out: each value is one that text can be made of, or null.

A nested column, where it is asked for, becomes the JSON of what stands in it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from recsys.errors import DataError
from trainer.shop_data import timestamps

_BATCH_ROWS: Final = 1_000_000
_BATCH_VECTORS: Final = 10_000  # which become a hundred megabytes of text
_UNREADABLE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)  # a panic is no Exception


def columns(path: Path) -> tuple[list[str], list[str]]:
    """Those that hold one value a row, and the nested ones. Raises: DataError."""
    try:
        schema = pl.read_parquet_schema(path)
    except _UNREADABLE as error:
        raise DataError(f"{path}: expected a Parquet file: {error}") from error
    read = {name: kind for name, kind in schema.items() if not isinstance(kind, pl.Duration)}
    plain = [name for name, kind in read.items() if not kind.is_nested()]
    return plain, [name for name in read if name not in plain]


def height(path: Path) -> int:
    """How many rows there are. Raises: DataError."""
    try:
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    except _UNREADABLE as error:
        raise DataError(f"{path}: expected a Parquet file: {error}") from error


def frames(path: Path, names: list[str], *, first: int, most: int | None) -> Iterator[pl.DataFrame]:
    """The rows from the first (from 0) on, `most` of them or all, in order, many at a time. Raises: DataError."""
    rows = pl.scan_parquet(path, glob=False).select(names)
    start, left = first, most
    schema = pl.read_parquet_schema(path)
    at_once = _BATCH_VECTORS if any(_is_vector(schema[name]) for name in names) else _BATCH_ROWS
    while left is None or left > 0:
        size = at_once if left is None else min(at_once, left)
        try:
            frame = rows.slice(start, size).collect()
        except _UNREADABLE as error:
            raise DataError(f"{path} after row {start}: cannot be read: {error}") from error
        if frame.is_empty():
            return
        yield frame.select(_plain(column) for column in frame)
        start += frame.height
        left = None if left is None else left - frame.height


def _is_vector(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.List | pl.Array) and kind.inner.is_float()


def _plain(column: pl.Series) -> pl.Series:
    """Null where what stands there means nothing, or is beyond any calendar."""
    if column.dtype.is_nested():
        whole = column.to_frame("it").to_struct().struct.json_encode()
        return whole.str.json_path_match("$.it").alias(column.name)
    if column.dtype.is_float():
        return column.fill_nan(None)  # how pandas writes that nothing stands there
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return timestamps.representable(column)
    if column.dtype == pl.Binary:  # text that its writer did not mark as such
        try:
            return column.cast(pl.String)
        except pl.exceptions.PolarsError:
            return pl.Series(column.name, [_decoded(value) for value in column], dtype=pl.String)
    return column


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None
