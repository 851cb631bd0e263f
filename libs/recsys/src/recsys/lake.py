"""The event lake on the volume: what the sink writes, what the trainer reads, and which files count.

    <volume>/lake/
        COMMITTED                                                  JSON, see `Committed`
        events/date=2026-11-25/part-<first>-<last>.<n>.parquet     EVENTS; the day, in UTC, on which it happened
        exposures/date=2026-11-25/part-<first>-<last>.<n>.parquet  EXPOSURES
        merges/date=2026-11-25/part-<first>-<last>.<n>.parquet     MERGES
        items.parquet                                              ITEMS: what the API said of items
        erasures.parquet                                           ERASURES

`<first>` and `<last>` are sequences of the stream, `<n>` the number of the commit. A part counts only if COMMITTED
names it, and never changes: what is merged or rewritten gets another name, and COMMITTED is replaced as one. Items and
erasures may be a little ahead of COMMITTED, which does no harm: both say what holds now.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args

import polars as pl
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from recsys.errors import DataError

LAKE: Final = "lake"
COMMITTED: Final = "COMMITTED"
ITEMS_FILE: Final = "items.parquet"
ERASURES_FILE: Final = "erasures.parquet"
LOCK: Final = ".lock"
"""Held by the event sink while it runs, and touched while all is well."""

Table = Literal["events", "exposures", "merges"]
TABLES: Final[tuple[Table, ...]] = get_args(Table)

_INT, _FLOAT, _TEXT, _FLAG = pl.Int64(), pl.Float64(), pl.String(), pl.Boolean()
# Of events exactly one of both ids is given; of an exposure neither where nobody was named; of a merge both.
_WHO: Final = {"sequence": _INT, "user_id": _TEXT, "session_id": _TEXT}
EVENTS: Final = pl.Schema(
    {**_WHO, "event_id": _TEXT, "item_id": _TEXT, "event_type": _TEXT, "unix_ms": _INT, "value": _FLOAT}
    | {"request_id": _TEXT, "position": _INT, "list_id": _TEXT}
    | {"quantity": _INT}  # see `QUANTITY`
)
# A list that was shown before there were list_ids has its name in request_id.
EXPOSURES: Final = pl.Schema(
    {**_WHO, "request_id": _TEXT, "unix_ms": _INT, "item_ids": pl.List(_TEXT), "propensities": pl.List(_FLOAT)}
    | {"artifact_version": _TEXT, "experiment": _TEXT, "arm": _TEXT, "latency_ms": _FLOAT, "list_id": _TEXT}
    | {"sources": pl.List(_TEXT), "level": _TEXT}  # null: shown by an older release
)
LIST_ID: Final = pl.coalesce("list_id", "request_id").alias("list_id")
"""Which list a row is of."""
QUANTITY: Final = pl.col("quantity").fill_null(1)
"""Pieces that an event is of; an older release wrote none."""
MONEY: Final = (pl.col("value").fill_nan(None).fill_null(0.0) * QUANTITY).alias("money")
"""Of an event: its value is that of one piece."""
MERGES: Final = pl.Schema({**_WHO, "unix_ms": _INT})  # see `with_owners`
SCHEMAS: Final[dict[Table, pl.Schema]] = {"events": EVENTS, "exposures": EXPOSURES, "merges": MERGES}
# An ItemRecord. The sequence is that of the last change, in the items' own count; fields are a JSON object.
ITEMS: Final = pl.Schema(
    {"item_id": _TEXT, "sequence": _INT, "is_whole": _FLAG, "is_deleted": _FLAG, "fields": _TEXT}
    | {"created_ms": _INT, "updated_ms": _INT}
)
# Rows of the user (see `recsys.ids.user_hash`) up to the sequence are gone: so many, of the lake.
ERASURES: Final = pl.Schema({"user_hash": _TEXT, "sequence": _INT, "erased_ms": _INT, "lake_rows": _INT})

T = TypeVar("T")

_ATTEMPTS: Final = 10


class Committed(BaseModel):
    """What the lake holds: every entry of the stream up to `sequence`, once, in these parts."""

    model_config = ConfigDict(frozen=True)

    format_version: Literal[1] = 1
    number: NonNegativeInt = 0  # of this commit
    sequence: NonNegativeInt = 0
    items_sequence: NonNegativeInt = 0  # items.parquet holds the changes of items up to here, at least
    parts: dict[str, NonNegativeInt] = {}  # path below the lake → rows

    def of(self, table: Table) -> list[str]:
        """The parts of a table, oldest day first."""
        return sorted(path for path in self.parts if path.startswith(f"{table}/"))


def lake_dir(volume: Path) -> Path:
    """Where the lake of a volume is, whether it exists or not."""
    return volume / LAKE


def day_of(part: str) -> str:
    """The day of a part's rows, as YYYY-MM-DD."""
    return part.split("/")[1].removeprefix("date=")


