"""Events in, what each user did out: one row a user, weighed by the trainer's own code on the users of a partition.

user_id    string
items      array<int>       rows of items, ascending
weights    array<float>     as `Interactions`, of each item: weights, last_seen, last_type, type_sets
times      array<bigint>
types      array<int>
type_sets  array<bigint>
test       array<int>       rows of items that the user took after the cut and not before; of a split only
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray
from pyspark import Broadcast, TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn
from pyspark.storagelevel import StorageLevel

from trainer.shop_data import interactions
from trainer.shop_data.interactions import Interactions
from trainer.shop_data.timestamps import UTC_MICROSECONDS

_ARRAYS: Final = {
    "items": pa.int32(),
    "weights": pa.float32(),
    "times": pa.int64(),
    "types": pa.int32(),
    "type_sets": pa.int64(),
    "test": pa.int32(),
}
_SCHEMA: Final = (
    "user_id string, items array<int>, weights array<float>, times array<bigint>, types array<int>, "
    "type_sets array<bigint>, test array<int>"
)
FIRST_SEEN: Final = "first_seen"
"""In the place of a user's id: the items that the users of a partition have, and when the first of them had it."""

_EVENTS_A_PARTITION: Final = 1_000_000
_NO_USER: Final = None


@dataclass(frozen=True)
class Terms:
    """What every task must know to weigh events."""

    weights: dict[str, float]  # event type → weight
    event_types: list[str]  # `interactions.weighted_types` of all events
    item_ids: Broadcast[pa.Array]  # sorted by bytes

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.item_ids.value)


