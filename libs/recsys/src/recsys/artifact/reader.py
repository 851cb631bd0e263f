"""Opens one version of the artifact: everything memory-mapped, everything checked first.

A version that is not what its manifest says is refused with an `ArtifactError` that names the file, what was expected
and what was found.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from recsys.artifact import checks, layout, sequence_encoder
from recsys.artifact.catalogue import Catalogue, schema_with
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History, empty_history, sets_of_one
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import FORMAT_VERSION, Manifest, RankerInfo, SequenceFoldIn, TransitionsInfo
from recsys.artifact.ranker import Ranker
from recsys.artifact.sorted_ids import SortedIds
from recsys.artifact.transitions import Transitions
from recsys.errors import ArtifactError
from recsys.ranking_features import ITEM_FEATURES
from recsys.trees import Trees

_USERS = pa.schema([pa.field("user_id", pa.large_string())])
_Scalar = TypeVar("_Scalar", bound=np.generic)
Opened = TypeVar("Opened", bound="Artifact | History | FoldIn | Transitions | Ranker")


@dataclass(frozen=True)
class Artifact:
    """One version, open and checked. Arrays are read-only views of the files."""

    manifest: Manifest
    users: SortedIds
    items: SortedIds
    user_embeddings: NDArray[np.float32]  # [n_users, dim]; like users and history empty where the store has them
    item_embeddings: NDArray[np.float32]  # [n_items, dim]
    catalogue: Catalogue
    history: History
    popularity: NDArray[np.float32]  # [n_items]
    first_seen: NDArray[np.int64]  # [n_items] Unix seconds of the item's first event; 0: none, or of format 1
    fold_in: FoldIn | None  # none: of format 1
    transitions: Transitions | None  # none: the version has none
    bought_together: Transitions | None  # of baskets; none: the version has none
    ranker: Ranker | None  # none: the blend alone ranks
    item_content: ItemContent | None  # none: items without events have no vector
    retrieval_index_path: Path
    similar_index_path: Path


def open_artifact(version_dir: Path, *, throttled: bool = False) -> Artifact:
    """Open and check a version's directory, of this format or an earlier one; `throttled` where requests are answered.

    Raises:
        ArtifactError: a file is missing, cut short, changed, of another format version, shape or dtype, or holds NaN.
    """
    manifest = read_manifest(version_dir)
    checks.check_listed(version_dir, manifest.files, needed=manifest.data_files)
    checks.check_files(version_dir, manifest.files, throttled=throttled)
    n_items = manifest.item_count
    items = _read_batch(version_dir / layout.ITEMS, schema_with, n_items)
    artifact = Artifact(
        manifest=manifest,
        users=SortedIds(_read_users(version_dir, manifest).column("user_id")),
        items=SortedIds(items.column("item_id")),
        user_embeddings=_read_user_embeddings(version_dir, manifest),
        item_embeddings=_read_array(version_dir / layout.ITEM_EMBEDDINGS, np.float32, (n_items, manifest.dim)),
        catalogue=Catalogue(items),
        history=_read_history(version_dir, manifest),
        popularity=_read_array(version_dir / layout.POPULARITY, np.float32, (n_items,)),
        first_seen=np.zeros(n_items, np.int64)
        if manifest.format_version == 1
        else _read_array(version_dir / layout.FIRST_SEEN, np.int64, (n_items,)),
        fold_in=_read_fold_in(version_dir, manifest),
        transitions=_read_transitions(version_dir, manifest, manifest.transitions, layout.TRANSITIONS),
        bought_together=_read_transitions(version_dir, manifest, manifest.bought_together, layout.BOUGHT_TOGETHER),
        ranker=_read_ranker(version_dir, manifest),
        item_content=_read_item_content(version_dir, manifest),
        retrieval_index_path=version_dir / layout.RETRIEVAL_INDEX,
        similar_index_path=version_dir / layout.SIMILAR_INDEX,
    )
    _check(version_dir, artifact, throttled=throttled)
    return _plain(artifact)


def _plain(opened: Opened) -> Opened:
    """With plain views of the mapped arrays: each slice of numpy's own class for these costs as much as a search."""
    plain: dict[str, Any] = {}
    for name, part in vars(opened).items():
        if isinstance(part, np.memmap):
            plain[name] = np.asarray(part)
        elif isinstance(part, History | FoldIn | Transitions | Ranker):
            plain[name] = _plain(part)
    return replace(opened, **plain)


def read_manifest(version_dir: Path) -> Manifest:
    """The manifest of a version, without a look at the other files. Raises: ArtifactError."""
    path = version_dir / layout.MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: expected a manifest, found: {error.strerror}") from error
    return parsed_manifest(text, path=path, version=version_dir.name)


