"""What a reader checks before it serves a version: checksums, finite numbers, rows and codes that exist.

Everything is read in blocks: nearly all of the time is SHA-256's (docs/artifact-format.md has figures). Where a service
waits for it to start, all processors read; where it answers meanwhile, one thread reads, throttled. Large arrays are
read from their files and not through their maps, where each page that was looked at would count as its memory.
"""

import hashlib
import os
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.artifact import layout
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import TYPES_IN_A_SET, History
from recsys.artifact.manifest import FileEntry, ItemContentInfo
from recsys.artifact.ranker import Ranker
from recsys.artifact.transitions import Transitions
from recsys.errors import ArtifactError
from recsys.item_features import COLUMNS, KINDS
from recsys.ranking_features import LIST_FEATURES, OF_TASTE

_BLOCK_BYTES = 256 * 1024  # hashed in 0.2 ms


def check_files(version_dir: Path, entries: Mapping[str, FileEntry], *, throttled: bool) -> None:
    """Every file is there, as long as it should be, and has its checksum. Raises: ArtifactError."""
    largest_first = sorted(entries.items(), key=lambda entry: -entry[1].bytes)
    with ThreadPoolExecutor(1 if throttled else os.cpu_count()) as pool:
        list(pool.map(lambda entry: _check_file(version_dir / entry[0], entry[1], throttled=throttled), largest_first))


def check_finite(arrays: Mapping[Path, NDArray[np.float32]], *, throttled: bool) -> None:
    """No array (of 1 or 2 dimensions) holds NaN or infinity. Raises: ArtifactError."""
    with ThreadPoolExecutor(1 if throttled else os.cpu_count()) as pool:
        list(pool.map(lambda each: _check_finite(*each, throttled=throttled), arrays.items()))


def check_history(version_dir: Path, history: History, *, n_items: int, throttled: bool) -> None:
    """Every entry belongs to one user and has an item, a weight and types that exist. Raises: ArtifactError."""
    items, types = history.items, history.types
    _check_indptr(version_dir / layout.HISTORY_INDPTR, history.indptr, size=len(items))
    if len(items) == 0:
        return
    _check_rows(version_dir / layout.HISTORY_ITEMS, items, n_items=n_items, throttled=throttled)
    path = version_dir / layout.HISTORY_TYPES
    _, most = _range(path, types, throttled=throttled)
    if most >= len(history.event_types):
        raise ArtifactError(f"{path}: expected codes below {len(history.event_types)}, found {most}")
    _check_above_0(version_dir / layout.HISTORY_WEIGHTS, history.weights, throttled=throttled)
    path = version_dir / layout.HISTORY_TYPE_SETS
    largest = (1 << min(len(history.event_types), TYPES_IN_A_SET)) - 1
    _, most = _range(path, history.type_sets, throttled=throttled)
    if most > largest:
        raise ArtifactError(f"{path}: expected sets up to {largest:#x}, found {most:#x}")


def check_transitions(
    version_dir: Path, names: tuple[str, str, str], transitions: Transitions, *, n_items: int, throttled: bool
) -> None:
    """Each leads from an item to one that exists, with a score above 0; in files of `names`. Raises: ArtifactError."""
    of_indptr, of_items, of_scores = (version_dir / name for name in names)
    _check_indptr(of_indptr, transitions.indptr, size=len(transitions.items))
    if len(transitions.items):
        _check_rows(of_items, transitions.items, n_items=n_items, throttled=throttled)
        _check_above_0(of_scores, transitions.scores, throttled=throttled)


def check_ranker(version_dir: Path, ranker: Ranker) -> None:
    """Features that this release has, trees whose every path ends at a leaf, finite numbers. Raises: ArtifactError."""
    names = ranker.info.features
    if names != [*LIST_FEATURES, *(name for group in OF_TASTE if group[0] in names for name in group)]:
        path, of_user = version_dir / layout.MANIFEST, " and any of ".join(str(list(group)) for group in OF_TASTE)
        expected = f"{list(LIST_FEATURES)}, and any of {of_user}"
        raise ArtifactError(f"{path}: ranker.features: expected {expected}, found {names}")
    trees = ranker.trees
    path = version_dir / layout.RANKER_SPLITS
    n_splits, n_leaves = trees.features.shape[1], trees.leaves.shape[1]
    if (trees.features < -1).any() or (trees.features >= len(names)).any():
        raise ArtifactError(f"{path}: expected features -1 to {len(names) - 1}, found others")
    is_split = trees.features >= 0
    parents, children = np.arange(n_splits)[None, :, None], trees.children
    is_leaf = (children < 0) & (children >= -n_leaves)
    below = (children > parents) & (children < n_splits)
    below &= np.take_along_axis(is_split, np.clip(children, 0, n_splits - 1).reshape(len(is_split), -1), 1).reshape(
        children.shape
    )
    if not (is_leaf | below)[is_split].all():
        raise ArtifactError(f"{path}: expected children that are leaves, or splits further on, found others")
    used = np.zeros(trees.leaves.shape, bool)
    tree, split, side = np.nonzero(is_leaf & is_split[..., None])
    used[tree, -1 - children[tree, split, side]] = True
    path = version_dir / layout.RANKER_LEAVES
    if not np.isfinite(trees.leaves).all() or not (trees.counts[used] > 0).all():
        raise ArtifactError(f"{path}: expected finite values and counts above 0, found others")
    if not np.isfinite(trees.thresholds).all():
        raise ArtifactError(f"{version_dir / layout.RANKER_THRESHOLDS}: expected finite values, found NaN or infinity")


