"""What leads from item to item: of each item, those that people take up after it, or along with it, and how often.

The score of an item after a history is Σ age factor × score of the transition, over the history's last items.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.age import age_factors
from recsys.artifact.manifest import TransitionsInfo


@dataclass(frozen=True)
class Transitions:
    """Row i of `indptr` and its neighbour bound item i's part of the other arrays, the best first."""

    info: TransitionsInfo
    indptr: NDArray[np.int64]  # [n_items + 1]
    items: NDArray[np.int32]  # [nnz] rows of items
    scores: NDArray[np.float32]  # [nnz] > 0

    def after(
        self, rows: NDArray[np.int64], times_s: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What may come after a history, most recent first: rows of items, ascending, and their scores, all above 0.

        Args:
            rows: int64 [n], the items of the history.
            times_s: int64 [n], Unix seconds of the last event with each.
        """
        sources, factors = rows[: self.info.last_items], self.factors(times_s)
        starts, sizes = self.indptr[sources], self.indptr[sources + 1] - self.indptr[sources]
        ends = np.cumsum(sizes)
        at = np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)
        found, place = np.unique(self.items[at], return_inverse=True)
        summed = np.bincount(place, weights=self.scores[at] * np.repeat(factors, sizes), minlength=len(found))
        return found.astype(np.int64), summed.astype(np.float32)

    def factors(self, times_s: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each of a history's last items counts: float64 [n, at most `info.last_items`]."""
        times = times_s[: self.info.last_items]
        return age_factors(times, np.zeros(len(times), np.int64), self.info.age)

    def score(self, source: int, row: int) -> float:
        """Of the transition from one item to another; 0 where there is none."""
        items, scores = self.of(source)
        return float(scores[items == row].sum())

    def of(self, source: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What one item leads to, the best first: rows of items, and their scores."""
        part = slice(int(self.indptr[source]), int(self.indptr[source + 1]))
        return self.items[part], self.scores[part]