def parsed_manifest(text: bytes, *, path: Path | str, version: str) -> Manifest:
    """The manifest of a version out of its text; `path` is where that stands. Raises: ArtifactError."""
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        expected = f"format version 1 to {FORMAT_VERSION}" if where == "format_version" else first["msg"]
        raise ArtifactError(f"{path}: {where}: expected: {expected}; found: {str(first['input'])[:80]!r}") from error
    if manifest.version != version:
        raise ArtifactError(f"{path}: version: expected {version!r}, found {manifest.version!r}")
    if manifest.fold_in is None and (manifest.format_version > 1 or not manifest.holds_users):
        raise ArtifactError(f"{path}: fold_in: expected one in format {manifest.format_version}, found none")
    return manifest


def newest_manifest(volume: Path) -> Manifest | None:
    """Of the newest version that can be read, live or refused: refused ones stay until newer ones come."""
    found = []
    with suppress(OSError, ValidationError):
        found.append(Manifest.model_validate_json((volume / layout.NEWEST).read_bytes()))
    for version in reversed(layout.list_versions(volume)):
        with suppress(ArtifactError):
            found.append(read_manifest(layout.version_dir(volume, version)))
            break
    return max(found, key=lambda manifest: manifest.version, default=None)


def _check(version_dir: Path, artifact: Artifact, *, throttled: bool) -> None:
    floats = {
        layout.USER_EMBEDDINGS: artifact.user_embeddings,
        layout.ITEM_EMBEDDINGS: artifact.item_embeddings,
        layout.POPULARITY: artifact.popularity,
        layout.HISTORY_WEIGHTS: artifact.history.weights,
    }
    if artifact.fold_in is not None:
        floats |= {
            layout.FOLD_IN_ITEM_WEIGHTS: artifact.fold_in.item_weights,
            layout.FOLD_IN_ITEM_SCALE: artifact.fold_in.item_scale,
            layout.FOLD_IN_SPECTRUM: artifact.fold_in.spectrum,
            layout.FOLD_IN_ENCODER: artifact.fold_in.encoder,
        }
    if artifact.transitions is not None:
        floats[layout.TRANSITIONS_SCORES] = artifact.transitions.scores
    if artifact.bought_together is not None:
        floats[layout.BOUGHT_TOGETHER_SCORES] = artifact.bought_together.scores
    if artifact.ranker is not None:
        floats[layout.RANKER_ITEMS] = artifact.ranker.items
        checks.check_ranker(version_dir, artifact.ranker)
    if artifact.item_content is not None:
        floats[layout.ITEM_CONTENT] = artifact.item_content.weights
        checks.check_item_content(version_dir, artifact.item_content.info)
    checks.check_finite({version_dir / name: array for name, array in floats.items()}, throttled=throttled)
    checks.check_history(version_dir, artifact.history, n_items=artifact.manifest.item_count, throttled=throttled)
    checks.check_first_seen(version_dir / layout.FIRST_SEEN, artifact.first_seen)
    if artifact.fold_in is not None:
        checks.check_fold_in(version_dir, artifact.fold_in)
    for names, found in (
        (layout.TRANSITIONS, artifact.transitions),
        (layout.BOUGHT_TOGETHER, artifact.bought_together),
    ):
        if found is not None:
            checks.check_transitions(
                version_dir, names, found, n_items=artifact.manifest.item_count, throttled=throttled
            )


def _read_users(version_dir: Path, manifest: Manifest) -> pa.RecordBatch:
    if not manifest.holds_users:
        return pa.RecordBatch.from_pylist([], schema=_USERS)
    return _read_batch(version_dir / layout.USERS, lambda _: _USERS, manifest.user_count)


def _read_user_embeddings(version_dir: Path, manifest: Manifest) -> NDArray[np.float32]:
    if not manifest.holds_users:
        return np.empty((0, manifest.dim), np.float32)
    return _read_array(version_dir / layout.USER_EMBEDDINGS, np.float32, (manifest.user_count, manifest.dim))


def _read_history(version_dir: Path, manifest: Manifest) -> History:
    """Format 1 knows the last type of a pair and no weights: it counts as one event of that type, of weight 1."""
    if not manifest.holds_users:
        return empty_history(manifest.event_types)
    nnz = manifest.interaction_count
    types = _read_array(version_dir / layout.HISTORY_TYPES, np.uint8, (nnz,))
    if manifest.format_version == 1:
        weights = np.ones(nnz, np.float32)
        type_sets = sets_of_one(types)
    else:
        weights = _read_array(version_dir / layout.HISTORY_WEIGHTS, np.float32, (nnz,))
        type_sets = _read_array(version_dir / layout.HISTORY_TYPE_SETS, np.uint32, (nnz,))
    return History(
        indptr=_read_array(version_dir / layout.HISTORY_INDPTR, np.int64, (manifest.user_count + 1,)),
        items=_read_array(version_dir / layout.HISTORY_ITEMS, np.int32, (nnz,)),
        times=_read_array(version_dir / layout.HISTORY_TIMES, np.int64, (nnz,)),
        types=types,
        weights=weights,
        type_sets=type_sets,
        event_types=manifest.event_types,
    )


