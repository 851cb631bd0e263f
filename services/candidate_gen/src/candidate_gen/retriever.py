"""Candidates out of the whole catalogue, for one artifact version and the shop as it is now.

Somebody, an item or nobody comes in; rows of items with scores and the sources that proposed them go out. What does not
pass the request's conditions, is not on sale, or was seen already is in no source's list.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.candidates import Candidates, Proposals, candidates_of, ranked
from candidate_gen.comes_next import comes_next
from candidate_gen.eligible import EligibleItems
from candidate_gen.excluded import NO_ROWS, NOT_SEEN, Excluded, Seen, rows_of, seen_in_training
from candidate_gen.known_user import KnownUser, known_user
from candidate_gen.query.item_weights import ItemWeights, LiveEvent
from candidate_gen.query.query_vectors import QueryVector, QueryVectors, VectorOrigin
from candidate_gen.search.index_check import check_indexes
from candidate_gen.search.item_index import NONE, ItemIndex
from candidate_gen.search.item_set import ItemsLeft
from candidate_gen.search.nearest import ExactScores, Space, few_of
from candidate_gen.search.recall_sample import RecallSample
from candidate_gen.sources import (
    RECENT_ITEMS,
    Asked,
    SourceCounts,
    Sources,
    share_baskets,
    trending_in_rows,
    trending_items,
)
from recsys.artifact.paging import spread
from recsys.artifact.reader import Artifact
from recsys.errors import EventsOmittedError, ItemNotFoundError
from recsys.feature_store.follower import LiveState
from recsys.feature_store.interface import LATEST_EVENTS
from recsys.ranking_features import HISTORY_ITEMS, NOTHING_TAKEN_UP, TakenUp
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.events import REMOVE
from recsys.shop.filter import NO_FILTER, Filter
from recsys.shop.item import ItemRecord
from recsys.shop.sources import Source

_MOST_IDS_HELD: Final = 100_000  # item ids whose rows are remembered: a search in the file takes microseconds
_NO_VECTOR: Final = np.zeros(1, np.float32)  # of any number of dimensions
_WARMING_REQUESTS: Final = 16
_WARMING_COUNT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody, and what they did live, most recent first."""

    user_id: str = ""
    erased_sequence: int = 0  # place in the stream of an erasure that the caller knows of
    events: Sequence[LiveEvent] = ()
    events_after: int = 0  # not 0: those up to this place in the stream are omitted, but for the latest by time
    basket_item_ids: Sequence[str] = ()
    history: str = ""  # packed: what a training knew, for a version that holds no users


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
    transitions: NDArray[np.float32]  # [n] how much their history leads to each; empty: the version has none
    taken_up: TakenUp  # by them, where the version has a ranker that asks for it
    query: QueryVector
    matching_items: int  # that pass the conditions
    nearest: int  # candidates that the index found
    others: Sequence[Proposals]  # what the other sources proposed
    dropped: dict[str, int]  # with explain: how many items each condition alone drops


