"""What proposes candidates for somebody: each source gives rows of items and their scores, best first.

Every source proposes only items that are left for the request; what many requests ask of a set of items is kept with
it. A new source is a line of `recsys.shop.sources`, a line of `Sources.others`, and what that line calls.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from candidate_gen.candidates import Proposals, Ranked, ranked
from candidate_gen.comes_next import ComesNext
from candidate_gen.eligible import EligibleItems
from candidate_gen.search.item_index import NONE, Neighbours
from candidate_gen.search.item_set import Head, ItemSet, ItemsLeft, RowSet, first_of
from candidate_gen.search.nearest import Space, best
from recsys.artifact.transitions import Transitions
from recsys.feature_store.interface import TrendingItem
from recsys.shop.sources import Source

RECENT_ITEMS: Final = 3

# Neighbours of an item are asked for once, whatever may be answered, and more of them than are wanted: of those that
# are kept, what may not be answered falls out.
_FETCH_FACTOR: Final = 3
_MOST_ITEMS_HELD: Final = 10_000
_EFFORT: Final = 0.25  # the nearest of an item's neighbours stand in the lists nearest to it
_HEAD: Final = 128  # so much of a list at the least is kept with a set


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """At most so many candidates of each source beside the index."""

    session: int = 20  # for each of the most recent items
    popular: int = 20
    trending: int = 20
    new: int = 10
    transitions: int = 100
    content: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What all sources are asked for somebody."""

    user_id: str
    vector: NDArray[np.float32] | None  # [dim]; none: nothing is known of them
    next: ComesNext  # what the last items of their history lead to
    recent: Sequence[int]  # rows of the items that they looked at last, most recent first
    eligible: EligibleItems
    items: ItemsLeft  # those of them that may be an answer to this request
    trained: ItemsLeft  # of those, the items of which the model knows something: all that the trainer ranks
    count: int  # so many of the index


class Sources:
    """All sources of one version."""

    def __init__(
        self, retrieval: Space, similar: Space, *, popularity: NDArray[np.float32], counts: SourceCounts
    ) -> None:
        """`popularity` is float32 [n_items]."""
        self.popular = PopularItems(popularity)
        self._retrieval = retrieval
        self._session = SessionNeighbours(similar, count=counts.session)
        self.counts = counts

    def nearest(self, asked: Asked) -> Neighbours:
        """What the index finds for a vector: none without one."""
        return NONE if asked.vector is None else self._retrieval.nearest(asked.vector, asked.trained, asked.count)

    def others(self, asked: Asked) -> list[Proposals]:
        """What each source beside the index proposes, the most personal first.

        Without a vector, popular items take the place of the index.
        """
        counts, items, eligible = self.counts, asked.items, asked.eligible
        ranked_by_model = items if asked.vector is None else asked.trained
        popular = counts.popular if asked.vector is not None else max(asked.count, counts.popular)
        new = asked.count if ranked_by_model.n_known < asked.count else counts.new
        return [
            Proposals(Source.TRANSITIONS, ranked(asked.next.best(items.rows, counts.transitions))),
            Proposals(Source.SESSION, self._session.best(asked.recent, items.rows)),
            Proposals(Source.CONTENT, self._by_content(asked)),
            Proposals(Source.POPULAR, self.popular.first(ranked_by_model, popular)),
            Proposals(Source.TRENDING, trending_items(eligible.trending, items, counts.trending)),
            Proposals(Source.NEW, new_items(eligible.unknown_to_model, items.rows, new, user_id=asked.user_id)),
        ]

    def _by_content(self, asked: Asked) -> Ranked:
        """Items of which the model knows nothing, and whose facts are to somebody's taste."""
        if asked.vector is None:
            return []
        return ranked(asked.eligible.by_content.best(asked.vector, asked.items.rows, self.counts.content))


