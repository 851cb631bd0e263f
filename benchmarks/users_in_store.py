"""What candidate_gen takes for users of the feature store, beside users whose vectors the version holds.

    .venv/bin/python -m benchmarks.users_in_store [--users 1000000 --items 100000]

One version, opened twice: with its users, and without, as `TRAINER_USERS_IN=feature_store` publishes it. Every history
is written to an embedded store first, as the trainer does. Then the same users are asked for in turn, in one process
and thread: the store's profile, and the candidates. What is lost in quality: `benchmarks.fold_in --known`.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from benchmarks import serving_volume
from candidate_gen.retriever import Asker, Conditions, Retriever
from candidate_gen.sources import SourceCounts
from recsys.artifact import layout
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History, empty_history
from recsys.artifact.manifest import ALSFoldIn
from recsys.artifact.packed_history import packed_histories
from recsys.artifact.reader import Artifact
from recsys.artifact.sorted_ids import SortedIds
from recsys.feature_store.follower import LiveState
from recsys.feature_store.interface import FeatureStore, PackedHistory, Subject
from recsys.feature_store.opening import open_store

COUNT = 200
ASKED = 2_000
LENGTHS = (10, 50, 200)
WARMING = 100  # requests that are not counted
AT_ONCE = 1_000


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    arguments = parser.parse_args()
    volume = serving_volume.volume_of(n_items=arguments.items, n_users=arguments.users)
    artifact = _with_als(serving_volume.live_artifact(volume))
    asyncio.run(_measure(artifact, volume))


async def _measure(artifact: Artifact, volume: Path) -> None:
    _print_sizes(artifact)
    path = volume / "users_in_store.db"
    is_new = not path.exists()
    store = open_store(f"sqlite://{path.resolve()}")
    started = time.perf_counter()
    if is_new:
        await _write(store, artifact)
        seconds = time.perf_counter() - started
        print(f"{artifact.manifest.user_count:,} histories written in {seconds:.0f} s", end=", ")
    print(f"{path.stat().st_size / 1e6:,.0f} MB in the store\n")
    users = np.random.default_rng(0).integers(artifact.manifest.user_count, size=ASKED).tolist()
    print("| µs | p50 | p99 |\n|---|---|---|", flush=True)
    counts, live = SourceCounts(), LiveState()
    with threadpool_limits(1):
        stored = Retriever(artifact, live=live, counts=counts)
        without = Retriever(_without_users(artifact), live=live, counts=counts)
        profiles = [Subject("user", serving_volume.user_id(row)) for row in users]
        taken = []
        for subject in profiles:
            begun = time.perf_counter_ns()
            await store.profile(subject)
            taken.append(time.perf_counter_ns() - begun)
        _line("profile with its history, from the embedded store", taken)
        _line("candidates by stored vectors", _timed(stored, [Asker(user_id=one.id) for one in profiles]))
        for length in LENGTHS:
            texts = _packed(artifact, users, length=length)
            askers = [Asker(user_id=one.id, history=text) for one, text in zip(profiles, texts, strict=True)]
            _line(f"candidates by histories of {length} items, folded in", _timed(without, askers))
    await store.close()


def _timed(retriever: Retriever, askers: list[Asker]) -> list[int]:
    """Nanoseconds of each request."""
    taken = []
    for asker in askers:
        begun = time.perf_counter_ns()
        retriever.candidates(asker, Conditions(), count=COUNT)
        taken.append(time.perf_counter_ns() - begun)
    return taken[WARMING:]


def _line(name: str, taken: list[int]) -> None:
    p50, p99 = np.percentile(taken, [50, 99]) / 1000
    print(f"| {name} | {p50:,.0f} | {p99:,.0f} |", flush=True)


def _with_als(artifact: Artifact) -> Artifact:
    """The version with the fold-in that costs most: least squares over the history."""
    n_items, dim = artifact.item_embeddings.shape
    ones = np.ones(n_items, np.float32)
    gram = artifact.item_embeddings.T @ artifact.item_embeddings
    info = ALSFoldIn(weight_scale=1, alpha=10, k1=1.2, b=0.75, avg_length=serving_volume.HISTORY)
    spectrum = np.full(dim, np.trace(gram) / dim, np.float32)
    return replace(artifact, fold_in=FoldIn(info, item_weights=ones, item_scale=ones, spectrum=spectrum))


def _without_users(artifact: Artifact) -> Artifact:
    return replace(
        artifact,
        manifest=artifact.manifest.model_copy(update={"users_in": "feature_store"}),
        users=SortedIds(pa.array([], pa.large_string())),
        user_embeddings=artifact.user_embeddings[:0],
        history=empty_history(artifact.manifest.event_types),
    )


def _packed(artifact: Artifact, users: list[int], *, length: int) -> list[str]:
    """A history of this many items for each user: their own, or as many drawn ones."""
    n_items, rng = artifact.manifest.item_count, np.random.default_rng(length)
    items = [artifact.history.rows(row) for row in users]
    if length != serving_volume.HISTORY:
        items = [rng.choice(n_items, size=length, replace=False).astype(np.int32) for _ in users]
    nnz = length * len(users)
    drawn = History(
        indptr=np.arange(0, nnz + 1, length, dtype=np.int64),
        items=np.concatenate(items),
        times=np.full(nnz, 1_700_000_000, np.int64),
        types=np.zeros(nnz, np.uint8),
        weights=np.ones(nnz, np.float32),
        type_sets=np.ones(nnz, np.uint32),
        event_types=artifact.manifest.event_types,
    )
    return list(packed_histories(drawn, [serving_volume.item_id(row) for row in range(n_items)], stream_sequence=0))


async def _write(store: FeatureStore, artifact: Artifact) -> None:
    manifest = artifact.manifest
    ids = [serving_volume.item_id(row) for row in range(manifest.item_count)]
    texts = packed_histories(artifact.history, ids, stream_sequence=0)
    histories: Iterator[PackedHistory] = (
        PackedHistory(serving_volume.user_id(row), 0, text) for row, text in enumerate(texts)
    )
    while part := list(islice(histories, AT_ONCE)):
        await store.write_histories(part)


def _print_sizes(artifact: Artifact) -> None:
    manifest = artifact.manifest
    of_users = sum(manifest.files[name].bytes for name in layout.USER_FILES)
    whole = sum(file.bytes for file in manifest.files.values())
    print(
        f"{manifest.user_count:,} users, {manifest.item_count:,} items, d={manifest.dim}: {whole / 1e6:,.0f} MB in "
        f"files, {(whole - of_users) / 1e6:,.0f} MB without those of users"
    )


if __name__ == "__main__":
    main()
