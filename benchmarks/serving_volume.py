"""A model volume of any size for load tests: vectors with the shape of trained ones, histories, ids and titles.

Made once and kept in `.bench/`; the same size gives the same bytes but for the times in the manifest.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.artifact import layout, writer
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History
from recsys.artifact.manifest import FORMAT_VERSION, BlendInfo, IndexInfo, Manifest, SumFoldIn, TrainingInfo
from recsys.artifact.reader import Artifact, open_artifact
from recsys.artifact.transitions import Transitions
from trainer.models.transitions import IN_ORDER, NEIGHBOURS
from trainer.publishing import index

DIM: Final = 64
HISTORY: Final = 10
CATEGORIES: Final = 500
BENCH: Final = Path(__file__).resolve().parent.parent / ".bench"
_TASTES: Final = 400


def user_id(row: int) -> str:
    """The id of a row; ids sort as rows do."""
    return f"u{row:08d}"


def item_id(row: int) -> str:
    """The id of a row; ids sort as rows do."""
    return f"i{row:08d}"


def category(number: int) -> str:
    """One of CATEGORIES."""
    return f"category-{number}"


def volume_of(*, n_items: int, n_users: int, folder: Path = BENCH, is_blended: bool = False) -> Path:
    """The volume with this many items and users; made if it is not there yet.

    With `is_blended` its version has transitions, as many of each item as a trainer keeps, and a blend of everything.
    """
    volume = folder / f"serving-{n_items}-{n_users}-format{FORMAT_VERSION}{'-blended' * is_blended}"
    if layout.current_version(volume) is None:
        version = "20260101T000000.000Z-als-benchmark"
        _write(volume, version=version, n_items=n_items, n_users=n_users, seed=0, is_blended=is_blended)
    return volume


def live_artifact(volume: Path) -> Artifact:
    """The live version of a volume, which has one."""
    version = layout.current_version(volume)
    assert version is not None
    return open_artifact(layout.version_dir(volume, version))


def mapped_index(artifact: Artifact) -> Any:
    """The index of retrieval, as a shop's engineer would open it."""
    index = faiss.read_index(str(artifact.retrieval_index_path), faiss.IO_FLAG_MMAP_IFC)
    if artifact.manifest.index.search_effort is not None:
        faiss.ParameterSpace().set_index_parameter(index, "nprobe", artifact.manifest.index.search_effort)
    return index


def add_version(volume: Path, *, n_items: int, n_users: int, seed: int) -> str:
    """Another version of the same size with other vectors, beside the live one; returns its name, not yet live."""
    version = f"20260102T000000.{seed:03d}Z-als-benchmark"
    if version not in layout.list_versions(volume):
        live = layout.current_version(volume)
        _write(volume, version=version, n_items=n_items, n_users=n_users, seed=seed)
        if live is not None:
            writer.activate(volume, live)
    return version


def _write(volume: Path, *, version: str, n_items: int, n_users: int, seed: int, is_blended: bool = False) -> None:
    rng = np.random.default_rng(seed)
    items, users = vectors(rng, n_items=n_items, n_users=n_users)
    spec = index.default_spec(n_items)
    retrieval = index.build(items, spec, seed=seed)
    similar = index.build_similar(items, seed=seed)
    recall = index.measure_recall(retrieval, items, users[:: max(1, n_users // 200)])
    manifest = Manifest(
        version=version,
        model="als",
        dim=DIM,
        user_count=n_users,
        item_count=n_items,
        interaction_count=n_users * HISTORY,
        event_types=["purchase"],
        index=IndexInfo(**asdict(spec), recall=recall),
        blend=BlendInfo(transitions=1, popularity=0.1, recency=0.05) if is_blended else BlendInfo(),
        metrics={},
        training=TrainingInfo(event_weights={"view": 1.0, "cart": 3.0, "purchase": 5.0}),
        dataset_fingerprint="0" * 64,
        library_versions={},
        code_revision="benchmark",
        trained_at=datetime(2026, 1, 1, tzinfo=UTC),
        files={},
    )
    contents = writer.Contents(
        user_ids=[user_id(row) for row in range(n_users)],
        items=_catalogue(rng, n_items),
        user_embeddings=users,
        item_embeddings=items,
        history=_history(rng, n_items=n_items, n_users=n_users),
        popularity=rng.zipf(1.5, n_items).clip(max=100_000).astype(np.float32),
        first_seen=np.full(n_items, 1_700_000_000, np.int64),
        transitions=_transitions(rng, n_items) if is_blended else None,
        fold_in=FoldIn(
            info=SumFoldIn(),
            item_weights=np.ones(n_items, np.float32),
            item_scale=np.ones(n_items, np.float32),
            spectrum=np.zeros(DIM, np.float32),
        ),
        retrieval_index=faiss.serialize_index(retrieval),
        similar_index=faiss.serialize_index(similar),
    )
    writer.write_version(volume, manifest=manifest, contents=contents)
    writer.activate(volume, version)


def vectors(rng: np.random.Generator, *, n_items: int, n_users: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Items and users, float32 [n, DIM]: tastes in clusters, a falling spectrum, lengths that follow popularity.

    Uniform random vectors have no neighbours, which no trained model's vectors resemble.
    """
    spectrum = (np.arange(1, DIM + 1) ** -0.5).astype(np.float32)
    tastes = rng.standard_normal((_TASTES, DIM), dtype=np.float32)

    def around(count: int, noise: float) -> NDArray[np.float32]:
        found = rng.standard_normal((count, DIM), dtype=np.float32)
        found *= np.float32(noise)
        found += tastes[rng.integers(_TASTES, size=count)]
        found *= spectrum
        return found

    items = around(n_items, 0.7)
    items *= rng.lognormal(-0.5, 0.5, (n_items, 1)).astype(np.float32)
    return items, around(n_users, 0.5)


def _transitions(rng: np.random.Generator, n_items: int) -> Transitions:
    scores = -np.sort(-rng.random((n_items, NEIGHBOURS), np.float32), axis=1) + np.float32(0.01)
    return Transitions(
        info=IN_ORDER,
        indptr=np.arange(n_items + 1, dtype=np.int64) * NEIGHBOURS,
        items=(rng.integers(n_items, size=(n_items, 1)) + np.arange(NEIGHBOURS)).astype(np.int32).ravel() % n_items,
        scores=scores.ravel(),
    )


def _history(rng: np.random.Generator, *, n_items: int, n_users: int) -> History:
    nnz = n_users * HISTORY
    stride = n_items // HISTORY
    items = (rng.integers(stride, size=(n_users, HISTORY)) + stride * np.arange(HISTORY)).astype(np.int32)
    return History(
        indptr=np.arange(0, nnz + 1, HISTORY, dtype=np.int64),
        items=items.ravel(),
        times=np.full(nnz, 1_700_000_000, np.int64),
        types=np.zeros(nnz, np.uint8),
        weights=np.ones(nnz, np.float32),
        type_sets=np.ones(nnz, np.uint32),
        event_types=["purchase"],
    )


def _catalogue(rng: np.random.Generator, n_items: int) -> pa.Table:
    return pa.table(
        {
            "item_id": pa.array([item_id(row) for row in range(n_items)], pa.large_string()),
            "title": pa.array([f"Item number {row}, with a title of usual length" for row in range(n_items)]),
            "category": pa.array([category(n) for n in rng.integers(CATEGORIES, size=n_items)]),
            "price": pa.array(rng.lognormal(2, 1, n_items)),
            "image_url": pa.nulls(n_items, pa.large_string()),
            "available": pa.array(np.ones(n_items, bool)),
        }
    )
