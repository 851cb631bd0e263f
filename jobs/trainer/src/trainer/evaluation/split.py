"""Events in, what a model may learn from and what it is judged by out: nobody's future is in train.

`temporal` is the honest way, and `trainer.evaluation.windows` lays such splits back to back; `at_random` is for pairs
whose times nobody knows; `leave_last_out` and `given_pair` are for comparison with others' figures.
Others than `at_random` end in `hold_out`, which sorts the held-out pairs into what train's matrix can express and what
it cannot.
"""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.errors import DataError, InvalidArgumentError
from recsys.shop.events import REMOVE
from trainer.shop_data import interactions
from trainer.shop_data.interactions import Interactions


@dataclass(frozen=True)
class NewItems:
    """Held-out items that train lacks, whether a user of train took them up or nobody but new users."""

    item_ids: list[str]  # sorted
    first_seen: NDArray[np.int64]  # [n_new] Unix seconds of each item's first event
    test: sp.csr_matrix  # float32 [n_users, n_new], ones: rows are train's


@dataclass(frozen=True)
class Split:
    """A train part and the held-out items that are new to each user.

    `test` has the shape of `train.weights`; a stored value means that the user took the item after the cut and not
    before. Items that train lacks cannot be recommended, yet the user took them: a recall that counts them divides by
    `test` row sums + `test_unknown_items`.
    """

    train: Interactions
    test: sp.csr_matrix  # float32 [n_users, n_items], ones
    test_unknown_items: NDArray[np.int64]  # [n_users] test items of the user that train lacks
    new_user_test: sp.csr_matrix  # float32 [n_new_users, n_items], ones: held-out users that train lacks, by user id
    new_user_unknown_items: NDArray[np.int64]  # [n_new_users] test items of the new user that train lacks
    test_sizes_outside: dict[str, int]  # pairs outside `test`, by reason: see hold_out
    cut: datetime | None  # none where no single moment divides train from test
    new_items: NewItems | None = None  # none where no time says which items are new

    @property
    def judged_users(self) -> int:
        """Users of train with test items: those whom a model is judged by."""
        return int(np.count_nonzero(np.diff(self.test.indptr) + self.test_unknown_items))


def hold_out(train: Interactions, held_out: Interactions, *, cut: datetime | None) -> Split:
    """Line held-out pairs up with train's rows and columns.

    Pairs that train has too are not new, and excluded. `test_sizes_outside` counts them as `already_in_train`, and the
    others as `unknown_item` (of users in train), `new_user` (items in train), `new_user_unknown_item`.
    """
    pairs = held_out.weights.tocoo()
    user = _positions(held_out.user_ids, train.user_ids)[pairs.row]
    item = _positions(held_out.item_ids, train.item_ids)[pairs.col]
    n_users, n_items = train.weights.shape
    known_user, known_item = user >= 0, item >= 0
    repeated = np.zeros(len(user), dtype=bool)
    both = known_user & known_item
    if both.any():
        repeated[both] = np.asarray(train.weights[user[both], item[both]]).ravel() != 0

    new_columns = np.flatnonzero(_positions(held_out.item_ids, train.item_ids) < 0)
    of_new = known_user & ~known_item
    new_rows, new_user = np.unique(pairs.row[~known_user], return_inverse=True)
    new_user_knows = known_item[~known_user]
    fresh = both & ~repeated
    return Split(
        train=train,
        test=_ones(user[fresh], item[fresh], (n_users, n_items)),
        test_unknown_items=np.bincount(user[of_new], minlength=n_users),
        new_user_test=_ones(new_user[new_user_knows], item[~known_user & known_item], (len(new_rows), n_items)),
        new_user_unknown_items=np.bincount(new_user[~new_user_knows], minlength=len(new_rows)),
        test_sizes_outside={
            "already_in_train": int(repeated.sum()),
            "unknown_item": int(of_new.sum()),
            "new_user": int((~known_user & known_item).sum()),
            "new_user_unknown_item": int((~known_user & ~known_item).sum()),
        },
        cut=cut,
        new_items=NewItems(
            item_ids=[held_out.item_ids[column] for column in new_columns],
            first_seen=held_out.first_seen[new_columns],
            test=_ones(user[of_new], np.searchsorted(new_columns, pairs.col[of_new]), (n_users, len(new_columns))),
        )
        if cut is not None
        else None,
    )


def temporal(frame: pl.DataFrame, *, weights: Mapping[str, float], cut: datetime, horizon_days: float = 30) -> Split:
    """Train on events before `cut`, test on the items new to each user in the `horizon_days` from it.

    A test item is one that the user touched in the window by any event of positive weight and that no removal in the
    window took back wholly. New means: train has no such pair.

    Raises:
        InvalidArgumentError: no interaction before the cut or none in the window, a weight as in `interactions.build`.
    """
    end = interactions.with_zone(cut, "cut") + timedelta(days=horizon_days)
    train = interactions.build(frame, weights=weights, until=cut)
    window = interactions.build(frame.filter(pl.col("timestamp") >= cut), weights=weights, until=end)
    for name, part in (("before the cut", train), (f"in the {horizon_days} days from the cut", window)):
        if part.weights.nnz == 0:
            raise InvalidArgumentError(f"cut {cut.isoformat()}: expected interactions {name}, found none")
    return hold_out(train, window, cut=cut)