def _read_fold_in(version_dir: Path, manifest: Manifest) -> FoldIn | None:
    if manifest.fold_in is None:
        return None
    n_items = (manifest.item_count,)
    encoder = np.empty(0, np.float32)
    if isinstance(manifest.fold_in, SequenceFoldIn):
        size = sequence_encoder.size(manifest.fold_in, manifest.dim)
        encoder = _read_array(version_dir / layout.FOLD_IN_ENCODER, np.float32, (size,))
    return FoldIn(
        info=manifest.fold_in,
        item_weights=_read_array(version_dir / layout.FOLD_IN_ITEM_WEIGHTS, np.float32, n_items),
        item_scale=_read_array(version_dir / layout.FOLD_IN_ITEM_SCALE, np.float32, n_items),
        spectrum=_read_array(version_dir / layout.FOLD_IN_SPECTRUM, np.float32, (manifest.dim,)),
        encoder=encoder,
    )


def _read_transitions(
    version_dir: Path, manifest: Manifest, info: TransitionsInfo | None, names: tuple[str, str, str]
) -> Transitions | None:
    if info is None:
        return None
    of_indptr, of_items, of_scores = names
    indptr = _read_array(version_dir / of_indptr, np.int64, (manifest.item_count + 1,))
    nnz = (int(indptr[-1]),)
    return Transitions(
        info=info,
        indptr=indptr,
        items=_read_array(version_dir / of_items, np.int32, nnz),
        scores=_read_array(version_dir / of_scores, np.float32, nnz),
    )


def read_trees(version_dir: Path, info: RankerInfo) -> Trees:
    """The ranker's trees of a version, unchecked, without a look at its other files. Raises: ArtifactError."""
    splits = (info.trees, info.leaves - 1)
    of_splits = _read_array(version_dir / layout.RANKER_SPLITS, np.int32, (*splits, 3))
    of_leaves = _read_array(version_dir / layout.RANKER_LEAVES, np.float64, (info.trees, info.leaves, 2))
    return Trees(
        features=of_splits[..., 0].copy(),
        thresholds=np.array(_read_array(version_dir / layout.RANKER_THRESHOLDS, np.float64, splits)),
        children=of_splits[..., 1:].copy(),
        leaves=of_leaves[..., 0].copy(),
        counts=of_leaves[..., 1].copy(),
    )


def _read_ranker(version_dir: Path, manifest: Manifest) -> Ranker | None:
    if manifest.ranker is None:
        return None
    shape = (manifest.item_count, len(ITEM_FEATURES))
    items = _read_array(version_dir / layout.RANKER_ITEMS, np.float32, shape)
    return Ranker(manifest.ranker, read_trees(version_dir, manifest.ranker), items)


def _read_item_content(version_dir: Path, manifest: Manifest) -> ItemContent | None:
    info = manifest.item_content
    if info is None:
        return None
    weights = _read_array(
        version_dir / layout.ITEM_CONTENT, np.float32, (info.columns + info.vector_length, manifest.dim)
    )
    return ItemContent(info, weights)


def _read_array(path: Path, dtype: type[_Scalar], shape: tuple[int, ...]) -> NDArray[_Scalar]:
    try:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # an empty array cannot be mapped; anything else is no .npy file
            array = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ArtifactError(f"{path}: expected a NumPy array, found: {error}") from error
    expected = f"{np.dtype(dtype).name} {list(shape)} in C order"
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise ArtifactError(f"{path}: expected {expected}, found {array.dtype.name} {list(array.shape)}")
    return cast("NDArray[_Scalar]", array)


def _read_batch(path: Path, schema_of: Callable[[list[str]], pa.Schema], count: int) -> pa.RecordBatch:
    """The one batch of a file; its schema is what `schema_of` makes of the columns that it has."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(f"{path}: expected an Arrow IPC file, found: {error}") from error
    expected = schema_of(batches[0].schema.names if batches else [])
    if [batch.num_rows for batch in batches] != [count] or not batches[0].schema.equals(expected):
        found = [(_columns(batch.schema), batch.num_rows) for batch in batches]
        raise ArtifactError(
            f"{path}: expected one batch of {count} rows with columns {_columns(expected)}, found {found}"
        )
    return batches[0]


def _columns(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}
