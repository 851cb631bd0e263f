"""Users who asked to be forgotten: a version trained before still holds them, and nobody is told."""

from hashlib import sha256

from recsys.feature_store.follower import LiveState


def is_erased(live: LiveState, user_id: str) -> bool:
    """Whether a user asked to be forgotten. What they did since is in their live events, not in a version."""
    erased = live.erased
    return bool(erased) and sha256(user_id.encode()).hexdigest() in erased
