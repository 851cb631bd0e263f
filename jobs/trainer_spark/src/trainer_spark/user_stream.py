"""Histories sorted by user id in, the users of a version out, part by part: the driver holds one part at a time.

Workers solve the users, put their histories into the artifact's order, and pack some thousand users into a row.
"""

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.storagelevel import StorageLevel

from recsys.artifact.history import History
from recsys.artifact.user_parts import UserPart
from trainer.publishing.publish import ManyUsers, history_of
from trainer.shop_data.interactions import Interactions
from trainer_spark import histories
from trainer_spark.factors import UserSolver
from trainer_spark.histories import Terms
from trainer_spark.statistics import Statistics

_ARRAYS: Final[dict[str, np.dtype[np.generic]]] = {
    "embeddings": np.dtype(np.float32),
    "lengths": np.dtype(np.int64),
    "items": np.dtype(np.int32),
    "times": np.dtype(np.int64),
    "types": np.dtype(np.uint8),
    "weights": np.dtype(np.float32),
    "type_sets": np.dtype(np.uint32),
}
_SCHEMA: Final = f"ids array<string>, {', '.join(f'{name} binary' for name in _ARRAYS)}, digest binary"
_DIGEST_BYTES: Final = 32


def many_users(users: DataFrame, solver: UserSolver, statistics: Statistics, terms: Terms) -> ManyUsers:
    """The users of a version; what their parts are made of is kept on the workers' disks until the session ends.

    Args:
        users: histories sorted by user id (UTF-8 bytes), all of them.
    """
    pack = partial(_packed, solver=solver, event_types=terms.event_types)
    packed = users.mapInArrow(pack, _SCHEMA).persist(StorageLevel.DISK_ONLY)
    digests = packed.select("digest").toArrow().column(0).to_pylist()  # 32 bytes for ten thousand users
    whole = hashlib.sha256(_sum(digests))
    for item_id in terms.item_ids.value.to_pylist():
        whole.update(item_id.encode() + b"\0")
    return ManyUsers(
        statistics.users, statistics.pairs, whole.hexdigest(), _parts(packed, event_types=terms.event_types)
    )


def _parts(packed: DataFrame, *, event_types: list[str]) -> Iterator[UserPart]:
    for row in packed.drop("digest").toLocalIterator(prefetchPartitions=True):
        yield _part(row, event_types=event_types)


def _part(row: Row, *, event_types: list[str]) -> UserPart:
    arrays = {name: np.frombuffer(row[name], dtype) for name, dtype in _ARRAYS.items()}
    history = History(
        indptr=np.r_[0, np.cumsum(arrays["lengths"])],
        items=arrays["items"],
        times=arrays["times"],
        types=arrays["types"],
        weights=arrays["weights"],
        type_sets=arrays["type_sets"],
        event_types=event_types,
    )
    return UserPart(row["ids"], arrays["embeddings"].reshape(len(row["ids"]), -1), history)


def _packed(
    batches: Iterator[pa.RecordBatch], *, solver: UserSolver, event_types: list[str]
) -> Iterator[pa.RecordBatch]:
    solve = solver.begin()
    for batch in batches:
        known = histories.batch_of(batch, n_items=solver.confidence.n_items, event_types=event_types)
        vectors, history = solve(known), history_of(known)
        arrays = {
            "embeddings": vectors,
            "lengths": np.diff(history.indptr),
            "items": history.items,
            "times": history.times,
            "types": history.types,
            "weights": history.weights,
            "type_sets": history.type_sets,
        }
        packed = [arrays[name].astype(dtype).tobytes() for name, dtype in _ARRAYS.items()]
        columns = [
            pa.array([known.user_ids], pa.list_(pa.string())),
            *(pa.array([content], pa.binary()) for content in packed),
            pa.array([_sum(_digests(known))], pa.binary()),
        ]
        yield pa.RecordBatch.from_arrays(columns, ["ids", *_ARRAYS, "digest"])


def _digests(known: Interactions) -> Iterator[bytes]:
    """Of each user, a hash of who they are and what they have."""
    weights = known.weights
    for row, user_id in enumerate(known.user_ids):
        part = slice(weights.indptr[row], weights.indptr[row + 1])
        digest = hashlib.sha256(user_id.encode() + b"\0")
        digest.update(weights.indices[part].astype("<i4").tobytes() + weights.data[part].astype("<f4").tobytes())
        yield digest.digest()


def _sum(digests: Iterable[bytes]) -> bytes:
    """The same however users are parted, and in whatever order they come."""
    total = sum(int.from_bytes(digest) for digest in digests)
    return (total % (1 << 8 * _DIGEST_BYTES)).to_bytes(_DIGEST_BYTES)
