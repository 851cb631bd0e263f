"""How a version ranks one set of items for many users: by their vectors or, where its model is popularity, by that.

Users are rows of the version, int64 [n]. Rows of items, int64 [n, k], are best first; `NO_ROW` is none.
"""

from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from candidate_gen.campaigns.many_histories import ManyHistories
from candidate_gen.retriever import Retriever
from candidate_gen.search.item_set import ItemsLeft

_faiss: Any = faiss  # its stubs do not know knn

NO_ROW: Final = -1  # as FAISS says it
_MOST_EXTRA: Final = 128  # items that a search is asked for beside those wanted: so many make it a tenth slower


class PersonalRanking:
    """By dot products of the embeddings of user and item."""

    def __init__(self, retriever: Retriever, items: ItemsLeft) -> None:
        self._retrieval = retriever.retrieval
        self._users = retriever.artifact.user_embeddings
        self._index, self._exact = self._retrieval.index, self._retrieval.exact
        self.size = items.n_known
        self._among = items.among
        self._few = items.few
        self._few_vectors = None if items.few is None else self._exact.comparable(self._exact.embeddings[items.few])

    def have_list(self, users: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Those of whom the model learned something: bool [n]."""
        return np.asarray(self._users[users].any(axis=1))

    def rows(self, users: NDArray[np.int64], fetch: int) -> NDArray[np.int64]:
        """The best items for each user, [n, at most fetch], as `Space.nearest` finds them for one.

        One call of FAISS for all. `NO_ROW` stands where no more were found; an approximate index may have more all the
        same.
        """
        fetch = min(fetch, self.size)
        if fetch == 0:
            return np.empty((len(users), 0), np.int64)
        queries = self._exact.comparable(self._users[users])
        if self._few is None:
            return self._index.search_many(queries, fetch, among=self._among)
        _, places = _faiss.knn(queries, self._few_vectors, fetch, metric=faiss.METRIC_INNER_PRODUCT)
        rows: NDArray[np.int64] = self._few[places]
        return rows

    def alone(self, user: int, items: ItemsLeft, count: int) -> NDArray[np.int64]:
        """The best of other items for one user, [at most count]."""
        return self._retrieval.nearest(self._users[user], items, count).rows

    def scores(
        self, users: NDArray[np.int64], rows: NDArray[np.int64], *, precision: type[np.floating] = np.float32
    ) -> NDArray[np.float32]:
        """Exact scores, [n, k], worked out in this precision; those of `NO_ROW` mean nothing."""
        vectors = self._exact.embeddings.take(rows.ravel(), axis=0, mode="wrap").reshape(*rows.shape, -1)
        products = np.vecdot(vectors, self._users[users, np.newaxis].astype(precision, copy=False))
        return np.asarray(products, np.float32)


class PopularRanking:
    """By popularity, the same for every user."""

    def __init__(self, retriever: Retriever, items: ItemsLeft) -> None:
        self._popular = retriever.sources.popular
        self._popularity = retriever.artifact.popularity
        self._items = items
        self.size = items.n_known

    def have_list(self, users: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Everybody: bool [n]."""
        return np.ones(len(users), np.bool_)

    def rows(self, users: NDArray[np.int64], fetch: int) -> NDArray[np.int64]:
        """The best items for each user, [n, at most fetch]."""
        best = self._best(self._items, min(fetch, self.size))
        return np.broadcast_to(best, (len(users), len(best)))

    def alone(self, user: int, items: ItemsLeft, count: int) -> NDArray[np.int64]:
        """The best of other items for one user, [at most count]."""
        return self._best(items, count)

    def scores(self, users: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Popularities, [n, k]; those of `NO_ROW` mean nothing."""
        return self._popularity[rows]

    def _best(self, items: ItemsLeft, count: int) -> NDArray[np.int64]:
        return np.array([row for row, _ in self._popular.first(items, count)], np.int64)


Ranking = PersonalRanking | PopularRanking


def best_unseen(
    users: NDArray[np.int64], ranking: Ranking, items: ItemsLeft, seen: ManyHistories, *, count: int
) -> NDArray[np.int64]:
    """For each user the `count` best that they may get, int64 [n, count]; `NO_ROW` where there are no more.

    Only a user who has seen more than a search has room for is asked for alone.
    """
    found = ranking.rows(users, count + min(seen.longest, _MOST_EXTRA))
    is_item = found != NO_ROW
    may_get = is_item & ~seen.have(found)
    may_get &= np.cumsum(may_get, axis=1) <= count
    best = np.full((len(users), count), NO_ROW, np.int64)
    lengths = np.count_nonzero(may_get, axis=1)
    best[np.arange(count) < lengths[:, np.newaxis]] = found[may_get]
    may_have_more = (lengths < count) & (np.count_nonzero(is_item, axis=1) < ranking.size)
    for place in np.flatnonzero(may_have_more).tolist():
        mine = items.without(seen.of(place))
        alone = ranking.alone(int(users[place]), mine, count)
        best[place, : len(alone)] = alone
    return best
