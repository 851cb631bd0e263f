"""The best items of many users at once, for mailings: what the index gives each of them alone, by exact score.

Of a version whose model is popularity, what is popular and they have not seen.

User ids come in; item rows and scores go out, as arrays. The work goes in slices, each with one search of FAISS and a
few calls of NumPy; only a user who has seen more than a search has room for is asked for alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.campaigns.campaign_rankings import NO_ROW, PersonalRanking, PopularRanking
from candidate_gen.campaigns.many_histories import ManyHistories
from candidate_gen.known_user import known_user
from candidate_gen.retriever import Conditions, Retriever
from candidate_gen.search.item_set import ItemsLeft
from candidate_gen.users import expect_users

_SLICE: Final = 256  # users in one search: 80 ms at a million items, and more of them would not be faster
_MOST_EXTRA: Final = 128  # items that a search is asked for beside those wanted: so many make it a tenth slower
_NOBODY: Final = -1

Ranking = PersonalRanking | PopularRanking


@dataclass(frozen=True)
class Lists:
    """A list of items for each of some users, one after the other."""

    rows: NDArray[np.int64]  # [sum of lengths] each list by score, ties by row
    scores: NDArray[np.float32]  # [sum of lengths] dot products of the embeddings of user and item, or popularities
    lengths: NDArray[np.int64]  # [n_users]
    without_vector: NDArray[np.int64]  # places of users of whom the version knows nothing; their lists are empty


class Campaign:
    """One version, and what every list is to be."""

    def __init__(self, retriever: Retriever, conditions: Conditions, *, count: int) -> None:
        """`count` items a user. `conditions.seen` names no items: what was seen since training does not count.

        Raises: InvalidArgumentError (the version holds no users, whose vectors and histories this goes by).
        """
        expect_users(retriever.artifact)
        self.retriever = retriever
        self._conditions = conditions
        self._count = count

    def lists(self, user_ids: Sequence[str]) -> Lists:
        """The lists of these users, in their order, out of the items that are on sale now."""
        items = self.retriever.items(self._conditions)
        ranking = (PopularRanking if self.retriever.is_popularity else PersonalRanking)(self.retriever, items)
        users = self._rows_of(user_ids, ranking)
        rows = np.full((len(users), self._count), NO_ROW, np.int64)
        scores = np.zeros(rows.shape, np.float32)
        for places in self._slices(users):
            candidates = self._candidates(users[places], ranking, items)
            rows[places], scores[places] = _ranked(users[places], candidates, ranking)
        is_item = rows != NO_ROW
        return Lists(
            rows=rows[is_item],
            scores=scores[is_item],
            lengths=np.count_nonzero(is_item, axis=1),
            without_vector=np.flatnonzero(users == _NOBODY),
        )

    def _rows_of(self, user_ids: Sequence[str], ranking: Ranking) -> NDArray[np.int64]:
        """Rows of users, int64 [n]; `_NOBODY` for those who have no list."""
        found = map(partial(known_user, self.retriever.artifact, self.retriever.live), user_ids)
        rows = np.fromiter((_NOBODY if user is None else user.row for user in found), np.int64, len(user_ids))
        known = np.flatnonzero(rows != _NOBODY)
        rows[known[~ranking.have_list(rows[known])]] = _NOBODY
        return rows

    def _slices(self, users: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Places of the users with a list. Who has seen about as many items goes into one slice, with as many extra."""
        places = np.flatnonzero(users != _NOBODY)
        indptr = self.retriever.artifact.history.indptr
        sizes = indptr[users[places] + 1] - indptr[users[places]]
        places = places[np.argsort(sizes, kind="stable")]
        for start in range(0, len(places), _SLICE):
            yield places[start : start + _SLICE]

    def _candidates(self, users: NDArray[np.int64], ranking: Ranking, items: ItemsLeft) -> NDArray[np.int64]:
        """For each user the `count` best that they may get, int64 [n, count]; `NO_ROW` where there are no more."""
        seen = self._histories(users)
        found = ranking.rows(users, self._count + min(seen.longest, _MOST_EXTRA))
        is_item = found != NO_ROW
        may_get = is_item & ~seen.have(found)
        may_get &= np.cumsum(may_get, axis=1) <= self._count
        candidates = np.full((len(users), self._count), NO_ROW, np.int64)
        lengths = np.count_nonzero(may_get, axis=1)
        candidates[np.arange(self._count) < lengths[:, np.newaxis]] = found[may_get]
        may_have_more = (lengths < self._count) & (np.count_nonzero(is_item, axis=1) < ranking.size)
        for place in np.flatnonzero(may_have_more).tolist():
            mine = items.without(seen.of(place))
            alone = ranking.alone(int(users[place]), mine, self._count)
            candidates[place, : len(alone)] = alone
        return candidates

    def _histories(self, users: NDArray[np.int64]) -> ManyHistories:
        seen, history = self._conditions.seen, self.retriever.artifact.history
        some = users[:0] if seen.is_included else users
        return ManyHistories(history, some, seen.event_types, n_items=self.retriever.manifest.item_count)


def _ranked(
    users: NDArray[np.int64], candidates: NDArray[np.int64], ranking: Ranking
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The candidates by exact score, ties by row, and their scores; both [n, count]."""
    scores = ranking.scores(users, candidates)
    scores[candidates == NO_ROW] = -np.inf
    order = np.lexsort((candidates, -scores), axis=1)
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(scores, order, axis=1)
