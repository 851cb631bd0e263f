"""Following the season: item vectors of any model in, the same scaled by how much of their demand is recent out."""

import numpy as np
from numpy.typing import NDArray

from trainer.interactions import Interactions
from trainer.models.embeddings import Embeddings

_SECONDS_PER_DAY = 86_400


def users_per_item(interactions: Interactions, *, window_days: float | None = None) -> NDArray[np.int64]:
    """Users of each item, of all time, or whose last event with it is less than a window before the newest event.

    Returns:
        int64 [n_items].
    """
    items, last_seen = interactions.weights.indices, interactions.last_seen
    if window_days is not None and last_seen.size:
        items = items[last_seen > last_seen.max() - window_days * _SECONDS_PER_DAY]
    return np.bincount(items, minlength=interactions.weights.shape[1]).astype(np.int64)


def scale(
    embeddings: Embeddings,
    *,
    recent_users: NDArray[np.int64],
    all_users: NDArray[np.int64],
    strength: float,
    prior: float = 10.0,
) -> Embeddings:
    """Item vectors × ((recent_users + 1) / (all_users + prior))^strength; the score stays one dot product.

    Args:
        embeddings: of any model.
        recent_users: int64 [n_items], users in the recent window (`users_per_item`).
        all_users: int64 [n_items], users of all time.
        strength: 0 leaves everything as it is; chosen by validation.
        prior: users that a new item is imagined to have had, so that one purchase does not make a trend.
    """
    factor = ((recent_users + 1) / (all_users + prior)) ** strength
    return Embeddings(user=embeddings.user, item=embeddings.item * factor.astype(np.float32)[:, None])
