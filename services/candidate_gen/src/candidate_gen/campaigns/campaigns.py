"""The best items of many users at once, for mailings: as the trainer ranks them.

By exact personal score or, where the version blends it with more, by its blend (`blended_lists`). Of a version whose
model is popularity, what is popular and they have not seen.

User ids come in; item rows and scores go out, as arrays. The work goes in slices, each with one search of FAISS and a
few calls of NumPy; only a user who has seen more than a search has room for is asked for alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.campaigns.campaign_rankings import NO_ROW, PersonalRanking, PopularRanking, Ranking, best_unseen
from candidate_gen.campaigns.many_histories import ManyHistories
from candidate_gen.known_user import known_user
from candidate_gen.retriever import Conditions, Retriever
from candidate_gen.search.item_set import ItemsLeft
from candidate_gen.users import expect_users

_SLICE: Final = 256  # users in one search: 80 ms at a million items, and more of them would not be faster
CANDIDATES: Final = 200  # of the index that a blend orders, as the gateway asks for unless told otherwise
_NOBODY: Final = -1

Best = Callable[[NDArray[np.int64], ManyHistories, int], tuple[NDArray[np.int64], NDArray[np.float32]]]


@dataclass(frozen=True)
class Lists:
    """A list of items for each of some users, one after the other."""

    rows: NDArray[np.int64]  # [sum of lengths] each list by score, ties by row
    scores: NDArray[np.float32]  # [sum of lengths] dot products of embeddings, blends or popularities
    lengths: NDArray[np.int64]  # [n_users]
    without_vector: NDArray[np.int64]  # places of users of whom the version knows nothing; their lists are empty


class Campaign:
    """One version, and what every list is to be."""

    def __init__(
        self, retriever: Retriever, conditions: Conditions, *, count: int, candidates: int = CANDIDATES
    ) -> None:
        """`count` items a user. `conditions.seen` names no items: what was seen since training does not count.

        `candidates` of the index are what a blend orders, and as many as are wanted at the least.

        Raises: InvalidArgumentError (the version holds no users, whose vectors and histories this goes by).
        """
        expect_users(retriever.artifact)
        self.retriever = retriever
        self._conditions = conditions
        self._count = count
        self._candidates = candidates
        blend = retriever.manifest.blend.weights
        self._is_blended = not (retriever.is_popularity or blend.is_personal_only)

    def lists(self, user_ids: Sequence[str]) -> Lists:
        """The lists of these users, in their order, out of the items that are on sale now."""
        items = self.retriever.items(self._conditions, only_trained=not self.retriever.is_popularity)
        ranking = (PopularRanking if self.retriever.is_popularity else PersonalRanking)(self.retriever, items)
        users = self._rows_of(user_ids, ranking)
        rows = np.full((len(users), self._count), NO_ROW, np.int64)
        scores = np.zeros(rows.shape, np.float32)
        best = self._best_by_blend(items) if self._is_blended else partial(_best_by_score, ranking, items)
        for places in self._slices(users):
            rows[places], scores[places] = best(users[places], self._histories(users[places]), self._count)
        is_item = rows != NO_ROW
        return Lists(
            rows=rows[is_item],
            scores=scores[is_item],
            lengths=np.count_nonzero(is_item, axis=1),
            without_vector=np.flatnonzero(users == _NOBODY),
        )

    def _best_by_blend(self, items: ItemsLeft) -> Best:
        # sparse matrices cost a process 12 MB, which one that blends no campaign does without
        from candidate_gen.campaigns.blended_lists import BlendedLists

        return BlendedLists(self.retriever, items, candidates=self._candidates).best

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

    def _histories(self, users: NDArray[np.int64]) -> ManyHistories:
        seen, history = self._conditions.seen, self.retriever.artifact.history
        some = users[:0] if seen.is_included else users
        return ManyHistories(history, some, seen.event_types, n_items=self.retriever.manifest.item_count)


def _best_by_score(
    ranking: Ranking, items: ItemsLeft, users: NDArray[np.int64], seen: ManyHistories, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best that each user may get by exact score, ties by row, and their scores; both [n, count]."""
    candidates = best_unseen(users, ranking, items, seen, count=count)
    scores = ranking.scores(users, candidates)
    scores[candidates == NO_ROW] = -np.inf
    order = np.lexsort((candidates, -scores), axis=1)
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(scores, order, axis=1)
