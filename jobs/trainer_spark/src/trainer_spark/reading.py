"""A shop's files in, checked events as a DataFrame out, by the trainer's own checks; what is rejected is kept as ever.

Every task reads a file, or a million rows of a Parquet file, and sends its events and, packed, what it rejected. The
files must be where every worker finds them by the path that the command names.
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, types
from pyspark.sql import functions as fn
from pyspark.storagelevel import StorageLevel

from recsys.errors import DataError
from trainer.shop_data import event_files, item_table, not_rows, rows, timestamps
from trainer.shop_data.checks import Rejected, Times
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import REASON, LoadReport, Quarantine, Tally
from trainer.shop_data.rows import Source
from trainer_spark import item_facts, quantiles, report, signing_in
from trainer_spark.times import microseconds, moment

_ROWS_A_TASK: Final = 1_000_000
_TEXTS: Final = ("title", "category", "image_url")


@dataclass(frozen=True)
class Events:
    """What happened in the shop, and what it sells."""

    frame: DataFrame  # user_id, item_id, event_type, timestamp (Unix microseconds), quantity
    count: int
    types: dict[str, int]  # how many events each type has
    last: datetime | None
    catalogue: pl.DataFrame  # as `LoadedEvents.catalogue`
    report: LoadReport

    def time_before(self, share: float, *, end: datetime | None = None) -> datetime:
        """The time of the event before which a share of the events lies; of those before the end, if there is one."""
        frame, count = self.frame, self.count
        if end is not None:
            frame = frame.where(fn.col("timestamp") < microseconds(end))
            count = frame.count()
        if count == 0:
            raise DataError("expected events before the window, found none")
        place = quantiles.share_to_place(share, count)
        return moment(quantiles.value_at(frame, fn.col("timestamp"), place))

    def recent_types(self, *, days: float) -> dict[str, int]:
        """How many of the last so many days each type has, as `pipeline.recent_events`."""
        if self.last is None:
            return {}
        return _types(self.frame.where(fn.col("timestamp") > microseconds(self.last - timedelta(days=days))))


@dataclass(frozen=True)
class _Task:
    """A file, or a part of it, and its columns in our terms."""

    source: Source
    columns: dict[str, str]


def load(
    spark: SparkSession,
    path: Path,
    *,
    mapping: ColumnMapping,
    catalogue_path: Path | None,
    quarantine_path: Path,
    erased: frozenset[str],
    now: datetime | None = None,
) -> Events:
    """Read and check a shop's events, without those of erased users.

    Raises:
        DataError: as `event_files.load`; or every row is rejected.
    """

    def files(path: Path | None, header: tuple[str, ...] = ()) -> list[Source]:
        if path is None:
            return []
        whole = path.absolute()  # workers run in folders of their own
        return rows.sources(whole, separator=mapping.separator, encoding=mapping.encoding, header=header)

    event_files_, item_files = files(path, mapping.header), files(catalogue_path)
    tasks = [
        _Task(part, event_files.needed_columns(source, mapping))
        for source in event_files_
        # a field that is filled down may stand in the rows of another part
        for part in ([source] if mapping.fill_down else rows.parts(source, rows=_ROWS_A_TASK))
    ]
    times = Times.until(now)
    read = _read(spark, tasks, mapping, times)
    earliest = _earliest(read.users, farthest=mapping.timestamp.farthest)
    if earliest is not None:
        read.whole.unpersist()
        read = _read(spark, tasks, mapping, replace(times, earliest=earliest))
    events = _described(read, tasks, item_files, mapping, quarantine_path)
    return _counted(events, signing_in.without(events.frame, erased)) if erased else events


def before(events: Events, end: datetime) -> Events:
    """The events before a moment; the catalogue and the report tell of all of them."""
    return _counted(events, events.frame.where(fn.col("timestamp") < microseconds(end)))


def _counted(events: Events, frame: DataFrame) -> Events:
    """The events of a frame; the report tells of all of them."""
    types = _types(frame)
    last = frame.agg(fn.max("timestamp")).collect()[0][0]
    return replace(
        events, frame=frame, count=sum(types.values()), types=types, last=None if last is None else moment(last)
    )


def _types(frame: DataFrame) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in frame.groupBy("event_type").count().collect()}


@dataclass(frozen=True)
class _Read:
    """What tasks read, kept on the workers' disks."""

    whole: DataFrame  # events, and packed in `rejected` what was not taken
    events: DataFrame
    users: DataFrame  # those events that can be learnt from, each with its user


