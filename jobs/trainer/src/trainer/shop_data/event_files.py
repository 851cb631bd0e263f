"""A shop's files of events in; checked events, the catalogue and a report of what was rejected out.

A row is kept whole or rejected whole, for the first reason that holds: a field that the mapping names and that cannot
be read is a reason. Nothing is dropped silently, nothing is guessed.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from recsys.artifact.catalogue import ATTRIBUTE
from recsys.errors import DataError
from trainer.shop_data import event_rows, item_table, not_rows, rows, sessions, shaping, timestamps
from trainer.shop_data.checks import Checked, Times, columns_in, missing_column, numbers_of
from trainer.shop_data.item_table import ItemFacts
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.odd_ids import OddIds
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

_KEPT = pl.Schema({**SCHEMA, "session_id": pl.String()})


@dataclass(frozen=True)
class LoadedEvents:
    """What happened in the shop, and what it sells."""

    frame: pl.DataFrame  # columns of SCHEMA; quantity, value null where absent; by timestamp, ties in file order
    # columns of item_table.SCHEMA and attributes, one row an item, also items without events; sorted by item_id
    catalogue: pl.DataFrame
    # the same as each item's first events had it: what held-out windows may know; as the catalogue, where no event told
    first_told: pl.DataFrame
    report: LoadReport


def load(
    path: Path | None,
    *,
    mapping: ColumnMapping,
    quarantine_path: Path,
    catalogue_path: Path | None = None,
    now: datetime | None = None,
) -> LoadedEvents:
    """Read and check a shop's events.

    Args:
        path: a CSV, JSON or Parquet file, a directory of such files, or a pattern; text files also gzipped. None: a
            shop without history.
        mapping: the shop's names in our terms.
        quarantine_path: where rejected rows go, as CSV. No file is left there when none was rejected.
        catalogue_path: a separate file of items.
        now: events more than a day later are rejected; the clock's time unless given.

    Raises:
        DataError: a file cannot be read, lacks a column that the mapping needs, or is the quarantine file.
    """

    def files(path: Path | None, header: tuple[str, ...] = ()) -> list[Source]:
        return rows.sources(path, separator=mapping.separator, encoding=mapping.encoding, header=header) if path else []

    event_files, item_files = files(path, mapping.header), files(catalogue_path)
    if path is not None and not event_files:
        _log.warning("an empty file, without even a header: read as a shop without history", extra={"path": str(path)})
    if quarantine_path.resolve() in [source.path.resolve() for source in event_files + item_files]:
        raise DataError(f"{quarantine_path}: expected another quarantine file, found one of the files to read")
    needed = [(source, needed_columns(source, mapping)) for source in event_files]
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
    attributes = attributes_of(columns for _, columns in event_files)
    facts, tally, item_tally, kept = ItemFacts(attributes), Tally(), Tally(), [_KEPT.to_frame()]
    sources = [*(source for source, _ in event_files), *item_files]
    shop_columns = list(dict.fromkeys(column for source in sources for column in source.columns))
    with Quarantine(quarantine_path, columns=shop_columns) as quarantine:
        for source, columns in event_files:
            for checked in checked_batches(source, columns, attributes=attributes, mapping=mapping, times=times):
                checked.set_aside(tally, quarantine)
                good = checked.good()
                facts.add(good)
                kept.append(good.select(_KEPT.names()))
        items = item_table.load(item_files, mapping=mapping, tally=item_tally, quarantine=quarantine)
    everything = sessions.with_owners(pl.concat(kept).sort("timestamp", maintain_order=True))
    frame = sessions.standing_for_users(everything).select(SCHEMA.names())
    tally.ignore(not_rows.SINGLE_ITEM, everything.height - frame.height)
    first_told = item_table.merge(everything["item_id"], from_events=facts.as_first_told(), from_file=items)
    items = item_table.merge(everything["item_id"], from_events=facts.frame(), from_file=items)
    odd = tuple(
        OddIds.among(name, ids.unique(), decimal=mapping.decimal)
        for name, ids in (("user_id", frame["user_id"]), ("item_id", items["item_id"]))
    )
    report = LoadReport(
        events=tally.counts(),
        catalogue=item_tally.counts() if item_files else None,
        quarantine_path=quarantine_path if quarantine.rows else None,
        events_by_type=dict(frame.group_by(pl.col("event_type").cast(pl.String)).len().iter_rows()),
        users=frame["user_id"].n_unique(),
        sessions=int(frame["user_id"].unique().str.starts_with(sessions.SESSION).sum()),
        items=items.height,
        first=_instant(frame, 0),
        last=_instant(frame, -1),
        exact_duplicates=frame.height - frame.hash_rows().n_unique(),
        like_floats=tuple(one.column for one in odd if one.are_like_floats),
        odd_ids=odd,
    )
    return LoadedEvents(frame, items, first_told, report)


def needed_columns(source: Source, mapping: ColumnMapping) -> dict[str, str]:
    """Our names → the file's names, of the columns that describe an event or its item. Raises: DataError."""
    if mapping.each is not None and mapping.each in source.nested:  # rows are read with one element of it each
        others = tuple(name for name in source.nested if name != mapping.each)
        source = replace(source, columns=[*source.columns, mapping.each], nested=others)
    whose = () if source.shows(mapping.columns.session_id) else ("user_id",)
    columns = columns_in(source, mapping.columns, required=(*whose, "item_id", "timestamp"))
    named = [(column, "a rule of event_type") for column in _rule_columns(mapping)]
    if mapping.fill_down is not None:
        named += [(column, "fill_down") for column in (mapping.fill_down.same, *mapping.fill_down.columns)]
    if mapping.each is not None and not source.shows(mapping.each):
        raise missing_column(source, mapping.each, meaning="each")
    for column, meaning in named:
        if not source.has(column):
            raise missing_column(source, column, meaning=meaning)
    return columns | columns_in(source, mapping.item_columns, required=())


def checked_batches(
    source: Source, columns: dict[str, str], *, attributes: list[str], mapping: ColumnMapping, times: Times
) -> Iterator[Checked]:
    """The rows of a file, in our terms, as `event_rows.checked` returns them.

    Args:
        columns: `needed_columns` of the file.
        attributes: columns `attr:NAME` of any of the shop's files.
    """
    names = [*(name for ours, name in columns.items() if ours != "timestamp"), *_rule_columns(mapping)]
    numbers = numbers_of(source, mapping)
    shaped = shaping.shaped(
        source, names, joined=mapping.columns.timestamp, each=mapping.each, fill_down=mapping.fill_down
    )
    for batch in shaped:
        ours = event_rows.checked(
            batch.frame, columns, mapping=mapping, numbers=numbers, times=times, attributes=attributes
        )
        yield Checked(source, columns, batch, ours)


def attributes_of(columns: Iterable[dict[str, str]]) -> list[str]:
    """The columns `attr:NAME` of any file, each once; `columns`: `needed_columns` of each."""
    return list(dict.fromkeys(name for one in columns for name in one if name.startswith(ATTRIBUTE)))


def _rule_columns(mapping: ColumnMapping) -> list[str]:
    return [rule.column for rule in mapping.event_type.rules]


def _instant(frame: pl.DataFrame, row: int) -> datetime | None:
    return frame.item(row, "timestamp") if frame.height else None
