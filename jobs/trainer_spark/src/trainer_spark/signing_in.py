"""Events of sessions in, events of users out: `shop_data.sessions` on the sessions of a partition."""

from collections.abc import Iterator
from functools import partial

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn
from pyspark.storagelevel import StorageLevel

from trainer.shop_data import lake, sessions


def with_users(events: DataFrame) -> DataFrame:
    """Each event with its user; those of sessions that nothing is learnt from are dropped.

    Args:
        events: user_id, session_id, item_id, timestamp, file and row, by which those of one moment are ordered.
    """
    alone = events.where(fn.col("session_id").isNull())
    of_sessions = events.where(fn.col("session_id").isNotNull()).repartition("session_id")
    standing = of_sessions.mapInArrow(_standing, events.schema).persist(StorageLevel.DISK_ONLY)
    return alone.unionByName(standing)


def without(events: DataFrame, erased: frozenset[str]) -> DataFrame:
    """The events that are of nobody erased: `erased` are hashes of user ids."""
    return events.mapInArrow(partial(_without, erased=erased), events.schema)


def _standing(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    parts = list(batches)
    if parts:
        schema = parts[0].schema
        frame = _polars(pa.Table.from_batches(parts)).sort("timestamp", "file", "row", maintain_order=True)
        users = sessions.standing_for_users(sessions.with_owners(frame))
        yield from users.to_arrow().cast(schema).to_batches(max_chunksize=100_000)


def _without(batches: Iterator[pa.RecordBatch], *, erased: frozenset[str]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        kept = lake.without(_polars(pa.Table.from_batches([batch])), erased)
        yield from kept.to_arrow().cast(batch.schema).to_batches()


def _polars(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
