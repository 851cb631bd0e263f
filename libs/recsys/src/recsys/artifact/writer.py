"""Writes a version of the artifact so that a reader sees all of it or nothing, whenever the writer is killed.

A version is written in a hidden directory beside the others, flushed to disk, and renamed; `CURRENT` is replaced
after that. One writer at a time: a lock on the volume keeps a second one waiting.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys import durable_file
from recsys.artifact import layout, user_parts
from recsys.artifact.catalogue import schema_with
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import FileEntry, Manifest
from recsys.artifact.ranker import Ranker
from recsys.artifact.transitions import Transitions
from recsys.artifact.user_parts import Sizes, UserPart
from recsys.errors import ArtifactError, VersionNotFoundError

_LOCK = ".lock"
_INCOMPLETE = ".incomplete-"


@dataclass(frozen=True)
class Contents:
    """What a version holds beside its manifest. Users and items are sorted by id (UTF-8 bytes)."""

    user_ids: list[str]
    items: pa.Table  # as recsys.artifact.catalogue.schema_with has the columns
    user_embeddings: NDArray[np.float32]  # [n_users, dim]
    item_embeddings: NDArray[np.float32]  # [n_items, dim]
    history: History
    popularity: NDArray[np.float32]  # [n_items]
    first_seen: NDArray[np.int64]  # [n_items] Unix seconds of the item's first event; 0: none
    fold_in: FoldIn
    retrieval_index: NDArray[np.uint8]  # faiss.serialize_index
    similar_index: NDArray[np.uint8]  # faiss.serialize_index
    transitions: Transitions | None = None  # none: they do not count
    bought_together: Transitions | None = None  # of baskets; none: no two items were bought together
    ranker: Ranker | None = None  # none: the blend alone ranks
    item_content: ItemContent | None = None  # none: items without events have no vector
    more_users: Iterable[UserPart] = ()  # behind `user_ids`: in parts, where nobody holds all of them


def version_name(*, model: str, trained_at: datetime, dataset_fingerprint: str) -> str:
    """A name that sorts by the time of training, to the millisecond."""
    return f"{trained_at:%Y%m%dT%H%M%S}.{trained_at.microsecond // 1000:03}Z-{model}-{dataset_fingerprint[:8]}"


def write_version(volume: Path, *, manifest: Manifest, contents: Contents) -> None:
    """Put a version beside the others, complete or not at all. It is not made live.

    Where `manifest.users_in` is the feature store, the contents' users are left out.

    Of the manifest, `files`, `fold_in`, `transitions`, `bought_together`, `ranker` and `item_content` are filled in
    here, from the contents.

    Raises:
        ArtifactError: the volume has this version already, ids are not sorted, or users and pairs are not as many as
            the manifest says.
    """
    item_ids = [item_id.encode() for item_id in contents.items.column("item_id").to_pylist()]
    user_parts.expect_ascending("items.item_id", item_ids)
    final = layout.version_dir(volume, manifest.version)
    with _locked(volume):
        _remove_incomplete(volume)
        if final.exists():
            raise ArtifactError(f"{final}: expected a new version, found one of this name")
        incomplete = final.with_name(_INCOMPLETE + final.name)
        incomplete.mkdir(parents=True)
        if manifest.holds_users:
            own = UserPart(contents.user_ids, contents.user_embeddings, contents.history)
            sizes = Sizes(users=manifest.user_count, pairs=manifest.interaction_count, dim=manifest.dim)
            user_parts.write(incomplete, chain([own], contents.more_users), sizes)
        _write_files(incomplete, contents)
        of_contents = {
            "fold_in": contents.fold_in.info,
            "transitions": None if contents.transitions is None else contents.transitions.info,
            "bought_together": None if contents.bought_together is None else contents.bought_together.info,
            "ranker": None if contents.ranker is None else contents.ranker.info,
            "item_content": None if contents.item_content is None else contents.item_content.info,
        }
        described = manifest.model_copy(update=of_contents)
        entries = {name: _entry(incomplete / name) for name in described.data_files}
        complete = described.model_copy(update={"files": entries})
        durable_file.replace(incomplete / layout.MANIFEST, complete.model_dump_json(indent=2).encode())
        incomplete.rename(final)
        durable_file.flush_dir(final.parent)


def activate(volume: Path, version: str) -> None:
    """Make a version the live one, atomically.

    Raises:
        VersionNotFoundError: the volume has no such version.
        OSError: neither the volume nor its folder `live` can be written.
    """
    with _locked(volume):
        _expect_version(volume, version)
        pointer, kept = volume / layout.CURRENT, Path(layout.LIVE) / layout.CURRENT
        if not os.access(volume / layout.LIVE, os.W_OK):
            _replace_lines(pointer, [version])
            return
        _replace_lines(volume / kept, [version])
        if not pointer.is_symlink():  # the first time: it names the version before until now
            durable_file.replace_by_link(pointer, kept)


def hold(volume: Path, version: str) -> None:
    """Pin a version: it is never pruned, and services keep it in memory beside the live one, until it is released.

    Raises:
        VersionNotFoundError: the volume has no such version.
    """
    with _locked(volume):
        _expect_version(volume, version)
        _replace_lines(volume / layout.HELD, sorted({*layout.held_versions(volume), version}))


def release(volume: Path, version: str) -> None:
    """Undo `hold`.

    Raises:
        ArtifactError: the version is not held.
    """
    with _locked(volume):
        held = layout.held_versions(volume)
        if version not in held:
            raise ArtifactError(f"{volume}: expected a held version, found {version!r}; held: {_listed(held)}")
        _replace_lines(volume / layout.HELD, [one for one in held if one != version])


def note_stored(volume: Path, versions: list[str]) -> None:
    """Write down what the object store has that the volume follows. Raises: OSError."""
    _replace_lines(volume / layout.STORED, versions)


def prune(volume: Path, *, keep: Collection[str]) -> list[str]:
    """Remove every version but those to keep; the live one and those held always stay. Returns what was removed."""
    with _locked(volume):
        stay = {*keep, *layout.held_versions(volume), layout.current_version(volume)}
        old = [version for version in layout.list_versions(volume) if version not in stay]
        for version in old:
            directory = layout.version_dir(volume, version)
            # renamed first, so that nobody finds a version with half of its files
            gone = directory.rename(directory.with_name(_INCOMPLETE + version))
            shutil.rmtree(gone)
    return old


def _expect_version(volume: Path, version: str) -> None:
    found = layout.list_versions(volume)
    if version not in found:
        raise VersionNotFoundError(f"{volume}: expected version {version!r}, found: {_listed(found)}")


def _listed(versions: list[str]) -> str:
    return ", ".join(versions) or "none"


@contextmanager
def _locked(volume: Path) -> Iterator[None]:
    volume.mkdir(parents=True, exist_ok=True)
    path = volume / _LOCK
    with path.open("w" if os.access(path if path.exists() else volume, os.W_OK) else "r") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back by the kernel, also when the process is killed
        yield


def _remove_incomplete(volume: Path) -> None:
    for leftover in (volume / layout.VERSIONS).glob(f"{_INCOMPLETE}*"):
        shutil.rmtree(leftover)


def _write_files(directory: Path, contents: Contents) -> None:
    arrays: dict[str, NDArray[np.generic]] = {
        layout.ITEM_EMBEDDINGS: contents.item_embeddings,
        layout.POPULARITY: contents.popularity,
        layout.FIRST_SEEN: contents.first_seen,
        layout.FOLD_IN_ITEM_WEIGHTS: contents.fold_in.item_weights,
        layout.FOLD_IN_ITEM_SCALE: contents.fold_in.item_scale,
        layout.FOLD_IN_SPECTRUM: contents.fold_in.spectrum,
    }
    for names, found in (
        (layout.TRANSITIONS, contents.transitions),
        (layout.BOUGHT_TOGETHER, contents.bought_together),
    ):
        if found is not None:
            arrays |= zip(names, (found.indptr, found.items, found.scores), strict=True)
    if contents.ranker is not None:
        trees = contents.ranker.trees
        arrays |= {
            layout.RANKER_SPLITS: np.concatenate((trees.features[..., None], trees.children), axis=2),
            layout.RANKER_THRESHOLDS: trees.thresholds,
            layout.RANKER_LEAVES: np.stack((trees.leaves, trees.counts), axis=2),
            layout.RANKER_ITEMS: contents.ranker.items,
        }
    if contents.item_content is not None:
        arrays[layout.ITEM_CONTENT] = contents.item_content.weights
    if contents.fold_in.info.kind == "sequence":
        arrays[layout.FOLD_IN_ENCODER] = contents.fold_in.encoder
    for name, array in arrays.items():
        with (directory / name).open("wb") as file:
            np.save(file, np.ascontiguousarray(array), allow_pickle=False)
            durable_file.flush(file)
    _write_arrow(directory / layout.ITEMS, contents.items.cast(schema_with(contents.items.column_names)))
    durable_file.replace(directory / layout.RETRIEVAL_INDEX, contents.retrieval_index.data)
    durable_file.replace(directory / layout.SIMILAR_INDEX, contents.similar_index.data)


def _write_arrow(path: Path, table: pa.Table) -> None:
    """One record batch, uncompressed: a reader maps it and copies nothing."""
    with path.open("wb") as file:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_batch(_one_batch(table))
        durable_file.flush(file)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    if table.num_rows == 0:
        return pa.RecordBatch.from_pylist([], schema=table.schema)
    return table.combine_chunks().to_batches()[0]


def _replace_lines(path: Path, lines: list[str]) -> None:
    """The file with these lines."""
    durable_file.replace(path, "".join(f"{line}\n" for line in lines).encode())


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return FileEntry(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
