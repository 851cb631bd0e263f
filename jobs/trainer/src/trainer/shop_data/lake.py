"""The event lake in; the shop as its files say, and as it became since they were written, out.

Rows of the lake are checked as rows of files are. An event_id counts once for ever (the store knows it for days only).
What a session did before it was merged into a user is the user's; any other counts as `sessions` says. Events of users
who were erased are dropped from the shop's files; the sink has removed them from the lake.
"""

import json
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from recsys.artifact.catalogue import ATTRIBUTE, VECTOR
from recsys.ids import user_hash
from recsys.lake import QUANTITY, read_erasures, read_items, read_table, with_owners
from recsys.shop.item import Item, ItemRecord
from trainer.shop_data import event_files, item_table, sessions, timestamps
from trainer.shop_data.checks import Times, first_reason
from trainer.shop_data.hints import UNKNOWN_TYPE
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import FILE, REASON, ROW, RowCounts, Tally
from trainer.shop_data.shop import Shop

_log = logging.getLogger(__name__)

_MS_RANGE: Final = (0, 10**14)  # 1970, before which the API takes nothing, to the year 5138


@dataclass(frozen=True)
class LakeReport:
    """What the lake added, and what it took away."""

    rows: RowCounts  # of events
    sequence: int  # place in the stream that the lake has reached
    single_item_sessions: int  # events kept out: anonymous, of a session with one item
    items_changed: int  # that the API said something of
    erased_users: int

    def render(self) -> str:
        """The report as lines of text for a terminal."""
        return "\n".join(
            [
                *self.rows.lines("lake"),
                f"  {self.single_item_sessions:>12,}  of those kept: not learnt from, of sessions with one item",
                f"lake: up to {self.sequence} of the stream; {self.items_changed:,} items changed; "
                f"{self.erased_users:,} users erased",
            ]
        )


def add(shop: Shop, lake: Path, *, mapping: ColumnMapping, now: datetime | None = None) -> tuple[Shop, LakeReport]:
    """The shop as it is now: events of the lake behind those of the files, the catalogue as the API changed it.

    Raises:
        DataError: a file of the lake cannot be read.
    """
    committed, stream = read_table(lake, "events")
    owned = with_owners(stream.lazy(), read_table(lake, "merges")[1])
    stream = owned.with_columns(pl.coalesce("user_id", "owner")).collect()
    erased = frozenset(read_erasures(lake)["user_hash"])
    files = without(shop.events, erased)
    times = Times.until(now)
    kept, counts = _checked(stream, lake, mapping=mapping, times=times)
    all_times = pl.concat([files["timestamp"], kept["timestamp"]]).sort()
    earliest = timestamps.earliest_likely(all_times, farthest=mapping.timestamp.farthest)
    if earliest is not None:
        kept, counts = _checked(stream, lake, mapping=mapping, times=replace(times, earliest=earliest))
    _warn_of_unknown_types(counts)
    trained = sessions.standing_for_users(kept)
    records = read_items(lake)
    added = trained.select(event_files.SCHEMA.names())
    everything = pl.concat([files.cast(event_files.SCHEMA), added]).sort("timestamp", maintain_order=True)
    items = pl.concat([shop.catalogue["item_id"], added["item_id"]])
    listed = item_table.merge(items, from_events=item_table.SCHEMA.to_frame(), from_file=shop.catalogue)
    report = LakeReport(
        rows=counts,
        sequence=committed.sequence,
        single_item_sessions=kept.height - trained.height,
        items_changed=records.height,
        erased_users=len(erased),
    )
    changed = with_changes(listed, records)
    return replace(shop, events=everything, catalogue=changed, stream_sequence=committed.sequence), report


def without(frame: pl.DataFrame, erased: frozenset[str]) -> pl.DataFrame:
    """The rows that are of nobody erased: `erased` are hashes of user_ids."""
    if not erased:
        return frame
    gone = [user_id for user_id in frame["user_id"].unique() if user_hash(user_id) in erased]
    return frame.filter(~pl.col("user_id").is_in(gone)) if gone else frame


