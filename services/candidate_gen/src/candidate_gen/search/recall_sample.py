"""What share of the exact nearest items the index finds for the requests of now: some searches made again, exactly.

A request hands over what it has anyway, once in a while. The search is made again by whoever reads the metrics, in a
thread of its own and one block of items at a time: at a million items it takes that thread 40 ms of a core.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.search.item_index import NONE, Neighbours
from candidate_gen.search.item_set import ItemsLeft
from candidate_gen.search.nearest import Space, best, count_right

_BLOCK_ROWS: Final = 2_048  # small: requests wait for the interpreter for no longer than one takes, a tenth of a ms


@dataclass(frozen=True, slots=True)
class _Search:
    space: Space
    query: NDArray[np.float32]  # [dim]
    items: ItemsLeft
    found: Neighbours


class RecallSample:
    """Counts since the start. The first request after each pause is the sample."""

    def __init__(self, *, every_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        """At most one search in `every_s` seconds is made again; 0: none is."""
        self.expected = 0  # exact nearest items of the searches that were made again
        self.found = 0  # those of them that the index had found, or items as near
        self._every_s = every_s
        self._clock = clock
        self._measured_s = clock()
        self._is_wanted = every_s > 0
        self._search: _Search | None = None

    def offer(self, space: Space, query: NDArray[np.float32] | None, items: ItemsLeft, found: Neighbours) -> None:
        """What a request has just asked of the index; kept where a sample is wanted and the index was asked."""
        if self._is_wanted and query is not None and len(found.rows) and items.few is None:
            self._is_wanted = False
            self._search = _Search(space, query, items, found)

    def measure(self) -> None:
        """Make the search again that was kept, if there is one, and want another one when it is time."""
        search, self._search = self._search, None
        if search is not None:
            self._measured_s = self._clock()
            self._count(search)
        elif self._every_s and self._clock() - self._measured_s >= self._every_s:
            self._is_wanted = True

    def _count(self, search: _Search) -> None:
        query = search.space.exact.comparable(search.query)
        scores = _best_scores(search.space, query, search.items, len(search.found.rows))
        again = search.space.exact.of_rows(query, search.found.rows)
        self.expected += len(scores)
        self.found += min(count_right(again, scores), len(scores))


def _best_scores(space: Space, query: NDArray[np.float32], items: ItemsLeft, count: int) -> NDArray[np.float32]:
    """The `count` best scores among the items that are left, best first: float32 [at most count]."""
    rows = items.rows.rows()[: items.n_known]
    kept = NONE
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        both = np.concatenate([kept.rows, block])
        kept = best(both, np.concatenate([kept.scores, space.exact.of_rows(query, block)]), count)
    return kept.scores
