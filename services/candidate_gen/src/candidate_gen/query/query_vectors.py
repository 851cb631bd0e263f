"""What the index of items is asked with: a user's trained embedding, or a vector folded in from what they did.

A user of the version and what happened since come in; a vector, where it comes from, and what it is made of go out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from candidate_gen.known_user import KnownUser
from candidate_gen.query import fold_in
from candidate_gen.query.item_weights import (
    NO_HISTORY,
    NO_WEIGHTS,
    EventWeights,
    ItemWeights,
    LiveEvent,
    TrainedHistory,
    acts_since,
    all_returned,
    together,
)
from recsys.artifact.history import TYPES_IN_A_SET, type_set
from recsys.artifact.reader import Artifact
from recsys.shop.events import PURCHASE, REMOVE

_BEFORE_ALL = -1  # sequences are 0 or more


class VectorOrigin(IntEnum):
    """Where a query vector comes from; numbered as on the wire."""

    NONE = 1
    TRAINED = 2
    FOLDED_IN = 3


@dataclass(frozen=True)
class QueryVector:
    """A vector, float32 [dim], zeros for `NONE`; and what is known of its owner's history."""

    vector: NDArray[np.float32]
    origin: VectorOrigin
    history: ItemWeights


class QueryVectors:
    """The users of one version, and its fold-in."""

    def __init__(self, artifact: Artifact, *, row_of: Callable[[str], int | None]) -> None:
        """`row_of` finds the rows of the version's items."""
        self._fold_in = artifact.fold_in
        ranker = artifact.ranker
        self._needs_history = artifact.transitions is not None or (ranker is not None and bool(ranker.of_user))
        self._row_of = row_of
        self._items = artifact.item_embeddings
        self._weights = EventWeights(artifact.manifest.training.event_weights)
        self._nobody = np.zeros(artifact.manifest.dim, np.float32)
        types = artifact.manifest.event_types
        self._purchase_bit = type_set([PURCHASE], types)
        of_type = self._weights.of_type
        self._others = [
            (type_set([name], types), of_type.get(name, 0.0)) for name in types[:TYPES_IN_A_SET] if name != PURCHASE
        ]

    def of(
        self, user: KnownUser | None, *, events: Sequence[LiveEvent], basket_item_ids: Sequence[str], explain: bool
    ) -> QueryVector:
        """The vector of a user (none: nobody that is known) after what they did live.

        Events up to the history's place in the stream are part of it already. Without later ones and without a cart,
        the embedding stays as trained, where the version has it; so it does in a version without fold-in.
        Only with `explain`, or for transitions or a ranker, is the history of a trained vector looked up.
        """
        live = acts_since(
            events,
            basket_item_ids,
            after_sequence=_BEFORE_ALL if user is None else user.up_to_sequence,
            row_of=self._row_of,
            weights=self._weights,
        )
        trained = self._nobody if user is None else user.vector
        if self._fold_in is not None and (live or trained is None):
            history = together(self._trained(user), live, self._weights)
            return _query(fold_in.vector(self._fold_in, self._items, history), VectorOrigin.FOLDED_IN, history)
        history = NO_WEIGHTS
        if explain or self._needs_history:
            history = together(self._trained(user), live, self._weights)
        return _query(self._nobody if trained is None else trained, VectorOrigin.TRAINED, history)

    def returned(self, user: KnownUser, events: Sequence[LiveEvent]) -> NDArray[np.int64]:
        """Rows that a user had bought, and has returned since, every one of them."""
        if not any(event.event_type == REMOVE for event in events):
            return NO_HISTORY.rows
        live = acts_since(events, (), after_sequence=user.up_to_sequence, row_of=self._row_of, weights=self._weights)
        return all_returned(self._trained(user), live, self._weights) if live else NO_HISTORY.rows

    def contributions(self, query: QueryVector) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Items of the history, [n], and what each adds to the vector: float32 [n, dim], whose sum is the vector.

        Where training reached the vector another way than by the fold-in (LightGCN), or from more items than a
        fold-in takes, the difference is shared by all items alike.
        """
        if self._fold_in is None or query.origin is VectorOrigin.NONE:
            return NO_HISTORY.rows, np.empty((0, len(self._nobody)), np.float32)
        rows, parts = fold_in.contributions(self._fold_in, self._items, query.history)
        return rows, parts + (query.vector - parts.sum(axis=0)) / max(len(rows), 1)

    def _trained(self, user: KnownUser | None) -> TrainedHistory:
        if user is None:
            return NO_HISTORY
        history = user.history
        part = history.part(user.row)
        type_sets = history.type_sets[part]
        others = np.zeros(len(type_sets))
        for bit, weight in self._others:
            others += weight * ((type_sets & bit) != 0)
        return TrainedHistory(
            rows=history.items[part].astype(np.int64),
            weights=history.weights[part].astype(np.float64),
            times=history.times[part],
            purchased=(type_sets & self._purchase_bit) != 0,
            others=others,
        )


def _query(vector: NDArray[np.float32], origin: VectorOrigin, history: ItemWeights) -> QueryVector:
    # a fifth of the time of `vector.any()`
    return QueryVector(vector, origin if np.count_nonzero(vector) else VectorOrigin.NONE, history)
