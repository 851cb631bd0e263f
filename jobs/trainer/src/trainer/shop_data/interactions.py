"""Events in, a users × items matrix of confidence weights out, with the ids of its rows and columns.

A pair's weight is the sum of its events' weights. A removal (a cancelled or returned purchase) takes back the pair's
most recent purchases before it, unit by unit: half of an order's units returned, half of that event's weight is gone.
A removal with nothing before it to take back changes nothing, and views and carts of the pair stay.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.artifact.history import sets_of_one
from recsys.errors import InvalidArgumentError
from recsys.shop.events import PURCHASE, REMOVE

_PAIR = ["user_id", "item_id"]
_ROUNDING = 1e-9  # fractional quantities (0.3 − 0.1 − 0.2) leave dust that is no unit


@dataclass(frozen=True)
class Interactions:
    """What is known of every user–item pair.

    Rows and columns are sorted by id (UTF-8 bytes), and column indices within a row are sorted. Every user has at
    least one pair; a column may be empty (an item of the catalogue that nobody touched yet).
    """

    user_ids: list[str]  # row → id
    item_ids: list[str]  # column → id
    weights: sp.csr_matrix  # float32 [n_users, n_items], summed event weights, every stored value > 0
    last_seen: NDArray[np.int64]  # [nnz] Unix seconds of the pair's last event, aligned with weights.data
    last_type: NDArray[np.uint8]  # [nnz] index into event_types of the pair's last event
    type_sets: NDArray[np.uint32]  # [nnz] bit n: the pair has an event of event_types[n]; the first 32 types
    first_seen: NDArray[np.int64]  # [n_items] Unix seconds of the item's first event; 0: none
    event_types: list[str]
    taken_back_pairs: int = 0  # pairs that are absent because removals took back all of their weight

    def fingerprint(self) -> str:
        """SHA-256 (hex) over ids and matrix: equal on every machine for equal interactions."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.item_ids):
            encoded = [one.encode() for one in ids]
            digest.update(np.array([len(encoded), *map(len, encoded)], dtype="<i8").tobytes())
            digest.update(b"".join(encoded))
        digest.update(self.weights.indptr.astype("<i8").tobytes())
        digest.update(self.weights.indices.astype("<i8").tobytes())
        digest.update(self.weights.data.astype("<f4").tobytes())
        return digest.hexdigest()

    def of_users(self, rows: NDArray[np.int64]) -> "Interactions":
        """The pairs of some users, rows ascending; every item stays, and when it was first seen by anybody."""
        numbered = sp.csr_matrix((np.arange(self.weights.nnz), self.weights.indices, self.weights.indptr))[rows]
        user_ids = [self.user_ids[row] for row in rows]
        return replace(self._told_of(numbered.data), user_ids=user_ids, weights=self.weights[rows])

    def of_pairs(self, kept: NDArray[np.bool_]) -> "Interactions":
        """Some pairs of all users, at least one of each: kept [nnz], aligned with weights.data; every item stays."""
        indptr = np.r_[0, np.cumsum(kept)][self.weights.indptr]
        weights = sp.csr_matrix((self.weights.data[kept], self.weights.indices[kept], indptr), self.weights.shape)
        return replace(self._told_of(np.flatnonzero(kept)), weights=weights)

    def _told_of(self, pairs: NDArray[np.int64]) -> "Interactions":
        """With what is told of each pair, of some of them alone; users and weights are the caller's."""
        return replace(
            self,
            last_seen=self.last_seen[pairs],
            last_type=self.last_type[pairs],
            type_sets=self.type_sets[pairs],
        )

    def most_recent_first(self) -> NDArray[np.int64]:
        """Places of the pairs, user by user, the most recent first, at the same second by item row: int64 [nnz]."""
        lengths = np.diff(self.weights.indptr)
        users = np.repeat(np.arange(len(lengths)), lengths)
        return np.lexsort((self.weights.indices, -self.last_seen, users))

    def recent_users(self, since: datetime) -> NDArray[np.float32]:
        """Per item, the distinct users whose last event with it is at `since` or later: float32 [n_items]."""
        recent = self.last_seen >= math.ceil(since.timestamp())
        counts = np.bincount(self.weights.indices[recent], minlength=len(self.item_ids))
        return counts.astype(np.float32)


