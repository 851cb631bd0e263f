"""Which candidates fill the page: the best, or the best that are not too much like those before them."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.catalogue import NO_TEXT
from recsys.blend import scaled
from recsys.vectors import unit
from reranker.candidates import Candidates
from reranker.request import Diversity


def page_size(candidates: Candidates, diversity: Diversity, *, count: int) -> int:
    """How many of the first `count` positions can be filled within the cap."""
    if diversity.max_per_category == 0:
        return min(count, len(candidates))
    of_category = Counter(candidates.categories.tolist())
    without = of_category.pop(NO_TEXT, 0)
    return min(count, without + sum(min(found, diversity.max_per_category) for found in of_category.values()))


def diverse(
    candidates: Candidates,
    diversity: Diversity,
    *,
    scores: NDArray[np.float64],
    pool: Sequence[int],
    placed: Sequence[int],
    count: int,
) -> list[int]:
    """At most `count` of the pool, by maximal marginal relevance (Carbonell & Goldstein 1998), within the cap.

    Each is the one with most λ × relevance − (1 − λ) × the greatest cosine with one that stands already. Relevance is
    the score, 0 to 1 over the pool. A category that is full takes no further part; items without one are never capped.

    Args:
        pool: candidates, the best first: ties stay in this order.
        placed: candidates that stand already, whatever the cap.
    """
    cap = _Cap(candidates, most=diversity.max_per_category)
    for index in placed:
        cap.add(index)
    if diversity.mmr_lambda == 1 or not pool:
        return list(islice((index for index in pool if cap.takes(index)), count))
    relevance = diversity.mmr_lambda * scaled(scores[list(pool)])
    nearness = _Nearness(candidates, pool, weight=1 - diversity.mmr_lambda)
    for index in placed:
        nearness.add(index)
    chosen: list[int] = []
    worth = np.empty(len(pool))
    is_open = np.ones(len(pool), dtype=bool)
    while len(chosen) < count and is_open.any():
        np.subtract(relevance, nearness.penalty, out=worth)
        worth[~is_open] = -np.inf
        at = int(np.argmax(worth))
        is_open[at] = False
        if cap.takes(pool[at]):
            chosen.append(pool[at])
            nearness.add(pool[at])
    return chosen


class _Nearness:
    """(1 − λ) × the greatest cosine of each of the pool with what stands already."""

    def __init__(self, candidates: Candidates, pool: Sequence[int], *, weight: float) -> None:
        self._unit = unit(candidates.vectors)
        self._of_pool = weight * self._unit[list(pool)]
        self._is_empty = True
        self.penalty = np.zeros(len(pool))

    def add(self, index: int) -> None:
        penalty = self._of_pool @ self._unit[index]
        self.penalty = penalty if self._is_empty else np.maximum(self.penalty, penalty)
        self._is_empty = False


class _Cap:
    """How many of each category stand."""

    def __init__(self, candidates: Candidates, *, most: int) -> None:
        self._categories = candidates.categories.tolist() if most else []
        self._most = most
        self._counts: Counter[int] = Counter()

    def add(self, index: int) -> None:
        """Count a candidate."""
        if self._most:
            self._counts[self._categories[index]] += 1

    def takes(self, index: int) -> bool:
        """Whether there is room for a candidate, which is counted then."""
        if self._most:
            category = self._categories[index]
            if category != NO_TEXT and self._counts[category] >= self._most:
                return False
        self.add(index)
        return True
