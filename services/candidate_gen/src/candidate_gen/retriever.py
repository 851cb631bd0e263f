"""Candidates out of the whole catalogue, for one artifact version.

A user, an item or nobody comes in; item ids with scores and the source that proposed them go out, by score, ties by
item row. Items that are not on sale, and those that the user already had, are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.item_index import ItemIndex, Neighbours
from candidate_gen.item_vectors import ItemVectors, unit
from recsys.artifact.reader import Artifact
from recsys.errors import ItemNotFoundError

_SAMPLED_QUERIES: Final = 8
_NO_ROWS: Final = np.empty(0, np.int32)


class Source(Enum):
    """What proposed a candidate."""

    ANN = auto()
    POPULAR = auto()
    SIMILAR = auto()


@dataclass(frozen=True)
class Candidates:
    """Items by score, descending; ties by item id. No item twice."""

    item_ids: list[str]
    scores: list[float]
    source: Source


@dataclass(frozen=True)
class _Space:
    """One way to compare a vector with items: fast, and exactly."""

    index: ItemIndex
    exact: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    allowed: NDArray[np.bool_]  # [n_items] items that may be answers


class Retriever:
    """Answers from one artifact version, whose arrays and indexes stay on disk, memory-mapped."""

    def __init__(self, artifact: Artifact) -> None:
        """Open the indexes and check them against the embeddings.

        Raises:
            ArtifactError: an index is not of this version's items.
        """
        self.artifact = artifact
        self.manifest = artifact.manifest
        self._vectors = ItemVectors(artifact.item_embeddings)
        self._is_cosine = artifact.manifest.index.metric == "cosine"
        on_sale = artifact.catalogue.available
        open_index = partial(ItemIndex, item_count=artifact.manifest.item_count, dim=artifact.manifest.dim)
        self._retrieval = _Space(
            index=open_index(artifact.retrieval_index_path, search_effort=artifact.manifest.index.search_effort),
            exact=self._vectors.cosines if self._is_cosine else self._vectors.inner_products,
            allowed=on_sale,
        )
        self._similar = _Space(
            index=open_index(artifact.similar_index_path, search_effort=None),
            exact=self._vectors.cosines,
            allowed=on_sale & (self._vectors.norms > 0),  # nothing is known about an item without a vector
        )
        self._popular_rows = _by_score(Neighbours(np.flatnonzero(on_sale), artifact.popularity[on_sale])).rows
        self._check_indexes()

    def user_row(self, user_id: str) -> int | None:
        """The row of a user; none for one that the version does not know."""
        return self.artifact.users.row_of(user_id)

    def for_user(self, user_row: int, *, count: int, include_seen: bool) -> Candidates:
        """Items nearest to the user's embedding; popular ones for a user whose embedding is zero."""
        seen = _NO_ROWS if include_seen else self.artifact.history.rows(user_row)
        query = self._user_query(user_row)
        if not query.any():
            return self.popular(count=count, excluded=seen)
        return self._candidates(_search(self._retrieval, query, excluded=seen, count=count), Source.ANN)

    def similar(self, item_id: str, *, count: int) -> Candidates:
        """Items nearest to an item's embedding by cosine, without itself; none for an item whose embedding is zero.

        Raises:
            ItemNotFoundError: the version does not know the item.
        """
        row = self.artifact.items.row_of(item_id)
        if row is None:
            raise ItemNotFoundError(item_id)
        query = unit(self._vectors.embeddings[row])
        if not query.any():
            return Candidates(item_ids=[], scores=[], source=Source.SIMILAR)
        excluded = np.array([row], np.int32)
        return self._candidates(_search(self._similar, query, excluded=excluded, count=count), Source.SIMILAR)

    def popular(self, *, count: int, excluded: NDArray[np.int32] = _NO_ROWS) -> Candidates:
        """Items by popularity, without those of the rows `excluded`."""
        rows = self._popular_rows[: count + len(excluded)]
        rows = rows[np.isin(rows, excluded, invert=True)][:count]
        return self._candidates(Neighbours(rows, self.artifact.popularity[rows]), Source.POPULAR)

    def _candidates(self, found: Neighbours, source: Source) -> Candidates:
        ids = [self.artifact.items.id_of(row) for row in found.rows.tolist()]
        return Candidates(item_ids=ids, scores=found.scores.tolist(), source=source)

    def _user_query(self, user_row: int) -> NDArray[np.float32]:
        embedding = self.artifact.user_embeddings[user_row]
        return unit(embedding) if self._is_cosine else embedding

    def _check_indexes(self) -> None:
        users = (self._user_query(row) for row in _spread(self.manifest.user_count))
        self._retrieval.index.check_agreement(
            (user for user in users if user.any()),
            exact=self._retrieval.exact,
            first=min(max(self.manifest.item_count // 10, 1), 100),  # chance finds a tenth of them, at the most
            floor=self.manifest.index.recall / 2,  # far below what a few users of a good index ever fall to
        )
        items = (unit(self._vectors.embeddings[row]) for row in _spread(self.manifest.item_count))
        self._similar.index.check_agreement(
            (item for item in items if item.any()),
            exact=self._similar.exact,
            first=1,  # an item is nearest to itself, however little of the catalogue the index looks at
            floor=0.5,
        )


def _search(space: _Space, query: NDArray[np.float32], *, excluded: NDArray[np.int32], count: int) -> Neighbours:
    """The `count` best allowed items: from the index while it has enough, else from an exact look at all items."""
    fetch = count + len(excluded)
    while fetch < len(space.allowed):
        found = space.index.search(query, fetch)
        kept = _without(found, space.allowed, excluded)
        if len(kept.rows) >= count:
            return _by_score(kept, count)
        if len(found.rows) < fetch:
            break  # an approximate index looks at a part of the catalogue only, and that part is at its end
        fetch *= 2
    every_row = np.arange(len(space.allowed))
    return _by_score(_without(Neighbours(every_row, space.exact(query)), space.allowed, excluded), count)


def _without(found: Neighbours, allowed: NDArray[np.bool_], excluded: NDArray[np.int32]) -> Neighbours:
    keep = allowed[found.rows] & np.isin(found.rows, excluded, invert=True)
    return Neighbours(found.rows[keep], found.scores[keep])


def _by_score(found: Neighbours, count: int | None = None) -> Neighbours:
    order = np.lexsort((found.rows, -found.scores))[:count]
    return Neighbours(found.rows[order], found.scores[order])


def _spread(count: int) -> list[int]:
    """A few rows, evenly spread."""
    return sorted(set(np.linspace(0, count - 1, _SAMPLED_QUERIES, dtype=int).tolist())) if count else []