def _read(spark: SparkSession, tasks: list[_Task], mapping: ColumnMapping, times: Times) -> _Read:
    attributes = event_files.attributes_of(task.columns for task in tasks)
    texts = [*_TEXTS, *attributes]
    number_of = [types.StructField(name, types.LongType()) for name in ("timestamp", "file", "row")]
    fields = [
        *(
            types.StructField(name, types.StringType())
            for name in ("user_id", "session_id", "item_id", "event_type", *texts)
        ),
        *(types.StructField(name, types.DoubleType()) for name in ("quantity", "value", "price")),
        *number_of,
        types.StructField("rejected", types.BinaryType()),
    ]
    schema = types.StructType(fields)
    read = partial(_rows_of, tasks=tasks, attributes=attributes, mapping=mapping, times=times)
    numbers = spark.range(0, len(tasks), 1, max(len(tasks), 1))
    whole = numbers.mapInArrow(_with_schema(read, schema), schema).persist(StorageLevel.DISK_ONLY)
    events = whole.where(fn.col("rejected").isNull()).drop("rejected")
    has_sessions = any("session_id" in task.columns for task in tasks)
    return _Read(whole, events, signing_in.with_users(events) if has_sessions else events)


def _with_schema(
    read: Callable[[int], Iterator[pl.DataFrame]], schema: types.StructType
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What reads the tasks of a batch of numbers, in the columns of a schema."""
    columns = {field.name: _ARROW[type(field.dataType)] for field in schema.fields}

    def of_numbers(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                for frame in read(number):
                    yield from _batches(frame, columns)

    return of_numbers


_ARROW: Final = {
    types.StringType: pa.string(),
    types.DoubleType: pa.float64(),
    types.LongType: pa.int64(),
    types.BinaryType: pa.binary(),
}


def _batches(frame: pl.DataFrame, columns: dict[str, pa.DataType]) -> list[pa.RecordBatch]:
    """The frame in columns of Spark's kinds; those that it lacks are null."""
    arrays = [
        frame[name].to_arrow().cast(kind) if name in frame.columns else pa.nulls(frame.height, kind)
        for name, kind in columns.items()
    ]
    table = pa.Table.from_arrays(arrays, list(columns))
    batches: list[pa.RecordBatch] = table.to_batches(max_chunksize=100_000)
    return batches


def _rows_of(
    number: int,
    *,
    tasks: list[_Task],
    attributes: list[str],
    mapping: ColumnMapping,
    times: Times,
) -> Iterator[pl.DataFrame]:
    """The events of a task, then what it rejected, batch by batch."""
    task = tasks[number]
    checked = event_files.checked_batches(
        task.source, task.columns, attributes=attributes, mapping=mapping, times=times
    )
    for one in checked:
        numbered = one.ours.with_columns(row=pl.Series(one.batch.rows), file=pl.lit(number, pl.Int64))
        good = numbered.filter(pl.col(REASON).is_null())
        yield good.with_columns(pl.col("event_type").cast(pl.String), pl.col("timestamp").dt.epoch("us"))
        yield pl.DataFrame({"rejected": [pickle.dumps(one.rejected())]})


def _earliest(events: DataFrame, *, farthest: float) -> datetime | None:
    """As `timestamps.earliest_likely` says of all events' times."""
    count, first = events.agg(fn.count("*"), fn.min("timestamp")).collect()[0]
    if count == 0:
        return None
    places = [quantiles.share_to_place(share, count) for share in timestamps.MIDDLE]
    ends = [quantiles.value_at(events, fn.col("timestamp"), place) for place in places]
    return timestamps.earliest_of(first, *ends, farthest=farthest)


def _described(
    read: _Read, tasks: list[_Task], item_files: list[Source], mapping: ColumnMapping, quarantine_path: Path
) -> Events:
    tally, item_tally = Tally(), Tally()
    sources = [*(task.source for task in tasks), *item_files]
    shop_columns = list(dict.fromkeys(column for source in sources for column in source.columns))
    with Quarantine(quarantine_path, columns=shop_columns) as quarantine:
        rejected = read.whole.where(fn.col("rejected").isNotNull()).select("rejected")
        for row in rejected.toLocalIterator():
            one = pickle.loads(bytes(row[0]))
            assert isinstance(one, Rejected)
            one.set_aside(tally, quarantine)
        from_file = item_table.load(item_files, mapping=mapping, tally=item_tally, quarantine=quarantine)
    attributes = event_files.attributes_of(task.columns for task in tasks)
    named = [name for name in (*_TEXTS, *attributes) if any(name in task.columns for task in tasks)]
    has_price = any("price" in task.columns for task in tasks)
    ids = item_facts.ids(read.events)
    facts = item_facts.collect(read.events, texts=[*_TEXTS, *attributes], named=named, has_price=has_price)
    catalogue = item_table.merge(ids, from_events=facts, from_file=from_file)
    if read.users is not read.events:
        tally.ignore(not_rows.SINGLE_ITEM, read.events.count() - read.users.count())
    tallies = (tally, item_tally if item_files else None)
    told = report.of(read.users, tallies, catalogue, quarantine, decimal=mapping.decimal)
    frame = read.users.select("user_id", "item_id", "event_type", "timestamp", "quantity")
    types_ = told.events_by_type
    return Events(frame, sum(types_.values()), types_, told.last, catalogue, told)