def check_item_content(version_dir: Path, info: ItemContentInfo) -> None:
    """Features that this release hashes alike, and buckets in order. Raises: ArtifactError."""
    path = version_dir / layout.MANIFEST
    if (info.features, info.columns) != (list(KINDS), COLUMNS):
        expected, found = f"{list(KINDS)} in {COLUMNS} columns", f"{info.features} in {info.columns}"
        raise ArtifactError(f"{path}: item_content.features: expected {expected}, found {found}")
    if not np.isfinite(info.price_edges).all() or (np.diff(info.price_edges) <= 0).any():
        raise ArtifactError(f"{path}: item_content.price_edges: expected to rise, found {info.price_edges}")


def check_first_seen(path: Path, first_seen: NDArray[np.int64]) -> None:
    """No item was seen before 1970. Raises: ArtifactError."""
    least = first_seen.min(initial=0)
    if least < 0:
        raise ArtifactError(f"{path}: expected Unix seconds of 0 or more, found {least}")


def check_fold_in(version_dir: Path, fold_in: FoldIn) -> None:
    """No division by zero waits in the formula. Raises: ArtifactError."""
    path = version_dir / layout.FOLD_IN_SPECTRUM
    least = fold_in.spectrum.min()
    if fold_in.info.kind == "als" and not least > 0:
        raise ArtifactError(f"{path}: expected values above 0, found {least}")
    if least < 0:
        raise ArtifactError(f"{path}: expected values of 0 or more, found {least}")
    if fold_in.info.kind == "sequence" and len(fold_in.spectrum) % fold_in.info.heads:
        expected = f"a divisor of the dimension {len(fold_in.spectrum)}"
        raise ArtifactError(
            f"{version_dir / layout.MANIFEST}: fold_in.heads: expected {expected}, found {fold_in.info.heads}"
        )


def check_listed(version_dir: Path, entries: Mapping[str, FileEntry], *, needed: Collection[str]) -> None:
    """The manifest lists every file that is needed. Raises: ArtifactError."""
    if missing := set(needed) - set(entries):
        path = version_dir / layout.MANIFEST
        raise ArtifactError(f"{path}: files: expected {', '.join(sorted(missing))}, found no entry")


def _check_indptr(path: Path, indptr: NDArray[np.int64], *, size: int) -> None:
    if indptr[0] != 0 or indptr[-1] != size or (np.diff(indptr) < 0).any():
        raise ArtifactError(f"{path}: expected to rise from 0 to {size}, found {indptr[0]} to {indptr[-1]}")


def _check_rows(path: Path, items: NDArray[np.int32], *, n_items: int, throttled: bool) -> None:
    least, most = _range(path, items, throttled=throttled)
    if least < 0 or most >= n_items:
        raise ArtifactError(f"{path}: expected rows 0 to {n_items - 1}, found {least} to {most}")


def _check_above_0(path: Path, values: NDArray[np.float32], *, throttled: bool) -> None:
    least, _ = _range(path, values, throttled=throttled)
    if not least > 0:
        raise ArtifactError(f"{path}: expected values above 0, found {least}")


def _check_file(path: Path, entry: FileEntry, *, throttled: bool) -> None:
    try:
        size = path.stat().st_size
        if size != entry.bytes:
            raise ArtifactError(f"{path}: expected {entry.bytes} bytes, found {size}")
        digest = hashlib.sha256()
        for block in _read(path, throttled=throttled):
            digest.update(block)
    except OSError as error:
        raise ArtifactError(f"{path}: expected {entry.bytes} bytes, found: {error.strerror}") from error
    if digest.hexdigest() != entry.sha256:
        raise ArtifactError(f"{path}: expected SHA-256 {entry.sha256}, found {digest.hexdigest()}")


def _check_finite(path: Path, array: NDArray[np.float32], *, throttled: bool) -> None:
    start = 0
    for block in _blocks(path, array, throttled=throttled):
        finite = np.isfinite(block)
        if not finite.all():
            row = (start + int(np.argmin(finite))) * len(array) // array.size
            raise ArtifactError(f"{path}: expected finite values, found NaN or infinity in row {row}")
        start += len(block)


def _range(path: Path, array: NDArray[Any], *, throttled: bool) -> tuple[Any, Any]:
    """The least and the greatest value."""
    ranges = [(block.min(), block.max()) for block in _blocks(path, array, throttled=throttled)]
    return min(least for least, _ in ranges), max(most for _, most in ranges)


def _blocks(path: Path, array: NDArray[Any], *, throttled: bool) -> Iterator[NDArray[Any]]:
    """The values in their order, flat, a block at a time; a block is good until the next one is asked for."""
    if not isinstance(array, np.memmap):  # empty, or what a reader makes up for format 1
        if array.size:
            yield array.ravel()
        return
    try:
        for block in _read(path, offset=array.offset, throttled=throttled):
            yield np.frombuffer(block, array.dtype)
    except OSError as error:
        raise ArtifactError(f"{path}: expected {array.nbytes} bytes of values, found: {error.strerror}") from error


def _read(path: Path, *, offset: int = 0, throttled: bool) -> Iterator[memoryview]:
    """The file from `offset` on, a block at a time; a block is good until the next one is asked for. Raises: OSError.

    Throttled: after each block, a pause of the time that it took. A thread that never sleeps keeps its processor for
    milliseconds when a request wakes another one there, whatever the priorities.
    """
    buffer = memoryview(bytearray(_BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        started_s = time.monotonic()
        while size := file.readinto(buffer):
            yield buffer[:size]
            if throttled:
                time.sleep(time.monotonic() - started_s)
                started_s = time.monotonic()
