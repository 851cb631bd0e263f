"""What many users have seen, as one sorted array of pairs, to be asked about many items at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.history import History, type_set


class ManyHistories:
    """The items that each of some users has seen by events of some types; of any type where none is named."""

    def __init__(self, history: History, users: NDArray[np.int64], event_types: Sequence[str], *, n_items: int) -> None:
        """`users` is int64 [n], rows of the version's users."""
        self._n_items = n_items
        starts, sizes = history.indptr[users], history.indptr[users + 1] - history.indptr[users]
        ends = np.cumsum(sizes)
        at = np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)
        owners = np.repeat(np.arange(len(users)), sizes)
        if event_types:
            wanted = (history.type_sets[at] & type_set(event_types, history.event_types)) != 0
            at, owners = at[wanted], owners[wanted]
        self.longest = int(np.bincount(owners).max(initial=0))
        self.pairs: NDArray[np.int64] = np.sort(owners * n_items + history.items[at])
        """Place of the user × number of items + row of each item that a user has seen, ascending."""

    def have(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which items each user has seen: bool [n, k] for rows of items, int64 [n, k]; negative rows are no items."""
        if len(self.pairs) == 0:
            return np.zeros(rows.shape, np.bool_)
        asked = np.arange(len(rows))[:, np.newaxis] * self._n_items + rows
        places = np.searchsorted(self.pairs, asked).clip(max=len(self.pairs) - 1)
        return np.asarray((self.pairs[places] == asked) & (rows >= 0))

    def of(self, place: int) -> NDArray[np.int64]:
        """The rows of the items that the user at this place has seen, ascending."""
        first, last = np.searchsorted(self.pairs, [place * self._n_items, (place + 1) * self._n_items])
        return self.pairs[first:last] - place * self._n_items
