"""Look-ups of users in one artifact version: what a user has seen, and which users there are. Without erased ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from candidate_gen.known_user import is_erased, known_user
from recsys.artifact.reader import Artifact
from recsys.errors import InvalidArgumentError
from recsys.feature_store.follower import LiveState


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
    stream_sequence: int  # events of the stream up to here are in it


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


def history(
    artifact: Artifact,
    live: LiveState,
    user_id: str,
    *,
    count: int,
    live_item_ids: Iterable[str] = (),
    packed: str = "",
) -> UserHistory | None:
    """What a user has seen, most recent first; none for a user that is not known, see `known_user`."""
    user = known_user(artifact, live, user_id, packed=packed)
    if user is None:
        return None
    items = [
        SeenItem(artifact.items.id_of(entry.item_row), entry.event_type, entry.unix_s)
        for entry in user.history.entries(user.row, count)
    ]
    trained = set(user.history.rows(user.row).tolist())
    known = sum(artifact.items.row_of(item_id) in trained for item_id in set(live_item_ids))
    return UserHistory(
        items=items,
        total=user.history.size(user.row),
        known_live_items=known,
        stream_sequence=user.up_to_sequence,
    )


def page(artifact: Artifact, live: LiveState, *, prefix: str, after_user_id: str, page_size: int) -> UserPage:
    """The first users whose id starts with `prefix` and is greater than `after_user_id`; both may be empty.

    Raises: InvalidArgumentError (the version holds no users).
    """
    expect_users(artifact)
    sequence = artifact.manifest.stream_sequence
    first = artifact.users.first_row_from(prefix)
    if after_user_id:
        first = max(first, artifact.users.first_row_after(after_user_id))
    users: list[User] = []
    for row in range(first, len(artifact.users)):
        user_id = artifact.users.id_of(row)
        if not user_id.startswith(prefix):
            break  # ids that share a prefix stand together
        if is_erased(live, user_id, after_sequence=sequence):
            continue
        if len(users) == page_size:
            return UserPage(users=users, has_more=True)
        users.append(User(user_id=user_id, history_size=artifact.history.size(row)))
    return UserPage(users=users, has_more=False)


def expect_users(artifact: Artifact) -> None:
    """Raises: InvalidArgumentError (the version holds no users)."""
    if not artifact.manifest.holds_users:
        raise InvalidArgumentError(
            f"users: expected a version that holds its users, found {artifact.manifest.version!r}, whose users are in "
            "the feature store, which lists nobody; train with TRAINER_USERS_IN=artifact"
        )
