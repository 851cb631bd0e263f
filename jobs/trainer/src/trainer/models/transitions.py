"""What comes after what: item to item, out of the order of everybody's history.

Of two items of one history the later one counts as a transition from the earlier one: 1 over how many moments they
are apart. The way back counts a quarter of that, since what goes together also comes in the other order, and both ways
of two items of one moment, a basket, half of the two. Only items near each other count, so a long history has no more
say for an item than a short one. A row is divided by the square root of its sum, so that an item that much comes after
does not outvote the rest of a history; a column by its sum^0.1, so that popular items keep most of their lead, which
says a lot of what comes next (docs/evaluation.md has the figures).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.age import age_factors
from recsys.artifact.manifest import AgeInfo, TransitionsInfo
from recsys.artifact.transitions import LAST_ITEMS, Transitions
from trainer.shop_data.interactions import Interactions

NEIGHBOURS: Final = 100  # of an item that are kept,
_MOST_KEPT: Final = 20_000_000  # and of all items: a very large catalogue keeps fewer of each
INFO: Final = TransitionsInfo(age=AgeInfo(step_decay=0.7))
_WINDOW: Final = 20  # so many places apart two items of a history may be
_MOST_PAIRS: Final = 40_000_000  # looked at: a very large shop gets a smaller window
_ROWS_AT_ONCE: Final = 4_096  # of items, whose neighbours are sorted
_BACK: Final = 0.25
_SOURCE_EXPONENT: Final = 0.5
_TARGET_EXPONENT: Final = 0.1


@dataclass(frozen=True)
class TransitionScores:
    """A `Scorer` of the items that come after a user's last ones; -inf for all that does not."""

    transitions: Transitions
    last: sp.csr_matrix  # float32 [n_users, n_items]: the factors of each user's last items

    @classmethod
    def fitted(cls, known: Interactions) -> "TransitionScores":
        """Fitted on what is known, for the users of it."""
        return cls(fit(known), last_items(known))

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


def fit(known: Interactions) -> Transitions:
    """Of each item the best, `NEIGHBOURS` at the most, best first; nothing is random."""
    counts = _counted(known)
    most = min(NEIGHBOURS, _MOST_KEPT // max(counts.shape[0], 1) + 1)
    by_source, by_target = (np.asarray(counts.sum(axis=axis), dtype=np.float64).ravel() for axis in (1, 0))
    items, scores = [], []
    for start in range(0, counts.shape[0], _ROWS_AT_ONCE):
        rows = counts[start : start + _ROWS_AT_ONCE]
        sources = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        divisors = by_source[start + sources] ** _SOURCE_EXPONENT * by_target[rows.indices] ** _TARGET_EXPONENT
        of_rows = rows.data / divisors
        order = np.lexsort((rows.indices, -of_rows, sources))
        kept = order[np.arange(len(order)) - rows.indptr[sources] < most]
        items.append(rows.indices[kept].astype(np.int32))
        scores.append(of_rows[kept].astype(np.float32))
    sizes = np.minimum(np.diff(counts.indptr), most)
    return Transitions(
        info=INFO,
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        items=np.concatenate([np.empty(0, np.int32), *items]),
        scores=np.concatenate([np.empty(0, np.float32), *scores]),
    )


def last_items(known: Interactions) -> sp.csr_matrix:
    """The factors of each user's last items: float32 [n_users, n_items]."""
    users, items, times = _in_order(known)
    places = np.arange(len(users)) - known.weights.indptr[users]
    kept = places < LAST_ITEMS
    factors = age_factors(times[kept], users[kept], INFO.age)
    return sp.csr_matrix((factors.astype(np.float32), (users[kept], items[kept])), known.weights.shape)


def _counted(known: Interactions) -> sp.csr_matrix:
    """How often each item came after another, the nearer the more: float32 [n_items, n_items]."""
    users, items, times = _in_order(known)
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


def _in_order(known: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Users, items and times of all pairs, each user's most recent first, at the same second by item row."""
    weights = known.weights
    users = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    order = known.most_recent_first()
    return users[order], weights.indices[order], known.last_seen[order]
