"""A user whom a training knew, wherever that stands: in the version, or packed in the request by the feature store.

An id comes in; a row of a history goes out, with the trained vector where the version has one. Without erased users.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.history import History
from recsys.artifact.packed_history import unpacked
from recsys.artifact.reader import Artifact
from recsys.feature_store.follower import LiveState
from recsys.ids import user_hash


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user, and what they did up to a place in the stream."""

    history: History
    row: int  # of the user in it
    vector: NDArray[np.float32] | None  # as trained, float32 [dim]; none: it is folded in from the history
    up_to_sequence: int  # events of the stream up to here are in the history


def known_user(
    artifact: Artifact,
    live: LiveState,
    user_id: str,
    *,
    packed: str = "",
    erased_sequence: int = 0,
    row_of: Callable[[str], int | None] | None = None,
) -> KnownUser | None:
    """A user of the version; of one that holds no users, whoever has a `packed` history. None for anybody else.

    `erased_sequence`: place in the stream of an erasure that a caller knows of, perhaps before it is followed here.
    `row_of` finds the rows of the version's items, where the caller has a quicker way.

    Raises: OtherReleaseError (of the packed history).
    """
    if artifact.manifest.holds_users:
        row, sequence = artifact.users.row_of(user_id), artifact.manifest.stream_sequence
        user = None if row is None else KnownUser(artifact.history, row, artifact.user_embeddings[row], sequence)
    elif packed:
        found = unpacked(packed, row_of=row_of or artifact.items.row_of, event_types=artifact.manifest.event_types)
        user = KnownUser(found.history, 0, None, found.stream_sequence)
    else:
        user = None
    if user is None or is_erased(live, user_id, after_sequence=user.up_to_sequence, told=erased_sequence):
        return None
    return user


def is_erased(live: LiveState, user_id: str, *, after_sequence: int, told: int = 0) -> bool:
    """Whether a user asked after this place in the stream to be forgotten."""
    erased = live.erased
    followed = erased.get(user_hash(user_id), 0) if erased else 0
    return max(told, followed) > after_sequence
