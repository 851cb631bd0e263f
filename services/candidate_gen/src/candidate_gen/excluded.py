"""What one request excludes from its answers: what it names, the cart, and what the user has seen."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.known_user import KnownUser
from recsys.artifact.history import type_set
from recsys.shop.events import PURCHASE

NO_ROWS: Final[NDArray[np.int64]] = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What counts as seen."""

    is_included: bool = False  # a seen item may be an answer all the same
    event_types: Sequence[str] = ()  # only by events of these types; empty: of any
    item_ids: Sequence[str] = ()  # seen since the version was trained


NOT_SEEN: Final = Seen()


@dataclass(frozen=True, slots=True)
class Excluded:
    """Rows of `EligibleItems`, which may repeat."""

    named: NDArray[np.int64]  # by the request, or in the cart
    seen: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.int64]:
        """All of them."""
        return np.concatenate([self.named, self.seen]) if len(self.named) else self.seen


def rows_of(item_ids: Iterable[str], find: Callable[[str], int | None]) -> NDArray[np.int64]:
    """The rows of those ids that `find` knows."""
    rows = [row for item_id in item_ids if (row := find(item_id)) is not None]
    return np.array(rows, np.int64) if rows else NO_ROWS


def seen_in_training(
    user: KnownUser, event_types: Sequence[str], *, returned: NDArray[np.int64] = NO_ROWS
) -> NDArray[np.int64]:
    """Rows of what a user has seen by events of these types; of any type where none is named.

    `returned` are rows whose purchases were all taken back since: they count by their other events only.
    """
    history = user.history
    part = history.part(user.row)
    rows = history.items[part]
    if not event_types and not len(returned):
        return rows.astype(np.int64)
    is_returned = np.isin(rows, returned)
    types = history.type_sets[part]
    types = np.where(is_returned, types & ~type_set([PURCHASE], history.event_types), types)
    wanted = (types & type_set(event_types, history.event_types)) != 0 if event_types else (types != 0) | ~is_returned
    seen: NDArray[np.int64] = rows[wanted].astype(np.int64)
    return seen
