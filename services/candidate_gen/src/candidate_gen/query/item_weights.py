"""What somebody did, item by item: the history that the version was trained on, and what happened since.

A removal takes back the item's latest purchase, as in training; an item of which nothing is left drops out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys.shop.events import PURCHASE, REMOVE

_DUST: Final = 1e-6  # what rounding leaves of a weight that was taken back


class LiveEvent(Protocol):
    """An event of the feature store; the wire's message is one."""

    @property
    def item_id(self) -> str: ...
    @property
    def event_type(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def unix_s(self) -> int: ...


@dataclass(frozen=True)
class ItemWeights:
    """Items and their summed event weights, each item once, most recent first."""

    rows: NDArray[np.int64]  # [n]
    weights: NDArray[np.float64]  # [n] > 0
    times: NDArray[np.int64]  # [n] Unix seconds of the last event with the item


NO_WEIGHTS: Final = ItemWeights(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


@dataclass(frozen=True)
class TrainedHistory:
    """A user's part of the artifact's history, most recent first."""

    rows: NDArray[np.int64]  # [n]
    weights: NDArray[np.float64]  # [n]
    times: NDArray[np.int64]  # [n] Unix seconds of the pair's last event
    purchased: NDArray[np.bool_]  # [n] the pair has a purchase
    others: NDArray[np.float64]  # [n] what one event of each other type that the pair has adds


NO_HISTORY: Final = TrainedHistory(
    NO_WEIGHTS.rows, NO_WEIGHTS.weights, NO_WEIGHTS.times, np.empty(0, np.bool_), np.empty(0)
)


@dataclass(frozen=True)
class EventWeights:
    """What an event of each type adds: of the version's training."""

    of_type: Mapping[str, float]

    @property
    def purchase(self) -> float:
        """Of a purchase; where the shop knows none, what its strongest type adds."""
        return self.of_type.get(PURCHASE, max(self.of_type.values(), default=0.0))


@dataclass(frozen=True)
class Act:
    """One thing that somebody did with an item that the version knows."""

    row: int
    event_type: str
    unix_s: int  # 0: just now, after everything else


def acts_since(
    events: Sequence[LiveEvent],
    basket_item_ids: Sequence[str],
    *,
    after_sequence: int,
    row_of: Callable[[str], int | None],
    weights: EventWeights,
) -> list[Act]:
    """What changes the history, most recent first: a cart, as if just bought, and events later than `after_sequence`.

    Items that the version does not know, and types without weight, change nothing.
    """
    counts = [
        (event.item_id, event.event_type, event.unix_s)
        for event in events
        if event.sequence > after_sequence
        and (event.event_type == REMOVE or weights.of_type.get(event.event_type, 0) > 0)
    ]
    named = [*((item_id, PURCHASE, 0) for item_id in basket_item_ids), *counts]
    return [
        Act(row, event_type, unix_s) for item_id, event_type, unix_s in named if (row := row_of(item_id)) is not None
    ]


def together(trained: TrainedHistory, live: Sequence[Act], weights: EventWeights) -> ItemWeights:
    """The trained history and what came after it; `live` is most recent first."""
    if not live:
        return ItemWeights(rows=trained.rows, weights=trained.weights, times=trained.times)
    recent = np.fromiter(dict.fromkeys(item.row for item in live), np.int64)
    summed, purchases, is_older = _starting_point(trained, recent, weights)
    _replay(live, summed, purchases, weights=weights)
    rows = np.concatenate([recent, trained.rows[is_older]])
    values = np.concatenate(
        [np.fromiter((summed[row] for row in recent.tolist()), np.float64), trained.weights[is_older]]
    )
    times = np.concatenate([_last_times(trained, ~is_older, live, recent), trained.times[is_older]])
    left = values > _DUST
    return ItemWeights(rows=rows[left], weights=values[left], times=times[left])


def _last_times(
    trained: TrainedHistory, again: NDArray[np.bool_], live: Sequence[Act], recent: NDArray[np.int64]
) -> NDArray[np.int64]:
    """When each of the recent rows was last taken up: int64 [n]. A removal takes up nothing.

    `again` says which trained pairs are of recent rows.
    """
    taken = [act for act in live if act.event_type != REMOVE]
    now = max(int(trained.times.max(initial=0)), max((act.unix_s for act in taken), default=0)) + 1
    last = dict(zip(trained.rows[again].tolist(), trained.times[again].tolist(), strict=True))
    for act in taken:
        last[act.row] = max(last.get(act.row, 0), act.unix_s or now)
    return np.fromiter((last.get(row, 0) for row in recent.tolist()), np.int64, len(recent))


def all_returned(trained: TrainedHistory, live: Sequence[Act], weights: EventWeights) -> NDArray[np.int64]:
    """Rows that were bought in the trained history, and of which removals took back every purchase since: [n]."""
    recent = np.fromiter(dict.fromkeys(item.row for item in live), np.int64)
    summed, purchases, _ = _starting_point(trained, recent, weights)
    bought = [row for row, count in purchases.items() if count > 0]
    _replay(live, summed, purchases, weights=weights)
    return np.array([row for row in bought if purchases[row] == 0], np.int64)


def _replay(live: Sequence[Act], summed: dict[int, float], purchases: dict[int, int], *, weights: EventWeights) -> None:
    """Bring weights and purchases, by row, from their starting point to what they are after `live`."""
    for item in reversed(live):
        if item.event_type == PURCHASE:
            summed[item.row] += weights.purchase
            purchases[item.row] += 1
        elif item.event_type != REMOVE:
            summed[item.row] += weights.of_type[item.event_type]
        elif purchases[item.row] > 0:
            summed[item.row] = max(summed[item.row] - weights.purchase, 0)
            purchases[item.row] -= 1


def _starting_point(
    trained: TrainedHistory, recent: NDArray[np.int64], weights: EventWeights
) -> tuple[dict[int, float], dict[int, int], NDArray[np.bool_]]:
    """Of the recent rows, what training knew: weights, purchases; and which trained pairs nothing happened to.

    A version does not say how many purchases a pair has: as many as its weight has room for beside the other types.
    """
    summed, purchases = dict.fromkeys(recent.tolist(), 0.0), dict.fromkeys(recent.tolist(), 0)
    ordered = np.sort(recent)
    is_older = ordered.take(np.searchsorted(ordered, trained.rows), mode="clip") != trained.rows
    for at in np.flatnonzero(~is_older).tolist():
        row, weight = int(trained.rows[at]), float(trained.weights[at])
        summed[row] = weight
        if trained.purchased[at] and weights.purchase > 0:
            purchases[row] = max(int((weight - trained.others[at]) / weights.purchase + _DUST), 1)
    return summed, purchases, is_older
