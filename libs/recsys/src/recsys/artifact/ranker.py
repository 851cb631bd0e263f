"""A ranker that learned: what its trees add to the blend's scores, out of the features of an answer's candidates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.manifest import RankerInfo
from recsys.blend import scaled
from recsys.ranking_features import LIST_FEATURES, Shelf, TakenUp, features, of_taste
from recsys.trees import Trees


@dataclass(frozen=True, eq=False)
class Ranker:
    """Score = base_weight × blend from 0 to 1 over the candidates + trees."""

    info: RankerInfo
    trees: Trees
    items: NDArray[np.float32]  # [n_items, len(ITEM_FEATURES)]

    @property
    def of_user(self) -> list[str]:
        """The features that a user's history is needed for; none: it is not."""
        return self.info.features[len(LIST_FEATURES) :]

    def ranked(
        self,
        rows: NDArray[np.integer],
        *,
        blended: NDArray[np.floating],
        personal: NDArray[np.floating],
        transitions: NDArray[np.floating],
        history: TakenUp,
        shelf: Shelf,
    ) -> "RankedByTrees":
        """Of one answer's candidates, items of the version: the others as of `recsys.ranking_features`."""
        found = features(
            blended=blended,
            personal=personal,
            transitions=transitions,
            items=self.items[rows],
            taste=of_taste(self.of_user, rows, history=history, shelf=shelf, now=self.info.last_event_unix_s),
        )
        base = scaled(blended) * self.info.base_weight
        return RankedByTrees(found, base + self.trees.scores(found))


@dataclass(frozen=True)
class RankedByTrees:
    """The candidates of one answer."""

    features: NDArray[np.float32]  # [n, len(info.features)]
    scores: NDArray[np.float64]  # [n]

    def scores_of_others(self, others: NDArray[np.floating], *, blended: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scores of candidates that the trees know nothing of: each stands where the blend puts it among these.

        Args:
            others: [any] their score by the blend.
            blended: [n] that of these, on the same scale.
        """
        ascending = np.sort(blended)
        beyond = others - np.clip(others, ascending[0], ascending[-1])
        return np.asarray(np.interp(others, ascending, np.sort(self.scores)) + beyond, np.float64)
