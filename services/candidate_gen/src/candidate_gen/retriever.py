"""Candidates out of the whole catalogue, for one artifact version and the shop as it is now.

Somebody, an item or nobody comes in; rows of items with scores and the sources that proposed them go out. What does not
pass the request's conditions, is not on sale, or was had already is in no source's list.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.assortment import Assortment, ItemSet
from candidate_gen.candidates import Candidates, candidates_of
from candidate_gen.erased_users import is_erased
from candidate_gen.filters import NO_FILTER, Filter
from candidate_gen.index_check import check_indexes
from candidate_gen.item_index import NONE, ItemIndex, Neighbours
from candidate_gen.item_vectors import ExactScores, ItemVectors, unit
from candidate_gen.item_weights import LiveEvent
from candidate_gen.left_out import NO_ROWS, NOT_SEEN, LeftOut, Seen, rows_of, seen_in_training
from candidate_gen.merging import Proposals, Source
from candidate_gen.nearest import Space, few_of
from candidate_gen.new_items import new_items
from candidate_gen.popular_items import PopularItems
from candidate_gen.query_vectors import QueryVector, QueryVectors, VectorOrigin
from candidate_gen.session_neighbours import RECENT_ITEMS, SessionNeighbours
from candidate_gen.trending_items import TrendingItems
from recsys.artifact.paging import spread
from recsys.artifact.reader import Artifact
from recsys.errors import ItemNotFoundError
from recsys.event_types import REMOVE
from recsys.feature_store.follower import LiveState
from recsys.feature_store.interface import ItemRecord
from recsys.live_catalogue import LiveCatalogue

_MOST_IDS_HELD: Final = 100_000  # item ids whose rows are remembered: a search in the file takes microseconds
_WARMING_REQUESTS: Final = 16
_WARMING_COUNT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """At most so many candidates of each source beside the index."""

    session: int = 20  # for each of the most recent items
    popular: int = 20
    trending: int = 20
    new: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody, and what they did live, most recent first."""

    user_id: str = ""
    erased_sequence: int = 0  # place in the stream of an erasure that the caller knows of
    events: Sequence[LiveEvent] = ()
    basket_item_ids: Sequence[str] = ()


