"""What somebody's last items lead to, whoever else proposes it: one look-up a request, in order of rows."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.query.item_weights import ItemWeights
from candidate_gen.search.item_index import Neighbours
from candidate_gen.search.item_set import RowSet
from recsys.artifact.transitions import Transitions


@dataclass(frozen=True, slots=True)
class ComesNext:
    """How much the items of one history lead to others of the version."""

    rows: NDArray[np.int64]  # [n], ascending
    scores: NDArray[np.float32]  # [n] > 0

    def best(self, items: RowSet, count: int) -> Neighbours:
        """The `count` of a set with the highest scores, ties by row."""
        allowed = items.has(self.rows).nonzero()[0]
        order = allowed[np.lexsort((self.rows[allowed], -self.scores[allowed]))[:count]]
        return Neighbours(self.rows[order], self.scores[order])

    def of(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """The scores of some rows: float32 [len(rows)], 0 where nothing leads to one."""
        if not len(self.rows):
            return np.zeros(len(rows), np.float32)
        at = self.rows.searchsorted(rows).clip(max=len(self.rows) - 1)
        return np.where(self.rows[at] == rows, self.scores[at], np.float32(0))


NOTHING: Final = ComesNext(np.empty(0, np.int64), np.empty(0, np.float32))


def comes_next(transitions: Transitions | None, history: ItemWeights) -> ComesNext:
    """What a history leads to; nothing in a version without transitions."""
    if transitions is None or not len(history.rows):
        return NOTHING
    return ComesNext(*transitions.after(history.rows, history.times))
