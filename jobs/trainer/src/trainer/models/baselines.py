"""What a personal model must beat: the same popular items for everybody."""

import numpy as np
from numpy.typing import NDArray

from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions


def fit(known: Interactions) -> Embeddings:
    """Everybody's score of an item is its count of users of all time."""
    users = np.bincount(known.weights.indices, minlength=len(known.item_ids)).astype(np.float32)
    return popularity(users, n_users=len(known.user_ids))


def popularity(item_users: NDArray[np.float32], *, n_users: int) -> Embeddings:
    """Everybody's score of an item is its count of users, float32 [n_items]: embeddings of dimension 1."""
    return Embeddings(user=np.ones((n_users, 1), np.float32), item=item_users[:, None].astype(np.float32))
