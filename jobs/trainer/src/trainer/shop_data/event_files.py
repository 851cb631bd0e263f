"""A shop's files of events in; checked events, the catalogue and a report of what was rejected out.

A row is kept whole or rejected whole, for the first reason that holds: a field that the mapping names and that cannot
be read is a reason. Nothing is dropped silently, nothing is guessed.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from recsys.artifact.catalogue import ATTRIBUTE
from recsys.errors import DataError
from recsys.shop.events import REMOVE
from trainer.shop_data import item_table, rows, timestamps
from trainer.shop_data.checks import (
    Checked,
    Numbers,
    Times,
    columns_in,
    first_reason,
    missing_column,
    numbers_of,
    text,
    too_long,
)
from trainer.shop_data.hints import UNKNOWN_TYPE
from trainer.shop_data.item_table import ItemFacts
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import LoadReport, Quarantine, Tally
from trainer.shop_data.rows import Source

_log = logging.getLogger(__name__)

SCHEMA = pl.Schema(
    {
        "user_id": pl.String(),
        "item_id": pl.String(),
        "event_type": pl.Categorical(),
        "timestamp": timestamps.UTC_MICROSECONDS,
        "quantity": pl.Float64(),
        "value": pl.Float64(),
    }
)

_TEXTS = ("user_id", "item_id", "quantity", "value", "title", "category", "price", "image_url")


@dataclass(frozen=True)
class LoadedEvents:
    """What happened in the shop, and what it sells."""

    frame: pl.DataFrame  # columns of SCHEMA; quantity, value null where absent; by timestamp, ties in file order
    # columns of item_table.SCHEMA and attributes, one row an item, also items without events; sorted by item_id
    catalogue: pl.DataFrame
    report: LoadReport


def load(
    path: Path,
    *,
    mapping: ColumnMapping,
    quarantine_path: Path,
    catalogue_path: Path | None = None,
    now: datetime | None = None,
) -> LoadedEvents:
    """Read and check a shop's events.

    Args:
        path: a CSV, JSON lines or Parquet file, a directory of such files, or a pattern; text files also gzipped.
        mapping: the shop's names in our terms.
        quarantine_path: where rejected rows go, as CSV. No file is left there when none was rejected.
        catalogue_path: a separate file of items.
        now: events more than a day later are rejected; the clock's time unless given.

    Raises:
        DataError: a file cannot be read, lacks a column that the mapping needs, or is the quarantine file.
    """

    def files(path: Path | None) -> list[Source]:
        return rows.sources(path, separator=mapping.separator, encoding=mapping.encoding) if path else []

    event_files, item_files = files(path), files(catalogue_path)
    if not event_files:
        _log.warning("an empty file, without even a header: read as a shop without history", extra={"path": str(path)})
    if quarantine_path.resolve() in [source.path.resolve() for source in event_files + item_files]:
        raise DataError(f"{quarantine_path}: expected another quarantine file, found one of the files to read")
    needed = [(source, _columns(source, mapping)) for source in event_files]
    times = Times.until(now)

    loaded = _read(needed, item_files, mapping, quarantine_path, times)
    earliest = timestamps.earliest_likely(loaded.frame["timestamp"], farthest=mapping.timestamp.farthest)
    if earliest is None:
        return loaded
    return _read(needed, item_files, mapping, quarantine_path, replace(times, earliest=earliest))


def _read(
    event_files: list[tuple[Source, dict[str, str]]],
    item_files: list[Source],
    mapping: ColumnMapping,
    quarantine_path: Path,
    times: Times,
) -> LoadedEvents:
    named = [name for _, columns in event_files for name in columns if name.startswith(ATTRIBUTE)]
    attributes = list(dict.fromkeys(named))
    facts, tally, item_tally, kept = ItemFacts(attributes), Tally(), Tally(), [SCHEMA.to_frame()]
    sources = [*(source for source, _ in event_files), *item_files]
    shop_columns = list(dict.fromkeys(column for source in sources for column in source.columns))
    with Quarantine(quarantine_path, columns=shop_columns) as quarantine:
        for source, columns in event_files:
            for checked in _checked(source, columns, attributes=attributes, mapping=mapping, times=times):
                checked.set_aside(tally, quarantine)
                good = checked.good()
                facts.add(good)
                kept.append(good.select(SCHEMA.names()))
        items = item_table.load(item_files, mapping=mapping, tally=item_tally, quarantine=quarantine)
    frame = pl.concat(kept).sort("timestamp", maintain_order=True)
    items = item_table.merge(frame["item_id"], from_events=facts.frame(), from_file=items)
    report = LoadReport(
        events=tally.counts(),
        catalogue=item_tally.counts() if item_files else None,
        quarantine_path=quarantine_path if quarantine.rows else None,
        events_by_type=dict(frame.group_by(pl.col("event_type").cast(pl.String)).len().iter_rows()),
        users=frame["user_id"].n_unique(),
        items=items.height,
        first=_instant(frame, 0),
        last=_instant(frame, -1),
        exact_duplicates=frame.height - frame.hash_rows().n_unique(),
        like_floats=tuple(
            name for name in ("user_id", "item_id") if frame.height and frame[name].str.ends_with(".0").all()
        ),
    )
    return LoadedEvents(frame, items, report)


def _columns(source: Source, mapping: ColumnMapping) -> dict[str, str]:
    """Our names → the file's names, of the columns that describe an event or its item."""
    columns = columns_in(source, mapping.columns, required=("user_id", "item_id", "timestamp"))
    for rule in mapping.event_type.rules:
        if not source.has(rule.column):
            raise missing_column(source, rule.column, meaning="a rule of event_type")
    return columns | columns_in(source, mapping.item_columns, required=())