def with_changes(listed: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """The catalogue as the API changed it.

    Args:
        listed: columns of `item_table.SCHEMA` and attributes, one row an item.
        records: columns of `recsys.lake.ITEMS`.

    Returns:
        Columns of `item_table.SCHEMA`, the attributes and the vectors of both, one row an item, sorted by item_id.
    """
    if records.is_empty():
        return listed
    changed = records.select("item_id")
    trained = {row["item_id"]: _item(row) for row in listed.join(changed, on="item_id").rows(named=True)}
    changes = [ItemRecord(**(row | {"fields": json.loads(row["fields"])})) for row in records.rows(named=True)]
    now = [change.over(trained.get(change.item_id)) for change in changes]
    changed_to = [_row(item) for item in now]
    new = sorted({name for row in changed_to for name in row} - set(listed.columns))
    schema = {**listed.schema, **dict.fromkeys(new, pl.String())}
    rows = pl.DataFrame(changed_to, schema=schema)
    unchanged = listed.join(changed, on="item_id", how="anti")
    return pl.concat([unchanged, rows], how="diagonal").select(list(schema)).sort("item_id")


def _checked(
    stream: pl.DataFrame, lake: Path, *, mapping: ColumnMapping, times: Times
) -> tuple[pl.DataFrame, RowCounts]:
    """Rows to keep, in columns of `event_files.SCHEMA` and user_id or session_id; and what became of all."""
    known_type = pl.col("event_type").is_in(mapping.event_types)
    in_time = pl.col("unix_ms").is_between(*_MS_RANGE)
    moment = pl.from_epoch(pl.when(in_time).then("unix_ms"), time_unit="ms").dt.replace_time_zone("UTC")
    judged = stream.select(
        "sequence",
        "event_id",
        "user_id",
        "session_id",
        "item_id",
        pl.when(known_type).then("event_type").cast(pl.Categorical).alias("event_type"),
        moment.cast(event_files.SCHEMA["timestamp"]).alias("timestamp"),
        QUANTITY.cast(pl.Float64),
        "value",
        "unix_ms",
        type_of_event="event_type",
    ).with_columns(
        first_reason(
            (~pl.col("event_id").is_first_distinct(), "repeated event_id, the first counts"),
            (pl.concat_str("user_id", "session_id", ignore_nulls=True) == "", "missing user_id"),
            (pl.col("item_id").fill_null("") == "", "missing item_id"),
            *times.reasons(),
            (pl.col("event_type").is_null(), UNKNOWN_TYPE),
            (~pl.col("value").is_finite(), "unreadable value"),
        )
    )
    tally = Tally()
    refused = judged.filter(pl.col(REASON).is_not_null())
    origin = (pl.lit(str(lake)).alias(FILE), pl.col("sequence").alias(ROW), REASON)
    described = refused.select(*origin, "event_id", "item_id", "type_of_event", "unix_ms")
    tally.add(read=judged.height, rejected=described, columns={"event_type": "type_of_event", "timestamp": "unix_ms"})
    return judged.filter(pl.col(REASON).is_null()), tally.counts()


def _warn_of_unknown_types(counts: RowCounts) -> None:
    """The gateway took them: it reads another mapping, or read this one before it was changed."""
    for rejection in counts.rejected:
        if rejection.reason == UNKNOWN_TYPE:
            _log.warning(
                "events that the API took are of types without a weight in the mapping: nothing is learnt from them",
                extra={"rows": rejection.rows, "examples": rejection.examples},
            )


def _item(row: dict[str, Any]) -> Item:
    facts = {name: row[name] for name in item_table.SCHEMA.names()}
    told = {name.removeprefix(ATTRIBUTE): value for name, value in row.items() if name.startswith(ATTRIBUTE)}
    attributes = {name: value for name, value in told.items() if value is not None}
    return Item(**facts, attributes=attributes, vector=row.get(VECTOR))


def _row(item: Item) -> dict[str, Any]:
    facts = {name: item.value(name) for name in item_table.SCHEMA.names()}
    if item.vector is not None:
        facts[VECTOR] = item.vector
    return facts | {f"{ATTRIBUTE}{name}": value for name, value in item.attributes.items()}