class SessionNeighbours:
    """Items near those that somebody looked at last, by cosine; the neighbours of items asked for lately are kept."""

    def __init__(self, similar: Space, *, count: int) -> None:
        """`count` neighbours of each item, at the most."""
        self._similar = similar
        self._count = count
        self._around = lru_cache(_MOST_ITEMS_HELD)(self._search)

    def best(self, recent: Sequence[int], items: RowSet) -> Ranked:
        """Neighbours in the set of the given rows, which are items of the model; the nearest first, each once."""
        around = [self._allowed(row, items) for row in dict.fromkeys(recent)][:RECENT_ITEMS]
        if not around:
            return []
        rows = np.concatenate([each.rows for each in around])
        scores = np.concatenate([each.scores for each in around])
        order = np.lexsort((rows, -scores))
        _, first = np.unique(rows[order], return_index=True)
        order = order[np.sort(first)]
        return ranked(Neighbours(rows[order], scores[order]))

    def _allowed(self, row: int, items: RowSet) -> Neighbours:
        around = self._around(row)
        allowed = np.flatnonzero(items.has(around.rows))[: self._count]
        return Neighbours(around.rows[allowed], around.scores[allowed])

    def _search(self, row: int) -> Neighbours:
        query = self._similar.exact.comparable(self._similar.exact.embeddings[row])
        fetch = min(_FETCH_FACTOR * self._count + 1, self._similar.exact.n_items)
        found = self._similar.index.search(query, fetch, factor=_EFFORT)
        # of an item without a vector nothing is known: its cosine to any is 0
        others = (found.rows != row) & (found.scores > 0)
        return Neighbours(found.rows[others], found.scores[others])


class PopularItems:
    """The items with most users over the last days of the training data: all of a version, ties by row."""

    def __init__(self, popularity: NDArray[np.float32]) -> None:
        """`popularity` is float32 [n_items]."""
        self._popularity = popularity
        self._order: NDArray[np.int64] = np.argsort(-self._popularity, kind="stable")

    def first(self, items: ItemsLeft, count: int) -> Ranked:
        """The `count` most popular items that are left, most popular first."""
        return _first(items, Source.POPULAR, count, listed=self, find=partial(self._find, items.items))

    def _find(self, items: ItemSet, count: int) -> Neighbours:
        if items.few is not None:
            return best(items.few, self._popularity[items.few], count)
        rows = first_of(self._order, items.rows, count)
        return Neighbours(rows, self._popularity[rows])


def trending_in_rows(listed: Sequence[TrendingItem], row_of: Callable[[str], int | None]) -> Neighbours:
    """The store's list, heaviest first, without the items that have no row."""
    known = [(row, item.weight) for item in listed if (row := row_of(item.item_id)) is not None]
    return Neighbours(np.array([row for row, _ in known], np.int64), np.array([w for _, w in known], np.float32))


def trending_items(trending: Neighbours, items: ItemsLeft, count: int) -> Ranked:
    """The `count` items that are left with most weight of recent events, decayed by time, heaviest first."""

    def find(count: int) -> Neighbours:
        listed = items.items.rows.has(trending.rows).nonzero()[0][:count]
        return Neighbours(trending.rows[listed], trending.scores[listed])

    return _first(items, Source.TRENDING, count, listed=trending, find=find)


def share_baskets(baskets: Transitions | None, row: int, items: RowSet, count: int) -> Neighbours:
    """The `count` items of a set that are most bought together with an item, best first; none without baskets."""
    if baskets is None:
        return NONE
    rows, scores = baskets.of(row)
    allowed = items.has(rows.astype(np.int64)).nonzero()[0][:count]
    return Neighbours(rows[allowed].astype(np.int64), scores[allowed])


def new_items(unknown_to_model: NDArray[np.int64], items: RowSet, count: int, *, user_id: str) -> Ranked:
    """`count` items of a set of which the model knows nothing, the latest first.

    Each user's turn begins elsewhere, so that all get shown.
    """
    start = crc32(user_id.encode()) % len(unknown_to_model) if user_id and len(unknown_to_model) else 0
    return [(row, 0.0) for row in first_of(unknown_to_model, items, count, start=start).tolist()]


def _first(
    items: ItemsLeft, source: Source, count: int, *, listed: object, find: Callable[[int], Neighbours]
) -> Ranked:
    """The first `count` of a list that are left of a set; its head is kept with the set, until the list is another or
    more are asked for. `find` gives the first of the list that are in the set."""
    gone, heads = items.gone, items.items.heads
    wanted = count + len(gone)
    head = heads.get(source)
    if head is None or head.listed is not listed or not (head.is_whole or len(head.ranked) >= wanted):
        at_least = max(wanted, _HEAD)
        found = ranked(find(at_least))
        head = heads[source] = Head(listed, found, is_whole=len(found) < at_least)
    return list(islice((pair for pair in head.ranked if pair[0] not in gone), count))
