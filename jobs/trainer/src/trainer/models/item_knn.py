"""Item-based nearest neighbours (Sarwar et al. 2001), cosine, by `implicit`: the baseline that has no vectors."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import ItemItemRecommender
from numpy.typing import NDArray

from trainer.shop_data.interactions import Interactions
from trainer.threads import allowed


@dataclass(frozen=True)
class ItemKNN:
    """A `Scorer`: the score of an item is the sum of its similarities to the user's items, by their weights."""

    weights: sp.csr_matrix  # float32 [n_users, n_items]
    similarity: sp.csr_matrix  # float32 [n_items, n_items], the nearest neighbours of each item in its row

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of all items: float32 [len(user_rows), n_items]."""
        return np.asarray((self.weights[user_rows] @ self.similarity).toarray(), dtype=np.float32)


def fit(interactions: Interactions, *, neighbours: int = 200) -> ItemKNN:
    """Similarities of items; nothing is random.

    Users count alike, however long their histories: Recall@20 on Gowalla .1464, .1178 where they do not.
    """
    weights = interactions.weights
    by_user = _over_lengths(weights, np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr)))
    model = ItemItemRecommender(K=neighbours, num_threads=allowed())
    model.fit(_over_lengths(by_user, by_user.indices), show_progress=False)
    return ItemKNN(weights=weights, similarity=sp.csr_matrix(model.similarity, dtype=np.float32))


def _over_lengths(weights: sp.csr_matrix, of: NDArray[np.integer]) -> sp.csr_matrix:
    """The weights over the Euclidean length of their row or column, which `of` says for each stored one."""
    lengths = np.sqrt(np.bincount(of, weights=weights.data.astype(np.float64) ** 2))
    return sp.csr_matrix((weights.data / lengths[of], weights.indices, weights.indptr), weights.shape)
