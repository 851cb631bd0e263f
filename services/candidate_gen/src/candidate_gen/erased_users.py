"""Users who asked to be forgotten: a version trained before still holds them, and nobody is told."""

from recsys.feature_store.follower import LiveState
from recsys.ids import user_hash


def is_erased(live: LiveState, user_id: str, *, trained_up_to: int, told: int = 0) -> bool:
    """Whether a version, trained on the stream up to `trained_up_to`, holds what a user asked to be forgotten.

    What a version says that was trained later is of what they did since. `told` is the place in the stream of an
    erasure that a caller knows of, perhaps before it is followed here; 0: of none.
    """
    erased = live.erased
    return max(told, erased.get(user_hash(user_id), 0) if erased else 0) > trained_up_to
