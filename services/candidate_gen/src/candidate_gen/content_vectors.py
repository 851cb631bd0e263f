"""Embeddings of the items of which the model knows nothing, by what the catalogue says of each now.

They stand beside the version's own and in no index: there are few of them, and they change with the catalogue.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.search.item_index import NONE, Neighbours
from candidate_gen.search.item_set import RowSet
from candidate_gen.search.nearest import best
from recsys.artifact.item_content import ItemContent
from recsys.shop.item import Item

MOST_HELD: Final = 4_096
"""Items, the latest: each request scores all of them, in a tenth of a millisecond at 64 dimensions."""


@dataclass(frozen=True)
class ContentVectors:
    """Of one moment; the next one is made out of it."""

    rows: NDArray[np.int64]  # [n] as of `EligibleItems`
    vectors: NDArray[np.float32]  # [n, dim], zero of an item without facts

    @classmethod
    def none(cls, dim: int) -> "ContentVectors":
        """Of no item."""
        return cls(np.empty(0, np.int64), np.empty((0, dim), np.float32))

    def after(
        self,
        unknown: NDArray[np.int64],
        changed: Collection[int],
        *,
        content: ItemContent,
        item_of: Callable[[int], Item | None],
    ) -> "ContentVectors":
        """Of the first of these rows; a vector is computed where the item is another or has changed.

        Args:
            unknown: rows of which the model knows nothing, the latest first.
            changed: rows of items that changed.
            item_of: the item of a row; none: it is gone.
        """
        rows = unknown[:MOST_HELD]
        at = {row: place for place, row in enumerate(self.rows.tolist()) if row not in changed}
        vectors = np.zeros((len(rows), self.vectors.shape[1]), np.float32)
        for place, row in enumerate(rows.tolist()):
            if row in at:
                vectors[place] = self.vectors[at[row]]
            elif (item := item_of(row)) is not None:
                vectors[place] = content.vector(item)
        return ContentVectors(rows, vectors)

    def best(self, query: NDArray[np.float32], items: RowSet, count: int) -> Neighbours:
        """The `count` of a set that fit a query vector best, ties by row; none without facts."""
        if not len(self.rows):
            return NONE
        allowed = np.flatnonzero(items.has(self.rows) & self._have_facts)
        return best(self.rows[allowed], (self.vectors @ query)[allowed], count)

    @cached_property
    def _have_facts(self) -> NDArray[np.bool_]:
        return np.asarray(self.vectors.any(axis=1))
