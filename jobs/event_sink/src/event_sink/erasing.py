"""Users to forget in, parts without their rows out."""

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
    rows: dict[str, int] = field(default_factory=dict)  # user_hash → rows


class Forgotten:
    """Which rows are of users, or of sessions merged into them, who have been erased since."""

    def __init__(self, erasures: Iterable[Erasure], *, ids: pl.DataFrame) -> None:
        """`ids`: columns user_id and session_id, all that may occur in the rows asked about; repeats allowed."""
        of_users: dict[str, Erasure] = {}
        of_sessions: dict[str, Erasure] = {}
        for erasure in sorted(erasures, key=lambda one: one.sequence):
            of_users[erasure.user_hash] = erasure
            of_sessions.update(dict.fromkeys(erasure.session_hashes, erasure))
        # ids are hashed, since a hash names no id: once each, however many rows they have
        self._by_column = {
            "user_id": _named(ids["user_id"], of_users),
            "session_id": _named(ids["session_id"], of_sessions),
        }

    def owner(self) -> pl.Expr:
        """The user_hash of whom a row was, where it must go; null where it stays."""
        return pl.coalesce(self._owner(column, named) for column, named in self._by_column.items())

    @staticmethod
    def _owner(column: str, named: dict[str, Erasure]) -> pl.Expr:
        until = {one: erasure.sequence for one, erasure in named.items()}
        owners = {one: erasure.user_hash for one, erasure in named.items()}
        up_to = pl.col(column).replace_strict(until, default=None, return_dtype=pl.Int64)
        owner = pl.col(column).replace_strict(owners, default=None, return_dtype=pl.String)
        return pl.when(pl.col("sequence") <= up_to).then(owner)


def rewrite(writer: LakeWriter, erasures: list[Erasure]) -> Rewritten:
    """Write every part that has rows to forget again without them. Nothing counts yet."""
    result = Rewritten(rows=dict.fromkeys((erasure.user_hash for erasure in erasures), 0))
    forgotten = Forgotten(erasures, ids=_ids(writer))
    for table in TABLES:
        for path in writer.committed.of(table):
            if not _rows(writer, path, forgotten):
                continue
            frame = read_part(writer.path, path, rows=writer.committed.parts[path]).with_columns(
                owner=forgotten.owner()
            )
            kept = frame.filter(pl.col("owner").is_null()).drop("owner")
            for owner, rows in frame.drop_nulls("owner").group_by("owner").len().iter_rows():
                result.rows[owner] += rows
            result.removed.append(path)
            result.added |= writer.write_part(table, day_of(path), kept)
    return result


def verify(writer: LakeWriter, erasures: list[Erasure]) -> None:
    """Read the lake again. Raises: DataError, when a row is left that had to go."""
    forgotten = Forgotten(erasures, ids=_ids(writer))
    for path in writer.committed.parts:
        if rows := _rows(writer, path, forgotten):
            raise DataError(f"{writer.path / path}: expected no row of an erased user, found {rows}")


def without(frames: dict[Table, pl.DataFrame], erasures: list[Erasure]) -> dict[Table, pl.DataFrame]:
    """Rows that are not in the lake yet, less those to forget."""
    if not erasures:
        return frames
    forgotten = Forgotten(erasures, ids=pl.concat(frame.select(_WHO) for frame in frames.values()))
    return {table: frame.filter(forgotten.owner().is_null()) for table, frame in frames.items()}


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


def _rows(writer: LakeWriter, path: str, forgotten: Forgotten) -> int:
    part = scan_part(writer.path, path).select("sequence", *_WHO)
    return int(part.filter(forgotten.owner().is_not_null()).select(pl.len()).collect().item())


def _named(ids: pl.Series, erasures: dict[str, Erasure]) -> dict[str, Erasure]:
    """Id → the erasure that means it."""
    if not erasures:
        return {}
    hashed = ((one, erasures.get(user_hash(one))) for one in ids.drop_nulls().unique())
    return {one: erasure for one, erasure in hashed if erasure is not None}