_NOBODY: Final = Asker()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What an answer must be."""

    filter: Filter = NO_FILTER
    exclude_item_ids: Sequence[str] = ()
    seen: Seen = NOT_SEEN


@dataclass(frozen=True)
class Retrieved:
    """The candidates for somebody, and what they were found with."""

    candidates: Candidates
    query: QueryVector
    matching_items: int  # that pass the conditions
    dropped: dict[str, int]  # with explain: how many items each condition alone drops


class Retriever:
    """Answers from one artifact version, whose arrays and indexes stay on disk, memory-mapped."""

    def __init__(self, artifact: Artifact, *, live: LiveState, counts: SourceCounts) -> None:
        """Open the indexes and check them against the embeddings.

        Raises:
            ArtifactError: an index is not of this version's items.
        """
        self.artifact = artifact
        self.manifest = artifact.manifest
        self.live = live
        self._counts = counts
        self._row_of = lru_cache(_MOST_IDS_HELD)(artifact.items.row_of)
        vectors = ItemVectors(artifact.item_embeddings)
        open_index = partial(ItemIndex, item_count=artifact.manifest.item_count, dim=artifact.manifest.dim)
        self.retrieval = Space(
            open_index(artifact.retrieval_index_path, search_effort=artifact.manifest.index.search_effort),
            ExactScores(vectors, is_cosine=artifact.manifest.index.metric == "cosine"),
        )
        self._similar = Space(
            open_index(artifact.similar_index_path, search_effort=None), ExactScores(vectors, is_cosine=True)
        )
        check_indexes(self.retrieval, self._similar, artifact)
        untrained = vectors.norms == 0
        self.is_popularity = bool(untrained.all())  # the model: no item has a vector
        if self.is_popularity:  # yet those with events are known
            untrained = untrained & (np.asarray(artifact.first_seen) == 0)
        self._untrained = np.flatnonzero(untrained)
        self._catalogue = LiveCatalogue(artifact, live)
        self._queries = QueryVectors(artifact, row_of=self._row_of)
        self.popular_items = PopularItems(artifact.popularity)
        self._trending = TrendingItems(live, row_of=self._row_of)
        self._session = SessionNeighbours(self._similar, count=counts.session)
        self._taking = threading.Lock()
        with self._taking:
            live.listen(self._take)  # after the catalogue, which is asked then
            self._assortment = self._take_items()
            self._trending.prepare(self._assortment)

    def warm(self) -> None:
        """Answer a few requests, so that nobody else's is the first."""
        for row in spread(len(self.artifact.users), _WARMING_REQUESTS):
            self.candidates(Asker(user_id=self.artifact.users.id_of(row)), Conditions(), count=_WARMING_COUNT)
        for row in spread(len(self.artifact.items), _WARMING_REQUESTS):
            self.similar(self.artifact.items.id_of(row), Conditions(), count=_WARMING_COUNT)
        self.popular(Conditions(), count=_WARMING_COUNT)

    def user_row(self, user_id: str, *, erased_sequence: int = 0) -> int | None:
        """The row of a user; none for one that the version does not know, or must have forgotten."""
        up_to = self.manifest.stream_sequence
        if is_erased(self.live, user_id, trained_up_to=up_to, told=erased_sequence):
            return None
        return self.artifact.users.row_of(user_id)

    def candidates(self, asker: Asker, conditions: Conditions, *, count: int, explain: bool = False) -> Retrieved:
        """Candidates for somebody: `count` of the index, and those of the other sources; all where fewer match.

        For whom there is no vector, popular items take the place of the index.
        """
        assortment = self._assortment
        user_row = self.user_row(asker.user_id, erased_sequence=asker.erased_sequence)
        left_out = self._left_out(conditions, assortment, asker=asker, user_row=user_row)
        items = assortment.matching(conditions.filter).without(left_out.rows)
        query = self._queries.of(user_row, events=asker.events, basket_item_ids=asker.basket_item_ids, explain=explain)
        proposals = self._proposals(asker, query, assortment, items, count=count)
        return Retrieved(
            candidates=candidates_of(proposals, assortment, with_lists=explain),
            query=query,
            matching_items=items.rows.size,
            dropped=_dropped(assortment, conditions, left_out) if explain else {},
        )

    def items(self, conditions: Conditions) -> ItemSet:
        """The items of this moment that may be answers, to whoever asks."""
        assortment = self._assortment
        return assortment.matching(conditions.filter).without(self._left_out(conditions, assortment).rows)

    def contributions(self, query: QueryVector) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the history, [n], and what each item adds to the query vector: float32 [n, dim]."""
        return self._queries.contributions(query)

    def similar(self, item_id: str, conditions: Conditions, *, count: int) -> Candidates:
        """Items nearest to an item's embedding by cosine, without itself; none for an item whose embedding is zero.

        Raises:
            ItemNotFoundError: the version does not know the item.
        """
        row = self._row_of(item_id)
        if row is None:
            raise ItemNotFoundError(item_id)
        assortment = self._assortment
        query = unit(self._similar.exact.vectors.embeddings[row])
        left_out = self._left_out(conditions, assortment)
        items = assortment.matching_trained(conditions.filter).without(np.append(left_out.rows, row))
        found = self._similar.nearest(query, items, count) if query.any() else NONE
        return candidates_of([Proposals(Source.SIMILAR, found)], assortment)

    def popular(self, conditions: Conditions, *, count: int) -> Candidates:
        """Items by popularity, the same for everyone."""
        assortment = self._assortment
        items = assortment.matching(conditions.filter).without(self._left_out(conditions, assortment).rows)
        return candidates_of([Proposals(Source.POPULAR, self.popular_items.best(items, count))], assortment)

    def _proposals(
        self, asker: Asker, query: QueryVector, assortment: Assortment, items: ItemSet, *, count: int
    ) -> list[Proposals]:
        """What each source proposes, the most personal first."""
        counts = self._counts
        has_vector = query.origin is not VectorOrigin.NONE
        popular = self.popular_items.best(items, counts.popular if has_vector else max(count, counts.popular))
        found = [Proposals(Source.ANN, self.nearest(query.vector, items, count))] if has_vector else []
        is_short = len((found[0].found if has_vector else popular).rows) < count
        new = new_items(assortment, items, count if is_short else counts.new, user_id=asker.user_id)
        return [
            *found,
            Proposals(Source.SESSION, self._session.best(self._recent(asker), items.rows)),
            Proposals(Source.POPULAR, popular),
            Proposals(Source.TRENDING, self._trending.best(assortment, items, counts.trending)),
            Proposals(Source.NEW, new),
        ]

    def nearest(self, vector: NDArray[np.float32], items: ItemSet, count: int) -> Neighbours:
        """What the index gives for a user's vector, float32 [dim], out of a set of items."""
        return self.retrieval.nearest(unit(vector) if self.retrieval.exact.is_cosine else vector, items, count)

    def _recent(self, asker: Asker) -> list[int]:
        """Rows of the most recent items of the version, each once: of the cart, then of the events."""
        named = (event.item_id for event in asker.events if event.event_type != REMOVE)
        rows = (self._row_of(item_id) for item_id in chain(asker.basket_item_ids, named))
        recent: dict[int, None] = {}
        for row in rows:
            if row is not None:
                recent[row] = None
            if len(recent) == RECENT_ITEMS:
                break
        return list(recent)

    def _left_out(
        self,
        conditions: Conditions,
        assortment: Assortment,
        *,
        asker: Asker = _NOBODY,
        user_row: int | None = None,
    ) -> LeftOut:
        def find(item_id: str) -> int | None:
            row = self._row_of(item_id)
            return assortment.new_row_of(item_id) if row is None else row

        excluded = rows_of(chain(conditions.exclude_item_ids, asker.basket_item_ids), find)
        seen = conditions.seen
        if seen.is_included:
            return LeftOut(excluded, NO_ROWS)
        later = rows_of(seen.item_ids, find)
        if user_row is None:
            return LeftOut(excluded, later)
        returned = self._queries.returned(user_row, asker.events)
        before = seen_in_training(self.artifact.history, user_row, seen.event_types, returned=returned)
        return LeftOut(excluded, np.concatenate([before, later]) if len(later) else before)

    def _take(self, changed: Mapping[str, ItemRecord]) -> None:
        """Take the shop's state as it is now, in the thread that follows the store."""
        with self._taking:
            if changed:
                self._assortment = self._take_items()
            self._trending.prepare(self._assortment)

    def _take_items(self) -> Assortment:
        items = Assortment(self._catalogue, untrained=self._untrained, few=few_of(self.manifest.item_count))
        items.matching(NO_FILTER)  # what most requests ask for
        return items


def _dropped(assortment: Assortment, conditions: Conditions, left_out: LeftOut) -> dict[str, int]:
    counts = assortment.dropped(conditions.filter)
    counts |= {"excluded": len(np.unique(left_out.excluded)), "seen": len(np.unique(left_out.seen))}
    return {reason: count for reason, count in counts.items() if count}
