"""What the histories of many users lead to, as one sparse matrix: the scores of `Transitions.after`, bit for bit."""

from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from candidate_gen.campaigns.campaign_rankings import NO_ROW
from recsys.age import age_factors
from recsys.artifact.history import History
from recsys.artifact.transitions import Transitions

_LOW: Final = np.uint64(0xFFFFFFFF)  # half of a key: the score's bits, which order as positive scores do, then the row
_HALF: Final = np.uint64(32)


class ManyTransitions:
    """Of each of some users, the items that their last ones lead to, as trained."""

    def __init__(self, transitions: Transitions, history: History, users: NDArray[np.int64], *, n_items: int) -> None:
        """`users` is int64 [n], rows of the version's users."""
        self._n_items = n_items
        sizes = np.minimum(history.indptr[users + 1] - history.indptr[users], transitions.info.last_items)
        at, indptr = _places(history.indptr[users], sizes)
        factors = age_factors(history.times[at], np.repeat(np.arange(len(users)), sizes), transitions.info.age)
        sources, place = np.unique(history.items[at], return_inverse=True)
        starts = transitions.indptr[sources]
        of_sources, source_indptr = _places(starts, transitions.indptr[sources + 1] - starts)
        last = sp.csr_matrix((factors, place, indptr), (len(users), len(sources)))
        leads_to = sp.csr_matrix(
            (transitions.scores[of_sources].astype(np.float64), transitions.items[of_sources], source_indptr),
            (len(sources), n_items),
        )
        found = sp.csr_matrix(last @ leads_to)
        found.sort_indices()
        self._sizes = np.diff(found.indptr)
        self.rows: NDArray[np.int64] = found.indices.astype(np.int64)
        """All items that are led to, user after user: [n]."""
        self._scores = found.data.astype(np.float32)
        self._pairs = np.repeat(np.arange(len(users)), self._sizes) * n_items + self.rows  # ascending

    def are_none_of(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of `rows` are not among these: bool [n]. A pair is place of the user × number of items + row."""
        kept = np.ones(len(self._pairs), np.bool_)
        if len(kept):
            at = self._pairs.searchsorted(pairs).clip(max=len(kept) - 1)
            kept[at[self._pairs[at] == pairs]] = False
        return kept

    def best(self, may_get: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
        """Each user's `count` best of those rows that they may get, ties by row; in no order.

        int64 [n_users, at most count], `NO_ROW` where there are no more.
        """
        keys = (self._scores.view(np.uint32).astype(np.uint64) << _HALF) | (_LOW - self.rows.astype(np.uint64))
        keys[~may_get] = 0
        padded = np.zeros((len(self._sizes), self._sizes.max(initial=0)), np.uint64)
        padded[np.arange(padded.shape[1]) < self._sizes[:, np.newaxis]] = keys
        others = padded.shape[1] - count
        if others > 0:
            padded = np.partition(padded, min(others, padded.shape[1] - 1), axis=1)[:, others:]
        return np.where(padded == 0, NO_ROW, (_LOW - (padded & _LOW)).astype(np.int64))

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """How much leads to each of some items of each user: float32 [n_users, k], 0 where nothing does."""
        if len(self._pairs) == 0:
            return np.zeros(rows.shape, np.float32)
        asked = np.arange(len(rows))[:, np.newaxis] * self._n_items + rows
        at = self._pairs.searchsorted(asked).clip(max=len(self._pairs) - 1)
        return np.where(self._pairs[at] == asked, self._scores[at], np.float32(0))


def _places(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where parts of an array stand, one after the other, and the bounds of the parts: [sum of sizes], [n + 1]."""
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    return np.repeat(starts - bounds[:-1], sizes) + np.arange(bounds[-1]), bounds
