"""What a reader checks before it serves a version: checksums, finite numbers, rows and codes that exist.

Everything is looked at in blocks and by several threads, because a service that starts waits for it: nearly all of that
is SHA-256 (docs/artifact-format.md has figures).
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.artifact import layout
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History
from recsys.artifact.manifest import FileEntry
from recsys.errors import ArtifactError

_BLOCK_ROWS = 16_384
_TYPES_IN_A_SET = 32
_THREADS = 4


def check_files(version_dir: Path, entries: Mapping[str, FileEntry]) -> None:
    """Every file is there, as long as it should be, and has its checksum. Raises: ArtifactError."""
    largest_first = sorted(entries.items(), key=lambda entry: -entry[1].bytes)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda entry: _check_file(version_dir / entry[0], entry[1]), largest_first))


def check_finite(arrays: Mapping[Path, NDArray[np.float32]]) -> None:
    """No array (of 1 or 2 dimensions) holds NaN or infinity. Raises: ArtifactError."""
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(_check_finite, arrays, arrays.values()))


def check_history(version_dir: Path, history: History, *, n_items: int) -> None:
    """Every entry belongs to one user and has an item, a weight and types that exist. Raises: ArtifactError."""
    indptr, items, types = history.indptr, history.items, history.types
    if indptr[0] != 0 or indptr[-1] != len(items) or (np.diff(indptr) < 0).any():
        path = version_dir / layout.HISTORY_INDPTR
        raise ArtifactError(f"{path}: expected to rise from 0 to {len(items)}, found {indptr[0]} to {indptr[-1]}")
    if len(items) == 0:
        return
    if items.min() < 0 or items.max() >= n_items:
        path = version_dir / layout.HISTORY_ITEMS
        raise ArtifactError(f"{path}: expected rows 0 to {n_items - 1}, found {items.min()} to {items.max()}")
    if types.max() >= len(history.event_types):
        path = version_dir / layout.HISTORY_TYPES
        raise ArtifactError(f"{path}: expected codes below {len(history.event_types)}, found {types.max()}")
    if not history.weights.min() > 0:
        path = version_dir / layout.HISTORY_WEIGHTS
        raise ArtifactError(f"{path}: expected values above 0, found {history.weights.min()}")
    largest = (1 << min(len(history.event_types), _TYPES_IN_A_SET)) - 1
    if history.type_sets.max() > largest:
        path = version_dir / layout.HISTORY_TYPE_SETS
        raise ArtifactError(f"{path}: expected sets up to {largest:#x}, found {history.type_sets.max():#x}")


def check_first_seen(path: Path, first_seen: NDArray[np.int64]) -> None:
    """No item was seen before 1970. Raises: ArtifactError."""
    if first_seen.min() < 0:
        raise ArtifactError(f"{path}: expected Unix seconds of 0 or more, found {first_seen.min()}")


def check_fold_in(version_dir: Path, fold_in: FoldIn) -> None:
    """No division by zero waits in the formula. Raises: ArtifactError."""
    path = version_dir / layout.FOLD_IN_SPECTRUM
    least = fold_in.spectrum.min()
    if fold_in.info.kind == "als" and not least > 0:
        raise ArtifactError(f"{path}: expected values above 0, found {least}")
    if least < 0:
        raise ArtifactError(f"{path}: expected values of 0 or more, found {least}")


def check_listed(version_dir: Path, entries: Mapping[str, FileEntry], *, needed: tuple[str, ...]) -> None:
    """The manifest lists every file that is needed. Raises: ArtifactError."""
    if missing := set(needed) - set(entries):
        path = version_dir / layout.MANIFEST
        raise ArtifactError(f"{path}: files: expected {', '.join(sorted(missing))}, found no entry")


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


def _check_finite(path: Path, array: NDArray[np.float32]) -> None:
    for start in range(0, len(array), _BLOCK_ROWS):
        finite = np.isfinite(array[start : start + _BLOCK_ROWS])
        if not finite.all():
            row = start + int(np.argwhere(~finite)[0][0])
            raise ArtifactError(f"{path}: expected finite values, found NaN or infinity in row {row}")
