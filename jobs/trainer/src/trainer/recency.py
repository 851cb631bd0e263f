"""Following the season: item vectors of any model in, the same scaled by how much of their demand is recent out."""

import numpy as np
from numpy.typing import NDArray

from trainer.models.embeddings import Embeddings


def scale(
    embeddings: Embeddings,
    *,
    recent_users: NDArray[np.float32],
    all_users: NDArray[np.float32],
    strength: float,
    prior: float = 10.0,
) -> Embeddings:
    """Item vectors × ((recent_users + 1) / (all_users + prior))^strength; the score stays one dot product.

    Args:
        embeddings: of any model.
        recent_users: float32 [n_items], users in the recent window (`Interactions.recent_users`).
        all_users: float32 [n_items], users of all time.
        strength: 0 leaves everything as it is; chosen by validation.
        prior: users that a new item is imagined to have had, so that one purchase does not make a trend.
    """
    factor = ((recent_users + 1) / (all_users + prior)) ** strength
    return Embeddings(user=embeddings.user, item=embeddings.item * factor.astype(np.float32)[:, None])
