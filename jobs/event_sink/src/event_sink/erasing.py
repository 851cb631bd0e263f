"""Users to forget in, parts without their rows out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from event_sink.lake_writer import LakeWriter
from event_sink.rows import ID_COLUMN
from recsys.errors import DataError
from recsys.feature_store.interface import Erasure
from recsys.ids import user_hash
from recsys.lake import MERGES, TABLES, Table, day_of, read_erasures, read_part, scan_part

_WHO: Final = ("user_id", "session_id")


@dataclass
class Rewritten:
    """Parts that take the place of others, and how many rows went."""

    added: dict[str, int] = field(default_factory=dict)  # path → rows
    removed: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)  # of a user_hash


def erased_owner(erasures: Iterable[Erasure], *, ids: pl.DataFrame) -> pl.Expr:
    """The user_hash of whom a row was, where it must go; null where it stays.

    A row must go that is of a user, or of a session merged into one, who has been erased since.

    Args:
        ids: columns user_id and session_id, all that may occur in the rows asked about; repeats allowed.
    """
    in_order = sorted(erasures, key=lambda one: one.sequence)
    of_users = {one.user_hash: one for one in in_order}
    of_sessions = {session: one for one in in_order for session in one.session_hashes}
    owners = []
    for column, erasure_of in (("user_id", of_users), ("session_id", of_sessions)):
        # ids are hashed, since a hash names no id: once each, however many rows they have
        hashes = ((one, user_hash(one)) for one in ids[column].drop_nulls().unique()) if erasure_of else ()
        named = {one: erasure_of[hashed] for one, hashed in hashes if hashed in erasure_of}
        until = {one: erasure.sequence for one, erasure in named.items()}
        owner = {one: erasure.user_hash for one, erasure in named.items()}
        up_to = pl.col(column).replace_strict(until, default=None, return_dtype=pl.Int64)
        of_row = pl.col(column).replace_strict(owner, default=None, return_dtype=pl.String)
        owners.append(pl.when(pl.col("sequence") <= up_to).then(of_row))
    return pl.coalesce(owners)


def rewrite(writer: LakeWriter, erasures: list[Erasure]) -> Rewritten:
    """Write every part that has rows to forget again without them. Nothing counts yet."""
    result = Rewritten()
    owner = erased_owner(erasures, ids=_ids(writer))
    for table in TABLES:
        for path in writer.committed.of(table):
            if not _rows(writer, path, owner):
                continue
            frame = read_part(writer.path, path, rows=writer.committed.parts[path]).with_columns(owner=owner)
            kept = frame.filter(pl.col("owner").is_null()).drop("owner")
            result.rows.update(frame["owner"].drop_nulls())
            result.removed.append(path)
            result.added |= writer.write_part(table, day_of(path), kept)
    return result


def verify(writer: LakeWriter, erasures: list[Erasure]) -> None:
    """Read the lake again. Raises: DataError, when a row is left that had to go."""
    owner = erased_owner(erasures, ids=_ids(writer))
    for path in writer.committed.parts:
        if rows := _rows(writer, path, owner):
            raise DataError(f"{writer.path / path}: expected no row of an erased user, found {rows}")


def without(frames: dict[Table, pl.DataFrame], erasures: list[Erasure]) -> dict[Table, pl.DataFrame]:
    """Rows that are not in the lake yet, less those to forget."""
    if not erasures:
        return frames
    owner = erased_owner(erasures, ids=pl.concat(frame.select(_WHO) for frame in frames.values()))
    return {table: frame.filter(owner.is_null()) for table, frame in frames.items()}


def ids_of(writer: LakeWriter, sequences: list[int]) -> set[tuple[int, str]]:
    """What the lake holds at these places of the stream: sequence and `rows.id_of` the entry."""
    found = [read_erasures(writer.path).select("sequence", id="user_hash")]
    for table in TABLES:
        paths = writer.committed.of(table)
        found += [scan_part(writer.path, path).select("sequence", id=ID_COLUMN[table]).collect() for path in paths]
    return set(pl.concat(one.filter(pl.col("sequence").is_in(sequences)) for one in found).iter_rows())


def _ids(writer: LakeWriter) -> pl.DataFrame:
    parts = [MERGES.to_frame().lazy(), *(scan_part(writer.path, path) for path in writer.committed.parts)]
    return pl.concat(part.select(_WHO) for part in parts).unique().collect()


def _rows(writer: LakeWriter, path: str, owner: pl.Expr) -> int:
    return int(scan_part(writer.path, path).select(owner.is_not_null().sum()).collect().item())