def _checked(
    source: Source, columns: dict[str, str], *, attributes: list[str], mapping: ColumnMapping, times: Times
) -> Iterator[Checked]:
    also = [*columns.values(), *(rule.column for rule in mapping.event_type.rules)]
    numbers = numbers_of(source, mapping)
    for batch in rows.batches(source, also=also):
        raw = batch.frame.select(
            *(text(columns.get(name)).alias(name) for name in (*_TEXTS, *attributes)),
            timestamps.parse(
                batch.frame[columns["timestamp"]], format=mapping.timestamp.format, timezone=mapping.timestamp.timezone
            ).alias("timestamp"),
            _event_type(columns.get("event_type"), mapping).alias("event_type"),
        )
        ours = _in_our_terms(raw, attributes, numbers=numbers, event_types=mapping.event_types, times=times)
        yield Checked(source, columns, batch, ours)


def _event_type(column: str | None, mapping: ColumnMapping) -> pl.Expr:
    names = mapping.event_type.names
    event_type = text(column).replace(names).fill_null(mapping.event_type.default)
    for rule in reversed(mapping.event_type.rules):
        field = pl.col(rule.column).cast(pl.String)
        holds = field == rule.equals if rule.starts_with is None else field.str.starts_with(rule.starts_with)
        event_type = pl.when(holds).then(pl.lit(rule.type)).otherwise(event_type)
    return event_type


def _in_our_terms(
    raw: pl.DataFrame, attributes: list[str], *, numbers: Numbers, event_types: list[str], times: Times
) -> pl.DataFrame:
    """Numbers out of text, and the reason to reject each row. A removal's quantity counts whatever its sign."""
    known_type = pl.col("event_type").is_in(event_types)
    quantity, value, price = (numbers.read(pl.col(name)) for name in ("quantity", "value", "price"))
    quantity = pl.when(pl.col("event_type") == REMOVE).then(quantity.abs()).otherwise(quantity)
    return raw.select(
        "user_id",
        "item_id",
        pl.when(known_type).then("event_type").cast(pl.Categorical).alias("event_type"),
        "timestamp",
        quantity.alias("quantity"),
        value.alias("value"),
        "title",
        "category",
        price.alias("price"),
        "image_url",
        *attributes,
        first_reason(
            (pl.col("user_id").is_null(), "missing user_id"),
            (pl.col("item_id").is_null(), "missing item_id"),
            too_long("user_id"),
            too_long("item_id"),
            *times.reasons(),
            (~known_type, UNKNOWN_TYPE),
            (pl.col("quantity").is_not_null() & quantity.is_null(), "unreadable quantity"),
            (quantity <= 0, "quantity not above 0"),
            (pl.col("value").is_not_null() & value.is_null(), "unreadable value"),
            (pl.col("price").is_not_null() & price.is_null(), "unreadable price"),
        ),
    )


def _instant(frame: pl.DataFrame, row: int) -> datetime | None:
    return frame.item(row, "timestamp") if frame.height else None