def at_random(known: Interactions, *, seed: int, share: float = 0.2) -> Split:
    """Test each user on a share of their pairs, drawn by the seed, and train on the others; no item goes.

    Each user's count of test items is rounded, and they keep one item at least: whose share is less than half an item
    stays in train whole and is not tested.

    Raises:
        InvalidArgumentError: `share` outside of 0 to 1.
    """
    if not 0 < share < 1:
        raise InvalidArgumentError(f"share: expected more than 0 and less than 1, found {share}")
    weights = known.weights
    lengths = np.diff(weights.indptr)
    row = np.repeat(np.arange(weights.shape[0]), lengths)
    drawn = np.lexsort((np.random.default_rng(seed).random(weights.nnz), row))  # each user's pairs, shuffled
    place = np.arange(weights.nnz) - weights.indptr[row]
    tested = np.zeros(weights.nnz, dtype=bool)
    tested[drawn[place < np.minimum(np.floor(share * lengths + 0.5), lengths - 1)[row]]] = True
    nobody = np.zeros(0, dtype=np.int64)
    return Split(
        train=known.of_pairs(~tested),
        test=_ones(row[tested], weights.indices[tested].astype(np.int64), weights.shape),
        test_unknown_items=np.zeros(weights.shape[0], dtype=np.int64),
        new_user_test=_ones(nobody, nobody, (0, weights.shape[1])),
        new_user_unknown_items=nobody,
        test_sizes_outside={"already_in_train": 0, "unknown_item": 0, "new_user": 0, "new_user_unknown_item": 0},
        cut=None,
    )


def leave_last_out(frame: pl.DataFrame, *, weights: Mapping[str, float]) -> Split:
    """Test each user on the item they took up last; train on what they did strictly before it.

    Of a user nothing at or after the first event with that item is in train. Other users' events of later dates are:
    the model knows fashions that lay in this user's future, so figures come out higher than in use (Ji et al. 2023, "A
    critical study on data leakage in recommender system offline evaluation"). Of items taken up at the same time the
    first by id is the test item. A user with nothing before it stays in train whole and is not tested.

    Raises:
        InvalidArgumentError: nobody has a later new item, a weight as in `interactions.build`.
    """
    pair = ["user_id", "item_id"]
    everything = interactions.build(frame, weights=weights)
    pairs = everything.weights.tocoo()
    users, items = (pl.Series(ids, dtype=pl.String) for ids in (everything.user_ids, everything.item_ids))
    lasting = pl.DataFrame({"user_id": users.gather(pairs.row), "item_id": items.gather(pairs.col)})
    counted = [name for name, weight in weights.items() if weight > 0 and name != REMOVE]
    first_events = (
        frame.filter(pl.col("event_type").cast(pl.String).is_in(counted))
        .group_by(pair)
        .agg(first=pl.col("timestamp").min())
        .join(lasting, on=pair, how="semi")
        .with_columns(user_first=pl.col("first").min().over("user_id"))
    )
    last_new = (
        first_events.filter(pl.col("first") > pl.col("user_first"))
        .sort("user_id", "first", "item_id", descending=[False, True, False])
        .unique("user_id", keep="first", maintain_order=True)
        .rename({"first": "user_cut"})
    )
    if last_new.is_empty():
        raise InvalidArgumentError("leave-last-out: expected users with two items at different times, found none")
    before = frame.join(last_new.select("user_id", "user_cut"), on="user_id", how="left").filter(
        pl.col("user_cut").is_null() | (pl.col("timestamp") < pl.col("user_cut"))
    )
    train = interactions.build(before.drop("user_cut"), weights=weights)
    tested = interactions.build(frame.join(last_new, on=pair, how="semi"), weights=weights)
    return hold_out(train, tested, cut=None)


def given_pair(train_path: Path, test_path: Path) -> Split:
    """A published train/test pair in the format of LightGCN: each line a user index and that user's item indices.

    Files may be gzipped (`.gz`). Indices become string ids as they stand; every weight is 1 and times are unknown (0).

    Raises:
        DataError: a file cannot be read, is empty, or has something else than indices, by file and line.
    """
    return hold_out(_read_lists(train_path), _read_lists(test_path), cut=None)


def _read_lists(path: Path) -> Interactions:
    users: list[str] = []
    items: list[str] = []
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for number, line in enumerate(lines, start=1):
                words = line.split()
                if bad := [word for word in words if not (word.isascii() and word.isdigit())]:
                    raise DataError(f"{path}, line {number}: expected a user index and item indices, found {bad[0]!r}")
                users.extend(words[:1] * (len(words) - 1))
                items.extend(words[1:])
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not users:
        raise DataError(f"{path}: expected lines of a user index and item indices, found no item")
    frame = (
        pl.DataFrame({"user_id": users, "item_id": items})
        .unique()
        .with_columns(
            event_type=pl.lit("interaction"),
            timestamp=pl.lit(datetime.fromtimestamp(0, UTC)).dt.cast_time_unit("us"),
        )
    )
    return interactions.build(frame, weights={"interaction": 1.0})


def _positions(ids: list[str], known: list[str]) -> NDArray[np.int64]:
    """int64 [len(ids)]: the position of each id in `known`, -1 where it is not there."""
    position = {one: index for index, one in enumerate(known)}
    return np.fromiter((position.get(one, -1) for one in ids), dtype=np.int64, count=len(ids))


def _ones(rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]) -> sp.csr_matrix:
    return sp.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