def read_committed(lake: Path) -> Committed | None:
    """What counts; none where nothing has been committed yet.

    Raises: DataError (COMMITTED is there and cannot be read).
    """
    path = lake / COMMITTED
    try:
        return Committed.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: expected what the sink writes there: {error}") from error


def read_table(lake: Path, table: Table) -> tuple[Committed, pl.DataFrame]:
    """A table as it was at one moment, also while the sink works, and what COMMITTED said then.

    Returns:
        Columns of the table's schema, in the order of the stream.

    Raises: DataError (a file cannot be read, or has not the rows that COMMITTED says).
    """

    def read(committed: Committed) -> tuple[Committed, pl.DataFrame]:
        parts = [read_part(lake, path, rows=committed.parts[path]) for path in committed.of(table)]
        parts.sort(key=lambda part: part.item(0, "sequence"))
        frame = pl.concat([SCHEMAS[table].to_frame(), *parts])
        in_order = frame["sequence"].is_sorted()  # but for events that came late: to look is quicker than to sort
        return committed, frame if in_order else frame.sort("sequence")

    return as_committed(lake, read)


def as_committed(lake: Path, read: Callable[[Committed], T]) -> T:
    """What `read` makes of the lake as it was at one moment; it begins anew where the sink has replaced a part since.

    Raises: DataError (a file cannot be read).
    """
    for _ in range(_ATTEMPTS):
        try:
            return read(read_committed(lake) or Committed())
        except FileNotFoundError:  # merged or rewritten since: COMMITTED names another one by now
            continue
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{lake}: cannot be read: {error}") from error
    raise DataError(f"{lake}: expected the parts that {COMMITTED} names, found one missing {_ATTEMPTS} times")


def collect_parts(
    lake: Path, committed: Committed, table: Table, of_part: Callable[[pl.LazyFrame], pl.LazyFrame], *, since: str = ""
) -> pl.DataFrame:
    """What `of_part` makes of each part of the days from `since` (YYYY-MM-DD) on, one part after the other.

    Raises: FileNotFoundError, where the sink has replaced a part since.
    """
    parts = (scan_part(lake, path) for path in committed.of(table) if day_of(path) >= since)
    return pl.concat(of_part(part).collect() for part in (SCHEMAS[table].to_frame().lazy(), *parts))


def with_owners(rows: pl.LazyFrame, merges: pl.DataFrame) -> pl.LazyFrame:
    """Rows in the order of the stream, with `owner`: the user whose a session's row is; null where it is nobody's.

    That is whoever the session was merged into next: what it did later names a user itself, until the session is
    forgotten, and then it may become somebody else's.
    """
    owners = merges.sort("sequence").select("sequence", "session_id", owner="user_id")
    return rows.join_asof(
        owners.lazy(), on="sequence", by="session_id", strategy="forward", coalesce=True, check_sortedness=False
    )


def count_after(lake: Path, table: Table, *, sequence: int) -> int:
    """How many rows a table has behind a place of the stream: of parts that end before it nothing is read.

    Raises: DataError (a file cannot be read).
    """

    def count(committed: Committed) -> int:
        later = (lake / path for path in committed.of(table) if _last_sequence(path) > sequence)
        parts = (pl.read_parquet(path, columns=["sequence"], hive_partitioning=False) for path in later)
        return sum(part.filter(pl.col("sequence") > sequence).height for part in parts)

    return as_committed(lake, count)


def _last_sequence(part: str) -> int:
    """Of a part's rows, by its name."""
    return int(part.rpartition("part-")[2].split(".")[0].split("-")[1])


def read_part(lake: Path, path: str, *, rows: int) -> pl.DataFrame:
    """One part, whole. Raises: FileNotFoundError; DataError when it is damaged or has another number of rows."""
    try:
        frame = scan_part(lake, path).collect()
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{lake / path}: cannot be read: {error}") from error
    if frame.height != rows:
        raise DataError(f"{lake / path}: expected {rows} rows, found {frame.height}")
    return frame


def scan_part(lake: Path, path: str) -> pl.LazyFrame:
    """A part in columns of its table's schema; one of an older version lacks some."""
    table = next(table for table in TABLES if path.startswith(f"{table}/"))
    part = pl.scan_parquet(str(lake / path), glob=False, hive_partitioning=False)
    return part.match_to_schema(SCHEMAS[table], missing_columns="insert")


def read_items(lake: Path) -> pl.DataFrame:
    """Columns of ITEMS, one row an item; empty where nothing was ever said of one. Raises: DataError."""
    return _read_or_empty(lake / ITEMS_FILE, ITEMS)


def read_erasures(lake: Path) -> pl.DataFrame:
    """Columns of ERASURES, one row an erasure. Raises: DataError."""
    return _read_or_empty(lake / ERASURES_FILE, ERASURES)


def _read_or_empty(path: Path, schema: pl.Schema) -> pl.DataFrame:
    try:
        return pl.read_parquet(path).match_to_schema(schema)
    except FileNotFoundError:
        return schema.to_frame()
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
