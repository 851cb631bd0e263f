"""The users of a version, written part by part: what is held at a time is one part, however many users there are."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys import durable_file
from recsys.artifact import layout
from recsys.artifact.history import History
from recsys.errors import ArtifactError

_SCHEMA = pa.schema([pa.field("user_id", pa.large_string())])


@dataclass(frozen=True)
class UserPart:
    """Some users, sorted by id (UTF-8 bytes); every id comes after those of the parts before."""

    ids: list[str]
    embeddings: NDArray[np.float32]  # [n, dim]
    history: History  # of these users: indptr from 0


@dataclass(frozen=True)
class Sizes:
    """What all parts come to."""

    users: int
    pairs: int
    dim: int


def write(directory: Path, parts: Iterable[UserPart], sizes: Sizes) -> None:
    """Write the files of users of a version, as `layout` names them.

    Raises:
        ArtifactError: ids are not in ascending order, or the parts come to something else than `sizes`.
    """
    with tempfile.TemporaryFile(dir=directory) as texts, tempfile.TemporaryFile(dir=directory) as offsets:
        files = {name: (directory / name).open("wb") for name in _ARRAYS}
        try:
            written = _stream(files, texts, offsets, parts, sizes)
            for file in files.values():
                durable_file.flush(file)
        finally:
            for file in files.values():
                file.close()
        if written != (sizes.users, sizes.pairs):
            expected = f"{sizes.users} users with {sizes.pairs} items"
            raise ArtifactError(
                f"users: expected {expected}, as the manifest says, found {written[0]} with {written[1]}"
            )
        _write_ids(directory / layout.USERS, texts, offsets, sizes.users)


_ARRAYS: Final = (
    layout.USER_EMBEDDINGS,
    layout.HISTORY_INDPTR,
    layout.HISTORY_ITEMS,
    layout.HISTORY_TIMES,
    layout.HISTORY_TYPES,
    layout.HISTORY_WEIGHTS,
    layout.HISTORY_TYPE_SETS,
)


def _arrays(part: UserPart) -> dict[str, NDArray[np.generic]]:
    """By the name of the file; `indptr` as it is in the part, without its first 0."""
    history = part.history
    arrays = (part.embeddings, history.indptr[1:], history.items, history.times, history.types)
    return dict(zip(_ARRAYS, (*arrays, history.weights, history.type_sets), strict=True))


def _stream(
    files: Mapping[str, BinaryIO], texts: BinaryIO, offsets: BinaryIO, parts: Iterable[UserPart], sizes: Sizes
) -> tuple[int, int]:
    """Write arrays, of the first part's types, and the bytes of ids; returns the users and pairs that there were."""
    shapes = {layout.USER_EMBEDDINGS: (sizes.users, sizes.dim), layout.HISTORY_INDPTR: (sizes.users + 1,)}
    users, pairs, at, last = 0, 0, 0, None
    dtypes: dict[str, np.dtype[np.generic]] = {}
    offsets.write(np.zeros(1, np.int64).tobytes())
    for part in parts:
        arrays = _arrays(part)
        if not dtypes:
            dtypes = {name: array.dtype for name, array in arrays.items()}
            for name, dtype in dtypes.items():
                _header(files[name], dtype, shapes.get(name, (sizes.pairs,)))
            files[layout.HISTORY_INDPTR].write(np.zeros(1, dtypes[layout.HISTORY_INDPTR]).tobytes())
        encoded = [one.encode() for one in part.ids]
        expect_ascending("user_ids", encoded, after=last, row=users)
        ends = np.cumsum([len(one) for one in encoded], dtype=np.int64) + at
        texts.write(b"".join(encoded))
        offsets.write(ends.tobytes())
        arrays[layout.HISTORY_INDPTR] = part.history.indptr[1:] + pairs
        for name, array in arrays.items():
            files[name].write(np.ascontiguousarray(array, dtypes[name]).data.cast("B") if array.size else b"")
        users, pairs = users + len(encoded), pairs + len(part.history.items)
        if encoded:
            at, last = int(ends[-1]), encoded[-1]
    return users, pairs


def _header(file: BinaryIO, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    """As `np.save` begins a file."""
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def expect_ascending(name: str, encoded: list[bytes], *, after: bytes | None = None, row: int = 0) -> None:
    """Check ids, of which the first stands in this row, behind `after`. Raises: ArtifactError."""
    first = row if after is not None else row + 1
    for place, (before, here) in enumerate(pairwise(encoded if after is None else [after, *encoded]), start=first):
        if before >= here:
            raise ArtifactError(
                f"{name}: expected ids in ascending order, found {here!r} after {before!r} in row {place}"
            )


def _write_ids(path: Path, texts: BinaryIO, offsets: BinaryIO, count: int) -> None:
    """One record batch, uncompressed, out of the files of its buffers: a reader maps it and copies nothing."""
    for file in (texts, offsets):
        file.flush()
    mapped = [pa.py_buffer(_mapped(file)) for file in (offsets, texts)]
    ids = pa.LargeStringArray.from_buffers(count, *mapped)
    with path.open("wb") as file:
        with pa.ipc.new_file(file, _SCHEMA) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays([ids], schema=_SCHEMA))
        durable_file.flush(file)


def _mapped(file: BinaryIO) -> NDArray[np.uint8]:
    """A file's bytes, which the kernel reads where they are needed; of an empty file, which cannot be mapped, none."""
    size = file.seek(0, 2)
    return np.memmap(file, np.uint8, "r") if size else np.empty(0, np.uint8)
