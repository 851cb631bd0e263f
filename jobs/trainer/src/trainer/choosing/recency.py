"""Following the season: how much of each item's demand is recent in, what to scale its vector by out."""

import numpy as np
from numpy.typing import NDArray

from trainer.models.embeddings import Embeddings


def factors(
    *,
    recent_users: NDArray[np.float32],
    all_users: NDArray[np.float32],
    strength: float,
    prior: float = 10.0,
) -> NDArray[np.float32]:
    """((recent_users + 1) / (all_users + prior))^strength of each item, above 0: float32 [n_items].

    Args:
        recent_users: float32 [n_items], users in the recent window (`Interactions.recent_users`).
        all_users: float32 [n_items], users of all time.
        strength: 0 leaves everything as it is; chosen by validation.
        prior: users that a new item is imagined to have had, so that one purchase does not make a trend.
    """
    return (((recent_users + 1) / (all_users + prior)) ** strength).astype(np.float32)


def scale(embeddings: Embeddings, factors: NDArray[np.float32]) -> Embeddings:
    """Item vectors × factors; the score stays one dot product. `embeddings` may be of any model."""
    return Embeddings(user=embeddings.user, item=embeddings.item * factors[:, None])