def build(
    frame: pl.DataFrame,
    *,
    weights: Mapping[str, float],
    until: datetime | None = None,
    catalogue_items: Iterable[str] = (),
    event_types: list[str] | None = None,
) -> Interactions:
    """Sum the weights of each user–item pair's events.

    Events of weight 0 are ignored. `last_seen` and `last_type` tell of the pair's last event
    that is neither a removal nor wholly taken back; at the same time the heavier type wins. The order of the frame's
    rows does not matter.

    Args:
        frame: `LoadedEvents.frame`; an absent quantity counts as one unit.
        weights: weight per event type, finite, 0 or more; removals need none.
        until: only events strictly before it; with a time zone.
        catalogue_items: ids that get a column even when nobody touched them, so that look-ups find them.
        event_types: `weighted_types` of all events, where the frame has those of some users only.

    Raises:
        InvalidArgumentError: an event type has no weight, a weight is unusable, `until` has no time zone.
    """
    if until is not None:
        frame = frame.filter(pl.col("timestamp") < with_zone(until, "until"))
    frame = frame.with_columns(pl.col("event_type").cast(pl.String))
    event_types = weighted_types(frame["event_type"].unique(), weights) if event_types is None else event_types
    kept, taken_back_pairs = without_taken_back(frame)
    kept = kept.filter(pl.col("event_type").is_in(event_types) & (pl.col("share") > 0))
    user_ids = kept["user_id"].unique().sort()
    catalogue = pl.Series("item_id", list(catalogue_items), dtype=pl.String)
    item_ids = pl.concat([kept["item_id"], catalogue]).unique().sort()

    # Sorted here and summed in order: a parallel group-by would add floats in an order of its own.
    events = kept.select(
        user=pl.col("user_id").cast(pl.Enum(user_ids)).to_physical(),
        item=pl.col("item_id").cast(pl.Enum(item_ids)).to_physical(),
        second=pl.col("timestamp").dt.epoch("us").floordiv(1_000_000),
        type=pl.col("event_type").cast(pl.Enum(event_types)).to_physical(),
        type_weight=pl.col("event_type").replace_strict(dict(weights), return_dtype=pl.Float64),
        share=pl.col("share"),
    ).sort("user", "item", "second", "type_weight", "type", "share")
    user, item = events["user"].to_numpy(), events["item"].to_numpy()
    starts = np.flatnonzero(np.r_[True, (user[1:] != user[:-1]) | (item[1:] != item[:-1])][: len(user)])
    ends = np.r_[starts[1:], len(user)][: len(starts)] - 1
    summed = (events["type_weight"] * events["share"]).to_numpy()
    indptr = np.searchsorted(user[starts], np.arange(len(user_ids) + 1))
    data = np.add.reduceat(summed, starts) if len(starts) else summed
    return Interactions(
        user_ids=user_ids.to_list(),
        item_ids=item_ids.to_list(),
        weights=sp.csr_matrix(
            (data.astype(np.float32), item[starts].astype(np.int32), indptr), shape=(len(user_ids), len(item_ids))
        ),
        last_seen=events["second"].to_numpy()[ends].astype(np.int64),
        last_type=events["type"].to_numpy()[ends].astype(np.uint8),
        type_sets=_type_sets(events["type"].to_numpy(), starts),
        first_seen=_first_seen(item, events["second"].to_numpy(), n_items=len(item_ids)),
        event_types=event_types,
        taken_back_pairs=taken_back_pairs,
    )


