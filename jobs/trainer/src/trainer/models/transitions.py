"""What leads from item to item, out of everybody's histories: what comes after what, or what people have together.

**In order.** Of two items of one history the later one counts as a transition from the earlier one: 1 over how many
moments they are apart. The way back counts a quarter of that, since what goes together also comes in the other order,
and both ways of two items of one moment, a basket, half of the two. Only items near each other count, so a long history
has no more say for an item than a short one.

**Together.** How many people have both items, whatever the order: item-based neighbours, as in the random walks of RP3β
(Paudel et al. 2016). A user counts the less the more they have.

A count is divided by a power of the sum of its source, so that an item of many does not outvote the rest of a history,
and by one of the sum of its target: a small one leaves popular items most of their lead. Which powers are best differs
by shop more than anything else here (docs/evaluation.md has the figures), so a few are tried.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.age import age_factors
from recsys.artifact.manifest import AgeInfo, TransitionsInfo
from recsys.artifact.transitions import Transitions
from trainer.models import sequences
from trainer.shop_data.interactions import Interactions

IN_ORDER: Final = TransitionsInfo(age=AgeInfo(step_decay=0.7))
TOGETHER: Final = tuple(
    TransitionsInfo(
        last_items=100,  # nearly all of a history, in bounded time
        counted="together",
        user_exponent=of_user,
        source_exponent=of_source,
        target_exponent=of_target,
    )
    # audiences that are alike, about the cosine of item-kNN; between; popular items keep nearly all of their lead
    for of_user, of_source, of_target in ((1.0, 0.5, 0.5), (0.5, 0.75, 0.2), (1.0, 1.0, 0.1))
)
NEIGHBOURS: Final = 100  # of an item that are kept,
_MOST_KEPT: Final = 20_000_000  # and of all items: a very large catalogue keeps fewer of each
_WINDOW: Final = 20  # so many places apart two items of a history may be in order
_MOST_PAIRS: Final = 40_000_000  # looked at: a very large shop gets a smaller window
_LONGEST: Final = 500  # of a history, its most recent items that count as together
_MOST_AT_ONCE: Final = 10_000_000  # pairs of items of one history
_ROWS_AT_ONCE: Final = 4_096  # of items, whose neighbours are sorted
_BACK: Final = 0.25


@dataclass(frozen=True)
class TransitionScores:
    """A `Scorer` of the items that a user's last ones lead to; -inf for all others."""

    transitions: Transitions
    last: sp.csr_matrix  # float32 [n_users, n_items]: the factors of each user's last items

    @classmethod
    def fitted(cls, known: Interactions, info: TransitionsInfo) -> "TransitionScores":
        """Fitted on what is known, for the users of it."""
        return cls(fit(known, info), last_items(known, info))

    def of(self, user_rows: NDArray[np.int64], items: NDArray[np.int32]) -> NDArray[np.float32]:
        """Scores of some items of each user, rows in `items` [len(user_rows), n], 0 where nothing leads to one."""
        if items.size == 0:
            return np.zeros(items.shape, np.float32)
        users = np.repeat(np.arange(len(items)), items.shape[1])
        return np.asarray(self._above_0(user_rows)[users, items.ravel()]).reshape(items.shape).astype(np.float32)

    def _above_0(self, user_rows: NDArray[np.int64]) -> sp.csr_matrix:
        """float32 [len(user_rows), n_items]"""
        found = self.transitions
        matrix = sp.csr_matrix((found.scores, found.items, found.indptr), (self.last.shape[1],) * 2)
        return sp.csr_matrix(self.last[user_rows] @ matrix)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [len(user_rows), n_items]"""
        scores = self._above_0(user_rows).toarray().astype(np.float32, copy=False)
        scores[scores == 0] = -np.inf
        return scores


def worth_trying(known: Interactions) -> list[TransitionsInfo]:
    """What may be counted: who has both of two items, and where histories have an order also what came after what."""
    return [*TOGETHER, IN_ORDER] if sequences.have_order(known) else [*TOGETHER]


def fit(known: Interactions, info: TransitionsInfo, *, most: int = NEIGHBOURS) -> Transitions:
    """Of each item the best, `most` at the most, best first; nothing is random."""
    n_items = known.weights.shape[1]
    most = min(most, _MOST_KEPT // max(n_items, 1) + 1)
    counts = _in_order(known) if info.counted == "in_order" else _together(known, info.user_exponent)
    of_source, of_target = counts.by_source**info.source_exponent, counts.by_target**info.target_exponent
    sizes, items, scores = [np.zeros(1, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    for start, rows in counts.parts:
        sources = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        shrunk = rows.data * (rows.data / (rows.data + info.shrinkage))
        of_rows = shrunk / (of_source[start + sources] * of_target[rows.indices])
        is_high = _at_least_the(most, of_rows, rows.indptr)
        sources, targets, of_rows = sources[is_high], rows.indices[is_high], of_rows[is_high]
        order = np.lexsort((targets, -of_rows, sources))
        starts = np.searchsorted(sources, np.arange(rows.shape[0] + 1))
        kept = order[np.arange(len(order)) - starts[sources] < most]
        sizes.append(np.minimum(np.diff(starts), most))
        items.append(targets[kept].astype(np.int32))
        scores.append(of_rows[kept].astype(np.float32))
    return Transitions(
        info=info,
        indptr=np.cumsum(np.concatenate(sizes)).astype(np.int64),
        items=np.concatenate(items),
        scores=np.concatenate(scores),
    )


def _at_least_the(nth: int, values: NDArray[np.float64], indptr: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which values of each row are no lower than its nth highest, or all of a shorter row: only these are sorted."""
    is_high = np.ones(len(values), np.bool_)
    for row in np.flatnonzero(np.diff(indptr) > nth).tolist():
        part = slice(indptr[row], indptr[row + 1])
        is_high[part] = values[part] >= np.partition(values[part], -nth)[-nth]
    return is_high