def of_events(
    events: DataFrame, terms: Terms, *, count: int, cut: datetime | None = None, end: datetime | None = None
) -> DataFrame:
    """The histories of all users, kept on the workers' disks; their partitions are by user.

    A row whose user_id is null has in `items` and `times` the items of a partition's users and when each was first
    seen.

    Args:
        count: of the events.
        cut: learn from events strictly before it, and test on what is new in those from it on.
        end: of the window to test on.
    """
    session = events.sparkSession
    least = session.sparkContext.defaultParallelism
    partitions = max(least, -(-count // _EVENTS_A_PARTITION))
    weigh = partial(_of_partition, terms=terms, cut=cut, end=end)
    by_user = events.repartition(partitions, "user_id")
    return by_user.mapInArrow(weigh, _SCHEMA).persist(StorageLevel.DISK_ONLY)


def users_of(histories: DataFrame) -> DataFrame:
    """The rows that are of users."""
    return histories.where(fn.col("user_id").isNotNull())


def first_seen(histories: DataFrame, *, n_items: int) -> NDArray[np.int64]:
    """Unix seconds of each item's first event, 0: none: int64 [n_items]."""
    told = histories.where(fn.col("user_id").isNull())
    pairs = told.select(fn.explode(fn.arrays_zip("items", "times")).alias("pair"))
    firsts = pairs.groupBy(fn.col("pair.items")).agg(fn.min("pair.times")).toArrow()
    found = np.zeros(n_items, np.int64)
    found[firsts.column(0).to_numpy()] = firsts.column(1).to_numpy()
    return found


def numbered(users: DataFrame) -> DataFrame:
    """With `user`: 0, 1, 2, … in the order of the rows, which must be kept somewhere (persisted)."""
    partition = fn.spark_partition_id().alias("partition")
    sizes = {int(row[0]): int(row[1]) for row in users.groupBy(partition).count().collect()}
    starts, so_far = {}, 0
    for number in sorted(sizes):
        starts[number] = so_far
        so_far += sizes[number]
    schema = f"user int, {', '.join(f'{field.name} {field.dataType.simpleString()}' for field in users.schema)}"
    return users.mapInArrow(partial(_numbered, starts=starts), schema)


def batch_of(batch: pa.RecordBatch, *, n_items: int, event_types: list[str]) -> Interactions:
    """Some users' histories as the trainer has them; items have no ids here."""
    lengths = pc.list_value_length(batch.column("items")).to_numpy(zero_copy_only=False).astype(np.int64)
    columns = {name: batch.column(name).flatten().to_numpy(zero_copy_only=False) for name in _ARRAYS if name != "test"}
    weights = sp.csr_matrix(
        (columns["weights"], columns["items"], np.r_[0, np.cumsum(lengths)]), shape=(batch.num_rows, n_items)
    )
    return Interactions(
        user_ids=batch.column("user_id").to_pylist(),
        item_ids=[],
        weights=weights,
        last_seen=columns["times"],
        last_type=columns["types"].astype(np.uint8),
        type_sets=columns["type_sets"].astype(np.uint32),
        first_seen=np.zeros(n_items, np.int64),
        event_types=event_types,
    )


def lists_of(batch: pa.RecordBatch, name: str, *, n_items: int) -> sp.csr_matrix:
    """A column of lists of items as a matrix of ones: float32 [batch.num_rows, n_items]."""
    lengths = pc.list_value_length(batch.column(name)).to_numpy(zero_copy_only=False).astype(np.int64)
    items = batch.column(name).flatten().to_numpy(zero_copy_only=False)
    ones = np.ones(len(items), np.float32)
    return sp.csr_matrix((ones, items, np.r_[0, np.cumsum(lengths)]), shape=(batch.num_rows, n_items))


def _numbered(batches: Iterator[pa.RecordBatch], *, starts: dict[int, int]) -> Iterator[pa.RecordBatch]:
    context = TaskContext.get()
    assert context is not None
    at = starts.get(context.partitionId(), 0)
    for batch in batches:
        numbers = pa.array(np.arange(at, at + batch.num_rows, dtype=np.int32))
        at += batch.num_rows
        yield pa.RecordBatch.from_arrays([numbers, *batch.columns], ["user", *batch.schema.names])


def _of_partition(
    batches: Iterator[pa.RecordBatch], *, terms: Terms, cut: datetime | None, end: datetime | None
) -> Iterator[pa.RecordBatch]:
    parts = list(batches)
    if not parts:
        return
    frame = pl.from_arrow(pa.Table.from_batches(parts))
    assert isinstance(frame, pl.DataFrame)
    frame = frame.with_columns(pl.col("timestamp").cast(UTC_MICROSECONDS))

    def weighed(events: pl.DataFrame, until: datetime | None) -> Interactions:
        return interactions.build(events, weights=terms.weights, until=until, event_types=terms.event_types)

    known = weighed(frame, cut)
    rows = _rows(known.item_ids, terms)
    users = len(known.user_ids)
    test = [np.empty(0, np.int32)] * users
    if cut is not None:
        test = _new(known, weighed(frame.filter(pl.col("timestamp") >= cut), end), rows, terms)
    yield from _packed(known, rows, test)
    touched = np.flatnonzero(known.first_seen)
    yield _batch([_NO_USER], {"items": [rows[touched]], "times": [known.first_seen[touched]]})


def _rows(item_ids: list[str], terms: Terms) -> NDArray[np.int32]:
    """The rows of items, which are in the same order: int32 [len(item_ids)]."""
    places = pc.index_in(pa.array(item_ids, pa.string()), value_set=terms.item_ids.value)
    return np.asarray(places.to_numpy(zero_copy_only=False), np.int32)


def _new(known: Interactions, later: Interactions, rows: NDArray[np.int32], terms: Terms) -> list[NDArray[np.int32]]:
    """Of each known user, the rows of the items of `later` that they did not have."""
    later_rows = _rows(later.item_ids, terms)
    place = {user_id: row for row, user_id in enumerate(later.user_ids)}
    found = []
    for row, user_id in enumerate(known.user_ids):
        other = place.get(user_id)
        if other is None:
            found.append(np.empty(0, np.int32))
            continue
        seen = rows[_items(known, row)]
        took = later_rows[_items(later, other)]
        found.append(np.setdiff1d(took, seen, assume_unique=True).astype(np.int32))
    return found


def _items(known: Interactions, row: int) -> NDArray[np.int32]:
    indptr = known.weights.indptr
    return np.asarray(known.weights.indices[indptr[row] : indptr[row + 1]])


def _packed(
    known: Interactions, rows: NDArray[np.int32], test: Sequence[NDArray[np.int32]]
) -> Iterator[pa.RecordBatch]:
    lengths = np.diff(known.weights.indptr)
    ends = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    flat = {
        "items": rows[known.weights.indices] if len(rows) else known.weights.indices,
        "weights": known.weights.data,
        "times": known.last_seen,
        "types": known.last_type,
        "type_sets": known.type_sets,
    }
    test_ends = np.r_[0, np.cumsum([len(one) for one in test])].astype(np.int32)
    flat_test = np.concatenate([np.empty(0, np.int32), *test])
    arrays = [
        pa.array(known.user_ids, pa.string()),
        *(
            pa.ListArray.from_arrays(pa.array(ends), pa.array(one.astype(_ARRAYS[name].to_pandas_dtype())))
            for name, one in flat.items()
        ),
        pa.ListArray.from_arrays(pa.array(test_ends), pa.array(flat_test, pa.int32())),
    ]
    yield from pa.Table.from_arrays(arrays, ["user_id", *_ARRAYS]).to_batches(max_chunksize=10_000)


def _batch(user_ids: list[str | None], lists: dict[str, list[NDArray[np.generic]]]) -> pa.RecordBatch:
    """One row for each, with empty lists where nothing is said."""
    arrays = [
        pa.array(lists.get(name, [np.empty(0)] * len(user_ids)), pa.list_(kind)) for name, kind in _ARRAYS.items()
    ]
    return pa.RecordBatch.from_arrays([pa.array(user_ids, pa.string()), *arrays], ["user_id", *_ARRAYS])
