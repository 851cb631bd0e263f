"""Opens one version of the artifact: everything memory-mapped, everything checked first.

A version that is not what its manifest says is refused with an `ArtifactError` that names the file, what was expected
and what was found.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from recsys.artifact import layout
from recsys.artifact.catalogue import SCHEMA, Catalogue
from recsys.artifact.history import History
from recsys.artifact.manifest import FORMAT_VERSION, FileEntry, Manifest
from recsys.artifact.sorted_ids import SortedIds
from recsys.errors import ArtifactError

_CHECK_BLOCK_ROWS = 65_536
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class Artifact:
    """One version, open and checked. Arrays are read-only views of the files."""

    manifest: Manifest
    users: SortedIds
    items: SortedIds
    user_embeddings: NDArray[np.float32]  # [n_users, dim]
    item_embeddings: NDArray[np.float32]  # [n_items, dim]
    catalogue: Catalogue
    history: History
    popularity: NDArray[np.float32]  # [n_items]
    retrieval_index_path: Path
    similar_index_path: Path


def open_artifact(version_dir: Path) -> Artifact:
    """Open and check a version's directory.

    Raises:
        ArtifactError: a file is missing, cut short, changed, of another format version, shape or dtype, or holds NaN.
    """
    manifest = read_manifest(version_dir)
    _check_files(version_dir, manifest)
    n_users, n_items, nnz = manifest.user_count, manifest.item_count, manifest.interaction_count
    users = _read_batch(version_dir / layout.USERS, ["user_id"], n_users)
    items = _read_batch(version_dir / layout.ITEMS, SCHEMA.names, n_items)
    artifact = Artifact(
        manifest=manifest,
        users=SortedIds(users.column("user_id")),
        items=SortedIds(items.column("item_id")),
        user_embeddings=_read_array(version_dir / layout.USER_EMBEDDINGS, np.float32, (n_users, manifest.dim)),
        item_embeddings=_read_array(version_dir / layout.ITEM_EMBEDDINGS, np.float32, (n_items, manifest.dim)),
        catalogue=Catalogue(items),
        history=History(
            indptr=_read_array(version_dir / layout.HISTORY_INDPTR, np.int64, (n_users + 1,)),
            items=_read_array(version_dir / layout.HISTORY_ITEMS, np.int32, (nnz,)),
            times=_read_array(version_dir / layout.HISTORY_TIMES, np.int64, (nnz,)),
            types=_read_array(version_dir / layout.HISTORY_TYPES, np.uint8, (nnz,)),
            event_types=manifest.event_types,
        ),
        popularity=_read_array(version_dir / layout.POPULARITY, np.float32, (n_items,)),
        retrieval_index_path=version_dir / layout.RETRIEVAL_INDEX,
        similar_index_path=version_dir / layout.SIMILAR_INDEX,
    )
    _check_finite(version_dir / layout.USER_EMBEDDINGS, artifact.user_embeddings)
    _check_finite(version_dir / layout.ITEM_EMBEDDINGS, artifact.item_embeddings)
    _check_finite(version_dir / layout.POPULARITY, artifact.popularity)
    _check_history(version_dir, artifact.history, n_items=n_items)
    return artifact


def read_manifest(version_dir: Path) -> Manifest:
    """The manifest of a version, without a look at the other files. Raises: ArtifactError."""
    path = version_dir / layout.MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: expected a manifest, found: {error.strerror}") from error
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        expected = f"format version {FORMAT_VERSION}" if where == "format_version" else first["msg"]
        raise ArtifactError(f"{path}: {where}: expected: {expected}; found: {str(first['input'])[:80]!r}") from error
    if manifest.version != version_dir.name:
        raise ArtifactError(f"{path}: version: expected {version_dir.name!r}, found {manifest.version!r}")
    return manifest


def _check_files(version_dir: Path, manifest: Manifest) -> None:
    missing = set(layout.DATA_FILES) - set(manifest.files)
    if missing:
        raise ArtifactError(
            f"{version_dir / layout.MANIFEST}: files: expected {', '.join(sorted(missing))}, found no entry"
        )
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda name: _check_file(version_dir / name, manifest.files[name]), manifest.files))


def _check_file(path: Path, entry: FileEntry) -> None:
    try:
        size = path.stat().st_size
        if size != entry.bytes:
            raise ArtifactError(f"{path}: expected {entry.bytes} bytes, found {size}")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"{path}: expected {entry.bytes} bytes, found: {error.strerror}") from error
    if digest != entry.sha256:
        raise ArtifactError(f"{path}: expected SHA-256 {entry.sha256}, found {digest}")


def _read_array(path: Path, dtype: type[_Scalar], shape: tuple[int, ...]) -> NDArray[_Scalar]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:  # an empty array cannot be mapped; anything else is no .npy file
        array = _read_empty(path, error)
    expected = f"{np.dtype(dtype).name} {list(shape)} in C order"
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise ArtifactError(f"{path}: expected {expected}, found {array.dtype.name} {list(array.shape)}")
    return cast("NDArray[_Scalar]", array)


def _read_empty(path: Path, error: ValueError) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
    except ValueError:
        raise ArtifactError(f"{path}: expected a NumPy array, found: {error}") from error
    return array


def _read_batch(path: Path, columns: Sequence[str], count: int) -> pa.RecordBatch:
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(f"{path}: expected an Arrow IPC file, found: {error}") from error
    found = [(batch.schema.names, batch.num_rows) for batch in batches]
    if found != [(list(columns), count)]:
        raise ArtifactError(f"{path}: expected one batch of {count} rows with columns {list(columns)}, found {found}")
    return batches[0]


def _check_finite(path: Path, array: NDArray[np.float32]) -> None:
    for start in range(0, len(array), _CHECK_BLOCK_ROWS):
        finite = np.isfinite(array[start : start + _CHECK_BLOCK_ROWS])
        if not finite.all():
            row = start + int(np.argwhere(~finite)[0][0])
            raise ArtifactError(f"{path}: expected finite values, found NaN or infinity in row {row}")


def _check_history(version_dir: Path, history: History, *, n_items: int) -> None:
    indptr, items, types = history.indptr, history.items, history.types
    if indptr[0] != 0 or indptr[-1] != len(items) or (np.diff(indptr) < 0).any():
        path = version_dir / layout.HISTORY_INDPTR
        raise ArtifactError(f"{path}: expected to rise from 0 to {len(items)}, found {indptr[0]} to {indptr[-1]}")
    if len(items) and (items.min() < 0 or items.max() >= n_items):
        path = version_dir / layout.HISTORY_ITEMS
        raise ArtifactError(f"{path}: expected rows 0 to {n_items - 1}, found {items.min()} to {items.max()}")
    if len(types) and types.max() >= len(history.event_types):
        path = version_dir / layout.HISTORY_TYPES
        raise ArtifactError(f"{path}: expected codes below {len(history.event_types)}, found {types.max()}")