def with_zone(moment: datetime, name: str) -> datetime:
    """The moment itself. Raises InvalidArgumentError, naming it, when it has no time zone."""
    if moment.tzinfo is None:
        raise InvalidArgumentError(f"{name}: expected a time with a zone, such as UTC; found {moment.isoformat()}")
    return moment


def _type_sets(types: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The union of the events' types between one start and the next: uint32 [len(starts)]."""
    if len(starts) == 0:
        return np.zeros(0, np.uint32)
    return np.bitwise_or.reduceat(sets_of_one(types), starts)


def _first_seen(item: NDArray[np.uint32], second: NDArray[np.int64], *, n_items: int) -> NDArray[np.int64]:
    """The earliest second of each item; 0, which also stands for none, where that is before 1970: int64 [n_items]."""
    never = np.iinfo(np.int64).max
    first = np.full(n_items, never, np.int64)
    np.minimum.at(first, item, second)
    return np.where(first == never, 0, np.maximum(first, 0))


def weighted_types(found: Iterable[str], weights: Mapping[str, float]) -> list[str]:
    """Of the event types that events have, those of positive weight, sorted. Raises: InvalidArgumentError."""
    bad = {name: weight for name, weight in weights.items() if not (math.isfinite(weight) and weight >= 0)}
    if bad:
        raise InvalidArgumentError(f"event weights: expected finite numbers of 0 or more; found {bad}")
    present = set(found) - {REMOVE}
    if missing := sorted(present - weights.keys()):
        raise InvalidArgumentError(
            f"event weights: the events have types {missing}, found weights for {sorted(weights)}; "
            "give each a weight, 0 to ignore it"
        )
    types = sorted(name for name in present if weights[name] > 0)
    if len(types) > 256:
        raise InvalidArgumentError(f"event types: expected 256 with a weight at the most, found {len(types)}")
    return types


def without_taken_back(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The events without removals, with the share (0 to 1) that is left of each, and the count of pairs all gone.

    Purchases of a pair are a stack of units, a removal pops. With the stack's height after each event, a purchase
    keeps what lies above the height before it and under the lowest height from it on.
    """
    is_removal = pl.col("event_type") == REMOVE
    pairs = frame.filter(is_removal).select(_PAIR).unique()
    if pairs.is_empty():
        return frame.with_columns(share=pl.lit(1.0)), 0
    touched = frame.join(pairs, on=_PAIR, how="semi")
    untouched = frame.join(pairs, on=_PAIR, how="anti").with_columns(share=pl.lit(1.0))
    units = pl.col("quantity").fill_null(1.0)
    stack = pl.col("event_type").is_in([PURCHASE, REMOVE])
    left = (
        touched.filter(stack)
        # At one time the purchase comes first; by quantity, so that the order of rows does not matter.
        .sort(*_PAIR, "timestamp", is_removal, units)
        .with_columns(sum=pl.when(is_removal).then(-units).otherwise(units).cum_sum().over(_PAIR))
        .with_columns(height=pl.col("sum") - pl.min_horizontal(pl.col("sum").cum_min().over(_PAIR), pl.lit(0.0)))
        .with_columns(
            before=pl.col("height").shift(1, fill_value=0.0).over(_PAIR),
            lowest=pl.col("height").cum_min(reverse=True).over(_PAIR),
        )
        .with_columns(share=((pl.col("lowest") - pl.col("before")) / units).clip(0.0, 1.0))
        .with_columns(share=pl.when(pl.col("share") > _ROUNDING).then("share").otherwise(0.0))
        .filter(~is_removal)
        .select(*frame.columns, "share")
    )
    others = touched.filter(~stack).with_columns(share=pl.lit(1.0))
    touched = pl.concat([left, others])
    gone = touched.group_by(_PAIR).agg(pl.col("share").max()).filter(pl.col("share") == 0)
    return pl.concat([untouched, touched]), gone.height
