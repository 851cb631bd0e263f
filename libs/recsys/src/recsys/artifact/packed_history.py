"""A user's history as text, for the feature store: it names items by id, so that every version can read it.

The trainer packs what it was trained on; candidate_gen unpacks it into the rows of the version that answers.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.history import TYPES_IN_A_SET, History
from recsys.errors import OtherReleaseError

_FORMAT: Final = 1
_pack: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True)
class UnpackedHistory:
    """The history of one user, the only row of `history`."""

    history: History
    stream_sequence: int  # events of the stream up to here are in it


def packed_histories(history: History, item_ids: list[str], *, stream_sequence: int) -> Iterator[str]:
    """The text of every user's history, in their order: place in the stream, event types, and a column each."""
    for row in range(len(history.indptr) - 1):
        part = history.part(row)
        columns = (history.times, history.types, history.weights, history.type_sets)
        ids = [item_ids[item] for item in history.items[part].tolist()]
        yield _pack(
            [_FORMAT, stream_sequence, history.event_types, ids, *(column[part].tolist() for column in columns)]
        )


def unpacked(text: str, *, row_of: Callable[[str], int | None], event_types: list[str]) -> UnpackedHistory:
    """The history of a text, in the rows and event types of a version; items that it lacks drop out.

    Raises: OtherReleaseError (it was written by a later release).
    """
    form, sequence, *rest = json.loads(text)
    if form != _FORMAT:
        raise OtherReleaseError(
            f"history: expected one of format {_FORMAT}, found format {form}: update the services before the trainer"
        )
    own_types, ids, times, types, weights, type_sets = rest
    found = [row_of(item_id) for item_id in ids]
    rows = np.array([-1 if row is None else row for row in found], np.int32)
    known = rows >= 0
    codes, sets = np.array(types, np.uint8), np.array(type_sets, np.uint32)
    if own_types != event_types:
        codes, sets, event_types = _translated(codes, sets, own_types=own_types, event_types=event_types)
    history = History(
        indptr=np.array([0, np.count_nonzero(known)], np.int64),
        items=rows[known],
        times=np.array(times, np.int64)[known],
        types=codes[known],
        weights=np.array(weights, np.float32)[known],
        type_sets=sets[known],
        event_types=event_types,
    )
    return UnpackedHistory(history, sequence)


def _translated(
    codes: NDArray[np.uint8], sets: NDArray[np.uint32], *, own_types: list[str], event_types: list[str]
) -> tuple[NDArray[np.uint8], NDArray[np.uint32], list[str]]:
    """Codes and sets of the version's event types; types that it lacks come after its own."""
    all_types = [*event_types, *(name for name in own_types if name not in event_types)]
    place = [all_types.index(name) for name in own_types]
    translated = np.zeros_like(sets)
    for bit, to in enumerate(place[:TYPES_IN_A_SET]):
        if to < TYPES_IN_A_SET:
            translated |= np.where(sets & np.uint32(1 << bit), np.uint32(1 << to), np.uint32(0))
    return np.array(place, np.uint8)[codes], translated, all_types
