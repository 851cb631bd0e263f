"""What every embedding model hands on: one vector a user, one vector an item, and their dot product as the score."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_USERS_AT_ONCE = 256  # blocks bound what is gathered


class Scorer(Protocol):
    """Anything that can score every item for some users: an embedding model, or a baseline that has no vectors."""

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of all items, higher is better: float32 [len(user_rows), n_items]."""
        ...


@dataclass(frozen=True)
class Embeddings:
    """Vectors of all users and items of one `Interactions`; the score of a pair is their dot product."""

    user: NDArray[np.float32]  # [n_users, dim], C-order
    item: NDArray[np.float32]  # [n_items, dim], C-order

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of all items: float32 [len(user_rows), n_items]."""
        return self.user[user_rows] @ self.item.T

    def pair_scores(self, user_rows: NDArray[np.int64], items: NDArray[np.int32]) -> NDArray[np.float32]:
        """Scores of some items of each user, rows in `items` [len(user_rows), n]: float32, of that shape."""
        scores = np.empty(items.shape, np.float32)
        for start in range(0, len(items), _USERS_AT_ONCE):
            block = slice(start, start + _USERS_AT_ONCE)
            scores[block] = np.einsum("ud,ukd->uk", self.user[user_rows[block]], self.item[items[block]])
        return scores
