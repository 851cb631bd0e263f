"""Look-ups of users in one artifact version: what a user has seen, and which users there are. Without erased ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from recsys.artifact.reader import Artifact
from recsys.feature_store.follower import LiveState
from recsys.ids import user_hash


@dataclass(frozen=True)
class SeenItem:
    """One item of a history, with the last event that put it there."""

    item_id: str
    event_type: str
    unix_s: int


@dataclass(frozen=True)
class UserHistory:
    """The most recent part of a history of `total` items."""

    items: list[SeenItem]
    total: int
    known_live_items: int  # of the items seen live, each once: how many are in it


@dataclass(frozen=True)
class User:
    """A user, and how many distinct items they have seen."""

    user_id: str
    history_size: int


@dataclass(frozen=True)
class UserPage:
    """Users by id, and whether more follow."""

    users: list[User]
    has_more: bool


def user_row_of(artifact: Artifact, live: LiveState, user_id: str, *, erased_sequence: int = 0) -> int | None:
    """The row of a user; none for one that the version does not know, or must have forgotten.

    `erased_sequence`: place in the stream of an erasure that a caller knows of, perhaps before it is followed here.
    """
    return None if _is_erased(artifact, live, user_id, erased_sequence) else artifact.users.row_of(user_id)


def _is_erased(artifact: Artifact, live: LiveState, user_id: str, told: int = 0) -> bool:
    """Whether the version holds what a user asked to be forgotten; of what they did since, it may have learnt."""
    erased = live.erased
    followed = erased.get(user_hash(user_id), 0) if erased else 0
    return max(told, followed) > artifact.manifest.stream_sequence


def history(
    artifact: Artifact, live: LiveState, user_id: str, *, count: int, live_item_ids: Iterable[str] = ()
) -> UserHistory | None:
    """What a user has seen, most recent first; none for a user that the version does not know."""
    row = user_row_of(artifact, live, user_id)
    if row is None:
        return None
    items = [
        SeenItem(artifact.items.id_of(entry.item_row), entry.event_type, entry.unix_s)
        for entry in artifact.history.entries(row, count)
    ]
    trained = set(artifact.history.rows(row).tolist())
    known = sum(artifact.items.row_of(item_id) in trained for item_id in set(live_item_ids))
    return UserHistory(items=items, total=artifact.history.size(row), known_live_items=known)


def page(artifact: Artifact, live: LiveState, *, prefix: str, after_user_id: str, page_size: int) -> UserPage:
    """The first users whose id starts with `prefix` and is greater than `after_user_id`; both may be empty."""
    first = artifact.users.first_row_from(prefix)
    if after_user_id:
        first = max(first, artifact.users.first_row_after(after_user_id))
    users: list[User] = []
    for row in range(first, len(artifact.users)):
        user_id = artifact.users.id_of(row)
        if not user_id.startswith(prefix):
            break  # ids that share a prefix stand together
        if _is_erased(artifact, live, user_id):
            continue
        if len(users) == page_size:
            return UserPage(users=users, has_more=True)
        users.append(User(user_id=user_id, history_size=artifact.history.size(row)))
    return UserPage(users=users, has_more=False)