def last_items(known: Interactions, info: TransitionsInfo) -> sp.csr_matrix:
    """The factors of each user's last items: float32 [n_users, n_items]."""
    users, items, times = _most_recent_first(known)
    places = np.arange(len(users)) - known.weights.indptr[users]
    kept = places < info.last_items
    factors = age_factors(times[kept], users[kept], info.age)
    return sp.csr_matrix((factors.astype(np.float32), (users[kept], items[kept])), known.weights.shape)


@dataclass(frozen=True)
class _Counts:
    """How often one item leads to another, some rows at a time."""

    by_source: NDArray[np.float64]  # [n_items] sums of rows
    by_target: NDArray[np.float64]  # [n_items] sums of columns
    parts: Iterable[tuple[int, sp.csr_matrix]]  # the first row of a part, and float32 [some, n_items]


def _together(known: Interactions, user_exponent: float) -> _Counts:
    """How many people have two items, an item not with itself; each person counts (number of items)^-exponent."""
    users, items, _ = _most_recent_first(known)
    kept = np.arange(len(users)) - known.weights.indptr[users] < _LONGEST
    having = sp.csr_matrix((np.ones(kept.sum(), np.float32), (users[kept], items[kept])), known.weights.shape)
    lengths = np.diff(having.indptr)
    shares = np.maximum(lengths, 1.0) ** -user_exponent
    by_item = having.T.tocsr()
    sums = by_item @ (shares * np.maximum(lengths - 1, 0))
    weighed = sp.csr_matrix(
        (np.repeat(shares, lengths).astype(np.float32), having.indices, having.indptr), having.shape
    )
    ends = np.cumsum(by_item @ lengths.astype(np.float64))  # so many pairs are looked at for the items up to each

    def parts() -> Iterator[tuple[int, sp.csr_matrix]]:
        start = 0
        while start < len(ends):
            before = ends[start - 1] if start else 0
            stop = max(int(np.searchsorted(ends, before + _MOST_AT_ONCE, side="right")), start + 1)
            rows = sp.csr_matrix(by_item[start:stop] @ weighed)
            rows.data[rows.indices == start + np.repeat(np.arange(stop - start), np.diff(rows.indptr))] = 0
            rows.eliminate_zeros()
            yield start, rows
            start = stop

    return _Counts(sums, sums, parts())


def _in_order(known: Interactions) -> _Counts:
    """How often an item came after another, the nearer the more."""
    counts = _counted(known)
    by_source, by_target = (np.asarray(counts.sum(axis=axis), dtype=np.float64).ravel() for axis in (1, 0))
    starts = range(0, counts.shape[0], _ROWS_AT_ONCE)
    return _Counts(by_source, by_target, ((start, counts[start : start + _ROWS_AT_ONCE]) for start in starts))


def _counted(known: Interactions) -> sp.csr_matrix:
    """How often each item came after another, the nearer the more: float32 [n_items, n_items]."""
    users, items, times = _most_recent_first(known)
    n_items = known.weights.shape[1]
    new_moment = np.r_[False, (times[1:] != times[:-1]) | (users[1:] != users[:-1])][: len(times)]
    moments = np.cumsum(new_moment)
    counts = _summed(items[:0], items[:0], np.empty(0), n_items=n_items)
    window = int(np.clip(_MOST_PAIRS // max(len(items), 1), 1, _WINDOW))
    for apart in range(1, window + 1):
        together = users[apart:] == users[:-apart]
        later, earlier = items[:-apart][together], items[apart:][together]  # most recent first
        between = (moments[apart:] - moments[:-apart])[together]
        is_basket = between == 0
        near = 1 / np.maximum(between, 1)
        forth = near * np.where(is_basket, (1 + _BACK) / 2, 1)
        back = near * np.where(is_basket, (1 + _BACK) / 2, _BACK)
        counts = (
            counts + _summed(earlier, later, forth, n_items=n_items) + _summed(later, earlier, back, n_items=n_items)
        )
    return counts


def _summed(
    sources: NDArray[np.int32], targets: NDArray[np.int32], counts: NDArray[np.float64], *, n_items: int
) -> sp.csr_matrix:
    """float32 [n_items, n_items]"""
    return sp.csr_matrix((counts.astype(np.float32), (sources, targets)), (n_items, n_items))


def _most_recent_first(known: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Users, items and times of all pairs, each user's most recent first, at the same second by item row."""
    weights = known.weights
    users = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    order = known.most_recent_first()
    return users[order], weights.indices[order], known.last_seen[order]
