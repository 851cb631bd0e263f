"""Many users' lists where more counts than the personal score: the version's blend over what three sources propose.

These are the index, what a user's last items lead to, and what is popular: all that proposes items of the model to a
request online of somebody who has done nothing since training, while nothing trends. The reranker's own functions rank.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.campaigns.campaign_rankings import NO_ROW, PersonalRanking, PopularRanking, best_unseen
from candidate_gen.campaigns.many_histories import ManyHistories
from candidate_gen.campaigns.many_transitions import ManyTransitions
from candidate_gen.retriever import Retriever
from candidate_gen.search.item_set import ItemsLeft
from recsys.blend import blend, decayed_recency, log_popularity

_MOST_VALUES: Final = 4_000_000  # of vectors that are scored at once: 48 MB


class BlendedLists:
    """One version's blend of one set of items."""

    def __init__(self, retriever: Retriever, items: ItemsLeft, *, candidates: int) -> None:
        """`candidates` of the index are blended with those of the other sources."""
        self._artifact = retriever.artifact
        self._counts = retriever.sources.counts
        self._items = items
        self._candidates = candidates
        self._personal, self._popular = PersonalRanking(retriever, items), PopularRanking(retriever, items)

    def best(
        self, users: NDArray[np.int64], seen: ManyHistories, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Each user's `count` best by the blend, ties by row, and their scores: both [n, count].

        `NO_ROW` where there are no more.
        """
        following = self._following(users)
        rows = self._proposed(users, seen, following, at_least=count)
        real = np.where(rows == NO_ROW, rows[:, -1:], rows)  # the last once more in place of none: no extreme changes
        scores = self._blended(users, real, following)
        scores[rows == NO_ROW] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]  # rows ascend
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1).astype(np.float32)

    def _following(self, users: NDArray[np.int64]) -> ManyTransitions | None:
        artifact = self._artifact
        if artifact.transitions is None:
            return None
        return ManyTransitions(artifact.transitions, artifact.history, users, n_items=artifact.manifest.item_count)

    def _proposed(
        self, users: NDArray[np.int64], seen: ManyHistories, following: ManyTransitions | None, *, at_least: int
    ) -> NDArray[np.int64]:
        """Each user's candidates, ascending, each once: int64 [n, k ≥ at_least], `NO_ROW` elsewhere."""
        of_index = best_unseen(users, self._personal, self._items, seen, count=max(self._candidates, at_least))
        popular = best_unseen(users, self._popular, self._items, seen, count=self._counts.popular)
        proposed = [of_index, popular]
        if following is not None:
            may_get = following.are_none_of(seen.pairs) & self._items.rows.has(following.rows)
            proposed.append(following.best(may_get, self._counts.transitions))
        rows = np.sort(np.concatenate(proposed, axis=1), axis=1)
        rows[:, :-1][rows[:, :-1] == rows[:, 1:]] = NO_ROW  # the last of equal ones stays, and so does the last of all
        return rows

    def _blended(
        self, users: NDArray[np.int64], rows: NDArray[np.int64], following: ManyTransitions | None
    ) -> NDArray[np.float64]:
        artifact, info = self._artifact, self._artifact.manifest.blend
        return blend(
            personal=self._personal_scores(users, rows),
            popularity=log_popularity(artifact.popularity[rows]),
            recency=decayed_recency(artifact.first_seen[rows], half_life_days=info.recency_half_life_days),
            transitions=np.zeros(rows.shape, np.float32) if following is None else following.of(rows),
            weights=info.weights,
        )

    def _personal_scores(self, users: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """As the reranker has them: worked out in double precision. float32 [n, k]."""
        dim = self._artifact.manifest.dim
        at_once = max(_MOST_VALUES // max(rows.shape[1] * dim, 1), 1)
        parts = [
            self._personal.scores(users[start : start + at_once], rows[start : start + at_once], precision=np.float64)
            for start in range(0, len(users), at_once)
        ]
        return np.concatenate(parts)
