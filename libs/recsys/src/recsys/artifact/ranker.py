"""A ranker that learned: what its trees add to the blend's scores, out of the features of an answer's candidates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.manifest import RankerInfo
from recsys.blend import scaled
from recsys.ranking_features import features
from recsys.trees import Trees


@dataclass(frozen=True, eq=False)
class Ranker:
    """Score = base_weight × blend from 0 to 1 over the candidates + trees."""

    info: RankerInfo
    trees: Trees
    items: NDArray[np.float32]  # [n_items, len(ITEM_FEATURES)]

    def ranked(
        self,
        *,
        blended: NDArray[np.floating],
        personal: NDArray[np.floating],
        transitions: NDArray[np.floating],
        items: NDArray[np.float32],
    ) -> "RankedByTrees":
        """Of one answer's candidates: arguments as of `recsys.ranking_features.features`."""
        found = features(blended=blended, personal=personal, transitions=transitions, items=items)
        base = scaled(blended) * self.info.base_weight
        return RankedByTrees(found, base + self.trees.scores(found))


@dataclass(frozen=True)
class RankedByTrees:
    """The candidates of one answer."""

    features: NDArray[np.float32]  # [n, len(FEATURES)]
    scores: NDArray[np.float64]  # [n]