class Retriever:
    """Answers from one artifact version, whose arrays and indexes stay on disk, memory-mapped."""

    def __init__(
        self,
        artifact: Artifact,
        *,
        live: LiveState,
        counts: SourceCounts,
        recall: RecallSample | None = None,
        index_class: type[ItemIndex] = ItemIndex,
    ) -> None:
        """Open the indexes, on whatever device `index_class` searches, and check them against the embeddings.

        `recall` measures some of the searches.

        Raises:
            ArtifactError: an index is not of this version's items.
        """
        self.artifact = artifact
        self.manifest = artifact.manifest
        self.live = live
        self._recall = recall or RecallSample()
        self._row_of = lru_cache(_MOST_IDS_HELD)(artifact.items.row_of)
        embeddings = artifact.item_embeddings
        norms = np.sqrt(np.vecdot(embeddings, embeddings))
        open_index = partial(index_class, item_count=artifact.manifest.item_count, dim=artifact.manifest.dim)
        self.retrieval = Space(
            open_index(artifact.retrieval_index_path, search_effort=artifact.manifest.index.search_effort),
            ExactScores(embeddings, norms, is_cosine=artifact.manifest.index.metric == "cosine"),
        )
        self._similar = Space(
            open_index(artifact.similar_index_path, search_effort=None), ExactScores(embeddings, norms, is_cosine=True)
        )
        check_indexes(self.retrieval, self._similar, artifact)
        is_trained = norms != 0
        self.is_popularity = not is_trained.any()  # the model: no item has a vector
        if self.is_popularity:  # yet those with events are known
            is_trained = artifact.first_seen != 0
        self._knows_all = bool(is_trained.all())
        self.queries = QueryVectors(artifact, row_of=self._row_of)
        self.sources = Sources(self.retrieval, self._similar, popularity=artifact.popularity, counts=counts)
        self._taking = threading.Lock()
        with self._taking:  # a change that comes between waits, and is taken in after the state that it changes
            few = few_of(artifact.manifest.item_count)
            self._eligible = EligibleItems.of(LiveCatalogue(artifact, live), is_trained, few=few)
            live.listen(self._take)  # after the catalogue, which is asked then
            self._change(live.items)
            self._eligible.matching(NO_FILTER)  # what most requests ask for

    def warm(self) -> None:
        """Answer a few requests, so that nobody else's is the first."""
        for row in spread(len(self.artifact.users), _WARMING_REQUESTS):
            self.candidates(Asker(user_id=self.artifact.users.id_of(row)), Conditions(), count=_WARMING_COUNT)
        for row in spread(len(self.artifact.items), _WARMING_REQUESTS):
            item_id = self.artifact.items.id_of(row)
            self.similar(item_id, Conditions(), count=_WARMING_COUNT)
            if not self.manifest.holds_users:
                self.candidates(Asker(basket_item_ids=[item_id]), Conditions(), count=_WARMING_COUNT)
        self.popular(Conditions(), count=_WARMING_COUNT)

    def candidates(self, asker: Asker, conditions: Conditions, *, count: int, explain: bool = False) -> Retrieved:
        """Candidates for somebody: `count` of the index, and those of the other sources; all where fewer match.

        Raises: EventsOmittedError, OtherReleaseError (of the packed history).
        """
        eligible = self._eligible
        user = known_user(
            self.artifact,
            self.live,
            asker.user_id,
            packed=asker.history,
            erased_sequence=asker.erased_sequence,
            row_of=self._row_of,
        )
        self._expect_all_events_needed(asker, user)
        excluded = self._excluded(conditions, eligible, asker=asker, user=user)
        items = eligible.matching(conditions.filter).without(excluded.rows)
        trained = items
        if not self._knows_all:
            trained = eligible.matching(conditions.filter, only_trained=True).without(excluded.rows)
        query = self.queries.of(user, events=asker.events, basket_item_ids=asker.basket_item_ids, explain=explain)
        following = comes_next(self.artifact.transitions, query.history)
        asked = Asked(
            user_id=asker.user_id,
            vector=None if query.origin is VectorOrigin.NONE else query.vector,
            next=following,
            recent=self._recent(asker),
            eligible=eligible,
            items=items,
            trained=trained,
            count=count,
        )
        nearest, others = self.sources.nearest(asked), self.sources.others(asked)
        self._recall.offer(self.retrieval, asked.vector, trained, nearest)
        candidates = candidates_of(
            Source.ANN,
            nearest,
            others,
            n_items=eligible.n_items,
            new_ids=eligible.new_ids,
            with_lists=explain,
        )
        return Retrieved(
            candidates=candidates,
            transitions=following.of(candidates.rows if self.artifact.transitions else candidates.rows[:0]),
            taken_up=self._taken_up(query.history),
            query=query,
            matching_items=items.rows.size,
            nearest=len(nearest.rows),
            others=others,
            dropped=_dropped(eligible, conditions, excluded) if explain else {},
        )

    def _taken_up(self, history: ItemWeights) -> TakenUp:
        if self.artifact.ranker is None or not self.artifact.ranker.of_user:
            return NOTHING_TAKEN_UP
        return TakenUp(history.rows[:HISTORY_ITEMS], history.times[:HISTORY_ITEMS])

    def items(self, conditions: Conditions, *, only_trained: bool = False) -> ItemsLeft:
        """The items of this moment that may be answers, to whoever asks; or of those, what the model knows."""
        eligible = self._eligible
        excluded = self._excluded(conditions, eligible).rows
        return eligible.matching(conditions.filter, only_trained=only_trained).without(excluded)

    def similar(self, item_id: str, conditions: Conditions, *, count: int, bought_together: bool = False) -> Candidates:
        """Items nearest to an item's embedding by cosine, without itself; before them, if asked for, what is bought
        together with it, where the version has baskets.

        An item of which the model knows nothing is compared by what the catalogue says of it; where that is nothing
        too, or the version has no map, popular items of its category stand in.

        Raises:
            ItemNotFoundError: neither the version nor the shop knows the item.
        """
        eligible = self._eligible
        row = self._row_of(item_id)
        item = eligible.catalogue.find(item_id) if row is None else None
        own = row if item is None else eligible.row_of_new.get(item_id)
        if own is None:
            raise ItemNotFoundError(item_id)
        excluded = np.append(self._excluded(conditions, eligible).rows, own)
        together = NONE
        if bought_together and row is not None:
            allowed = eligible.matching(conditions.filter).without(excluded)
            together = share_baskets(self.artifact.bought_together, row, allowed.rows, count)
        query = self._similar.exact.embeddings[row] if row is not None else _NO_VECTOR
        if not query.any():
            item = eligible.catalogue.find(item_id)
            content = self.artifact.item_content
            query = _NO_VECTOR if content is None or item is None else content.vector(item)
        if query.any():
            items = eligible.matching(conditions.filter, only_trained=True).without(excluded)
            found = self._similar.nearest(query, items, count)
            if not len(together.rows):
                return candidates_of(Source.SIMILAR, found, [], n_items=eligible.n_items, new_ids=())
            like_it = Proposals(Source.SIMILAR, ranked(found))
            return candidates_of(Source.BOUGHT_TOGETHER, together, [like_it], n_items=eligible.n_items, new_ids=())
        listed = Proposals(Source.POPULAR, [])
        wanted = conditions.filter
        if item is not None and item.category and (not wanted.categories or item.category in wanted.categories):
            of_category = eligible.matching(replace(wanted, categories=(item.category,))).without(excluded)
            listed = Proposals(Source.POPULAR, self.sources.popular.first(of_category, count))
        return candidates_of(
            Source.BOUGHT_TOGETHER, together, [listed], n_items=eligible.n_items, new_ids=eligible.new_ids
        )

    def popular(self, conditions: Conditions, *, count: int, trending: bool = False) -> Candidates:
        """Items by popularity, the same for everyone; before them, if asked for, `count` by what trends."""
        eligible = self._eligible
        items = eligible.matching(conditions.filter).without(self._excluded(conditions, eligible).rows)
        listed = [Proposals(Source.POPULAR, self.sources.popular.first(items, count))]
        if trending:
            listed.insert(0, Proposals(Source.TRENDING, trending_items(eligible.trending, items, count)))
        return candidates_of(Source.ANN, NONE, listed, n_items=eligible.n_items, new_ids=eligible.new_ids)

    def _expect_all_events_needed(self, asker: Asker, user: KnownUser | None) -> None:
        """What was omitted must be part of the user's trained history, and older than the most recent items."""
        if not asker.events_after:
            return
        latest = replace(asker, events=asker.events[:LATEST_EVENTS])
        is_known = user is not None and asker.events_after <= user.up_to_sequence
        if not is_known or len(self._recent(latest)) < RECENT_ITEMS:
            raise EventsOmittedError(self.manifest.version, after=asker.events_after)

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

    def _excluded(
        self,
        conditions: Conditions,
        eligible: EligibleItems,
        *,
        asker: Asker = _NOBODY,
        user: KnownUser | None = None,
    ) -> Excluded:
        find = partial(self._row_among, eligible)
        named = rows_of(chain(conditions.exclude_item_ids, asker.basket_item_ids), find)
        seen = conditions.seen
        if seen.is_included:
            return Excluded(named, NO_ROWS)
        later = rows_of(seen.item_ids, find)
        if user is None:
            return Excluded(named, later)
        returned = self.queries.returned(user, asker.events)
        before = seen_in_training(user, seen.event_types, returned=returned)
        return Excluded(named, np.concatenate([before, later]) if len(later) else before)

    def _take(self, changed: Mapping[str, ItemRecord]) -> None:
        """Take in what changed, in the thread that follows the store."""
        with self._taking:
            self._change(changed)

    def _change(self, changed: Mapping[str, ItemRecord]) -> None:
        items = self._eligible.after(changed) if changed else self._eligible
        row_of = partial(self._row_among, items)
        self._eligible = replace(items, trending=trending_in_rows(self.live.trending, row_of))

    def _row_among(self, items: EligibleItems, item_id: str) -> int | None:
        """The row of an item, of the version or added since."""
        row = self._row_of(item_id)
        return items.row_of_new.get(item_id) if row is None else row


def _dropped(eligible: EligibleItems, conditions: Conditions, excluded: Excluded) -> dict[str, int]:
    counts = eligible.dropped(conditions.filter)
    counts |= {"excluded": len(np.unique(excluded.named)), "seen": len(np.unique(excluded.seen))}
    return {reason: count for reason, count in counts.items() if count}
