"""Items like those that somebody looked at last: neighbours by cosine in the index of similar items."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from candidate_gen.search.item_index import NONE, Neighbours
from candidate_gen.search.nearest import Space
from candidate_gen.search.row_set import RowSet
from recsys.vectors import unit

RECENT_ITEMS: Final = 3

# Neighbours of an item are asked for once, whatever may be answered, and more of them than are wanted: of those that
# are kept, what may not be answered falls out.
_SPARE: Final = 3
_MOST_ITEMS_HELD: Final = 10_000
_EFFORT: Final = 0.25  # the nearest of an item's neighbours stand in the lists nearest to it


class SessionNeighbours:
    """Neighbours of single items, kept for those that were asked for last."""

    def __init__(self, similar: Space, *, count: int) -> None:
        """`count` neighbours of each item, at the most."""
        self._similar = similar
        self._count = count
        self._around = lru_cache(_MOST_ITEMS_HELD)(self._search)

    def best(self, recent: Sequence[int], items: RowSet) -> Neighbours:
        """Neighbours in the set of the given rows, which are items of the model; the nearest first, each once."""
        around = [self._allowed(row, items) for row in dict.fromkeys(recent)][:RECENT_ITEMS]
        if not around:
            return NONE
        rows = np.concatenate([each.rows for each in around])
        scores = np.concatenate([each.scores for each in around])
        order = np.lexsort((rows, -scores))
        _, first = np.unique(rows[order], return_index=True)
        order = order[np.sort(first)]
        return Neighbours(rows[order], scores[order])

    def _allowed(self, row: int, items: RowSet) -> Neighbours:
        around = self._around(row)
        allowed = np.flatnonzero(items.has(around.rows))[: self._count]
        return Neighbours(around.rows[allowed], around.scores[allowed])

    def _search(self, row: int) -> Neighbours:
        query = unit(self._similar.exact.vectors.embeddings[row])
        fetch = min(_SPARE * self._count + 1, len(self._similar.exact.vectors.norms))
        found = self._similar.index.search(query, fetch, effort=_EFFORT)
        # of an item without a vector nothing is known: its cosine to any is 0
        others = (found.rows != row) & (found.scores > 0)
        return Neighbours(found.rows[others], found.scores[others])
