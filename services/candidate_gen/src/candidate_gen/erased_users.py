"""Users who asked to be forgotten: a version trained before still holds them, and nobody is told."""

from recsys.feature_store.follower import LiveState
from recsys.ids import user_hash


def is_erased(live: LiveState, user_id: str) -> bool:
    """Whether a user asked to be forgotten. What they did since is in their live events, not in a version."""
    erased = live.erased
    return bool(erased) and user_hash(user_id) in erased
