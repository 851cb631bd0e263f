"""What a learned ranker knows of the candidates of one answer: their values in, a row of features for each out.

The trainer learns from the very function that the reranker ranks with. Scores of a model change their scale from one
training to the next, so they enter by their place between the answer's lowest and highest, and by their rank.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.blend import scaled

ITEM_FEATURES: Final = (
    "users_ever",
    "users_90_days",
    "users_30_days",
    "users_7_days",
    "change_30_to_90_days",
    "change_7_to_30_days",
    "age_days",
    "days_since_last_event",
)
"""Of an item, whoever asks: counted by the trainer, kept in the version."""

LIST_FEATURES: Final = (
    "blend",
    "blend_rank",
    "personal",
    "personal_rank",
    "transitions",
    "transitions_rank",
    "transitions_count",  # of candidates that the history leads to: the same for all of an answer
    *(f"item_{name}" for name in ITEM_FEATURES),
)
"""What every ranker learns from."""

CATEGORY_FEATURES: Final = (
    "user_category_share",  # of the history's items, those of the candidate's category
    "user_category_days",  # since the last event with one of them
)
PRICE_FEATURES: Final = ("user_price_ratio",)  # log(price / the history's usual price); 0: one of them is not known
USER_FEATURES: Final = ("user_days_since_last_event",)  # the same for all of an answer
OF_TASTE: Final = (CATEGORY_FEATURES, PRICE_FEATURES, USER_FEATURES)
"""What a ranker learns from too, each where its shop has the facts."""

FEATURES: Final = (*LIST_FEATURES, *CATEGORY_FEATURES, *PRICE_FEATURES, *USER_FEATURES)
"""All that this release knows, in the order of columns."""

HISTORY_ITEMS: Final = 50
"""So many items of a history say what a user's taste is, the most recent ones."""

_DAY_S: Final = 86_400
_NEVER_DAYS: Final = 100_000  # ago, of a category that the history does not have


@dataclass(frozen=True, slots=True)
class TakenUp:
    """The last items of a history, each once, most recent first; at most HISTORY_ITEMS."""

    rows: NDArray[np.int64]  # [n] of the version
    times: NDArray[np.int64]  # [n] Unix seconds of the last event with each


NOTHING_TAKEN_UP: Final = TakenUp(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a taste is about: of every item of the version."""

    categories: NDArray[np.int32]  # [n_items] codes; -1: none
    prices: NDArray[np.float64]  # [n_items]; NaN: none


def features(
    *,
    blended: NDArray[np.floating],
    personal: NDArray[np.floating],
    transitions: NDArray[np.floating],
    items: NDArray[np.float32],
    taste: NDArray[np.float32],
) -> NDArray[np.float32]:
    """float32 [n, len(LIST_FEATURES) + any].

    Args:
        blended: [n] score of the blend.
        personal: [n] how well each fits.
        transitions: [n] how much the history leads to each; 0 where nothing does.
        items: [n, len(ITEM_FEATURES)].
        taste: [n, any], as `of_taste` has it.
    """
    found = np.empty((len(items), len(LIST_FEATURES) + taste.shape[1]), np.float32, order="F")  # columns are read whole
    for column, values in ((0, blended), (2, personal), (4, transitions)):
        found[:, column] = scaled(values)
        found[:, column + 1] = _ranks(values)
    found[:, 6] = np.count_nonzero(transitions)
    found[:, 7 : len(LIST_FEATURES)] = items
    found[:, len(LIST_FEATURES) :] = taste
    return found


def of_taste(
    names: Sequence[str], rows: NDArray[np.integer], *, history: TakenUp, shelf: Shelf, now: int
) -> NDArray[np.float32]:
    """What a user's history says of items: float32 [len(rows), len(names)].

    Args:
        names: whole groups of `OF_TASTE`.
        rows: of the items.
        now: Unix seconds of the last event that the version knows; an event after it is one of now.
    """
    found = np.zeros((len(rows), len(names)), np.float32, order="F")
    if not names:
        return found
    now = max(now, int(history.times.max(initial=0)))
    columns = dict(zip(names, found.T, strict=True))
    if CATEGORY_FEATURES[0] in columns:
        share, days = _by_category(shelf.categories, rows, history, now)
        columns[CATEGORY_FEATURES[0]][:], columns[CATEGORY_FEATURES[1]][:] = share, days
    if PRICE_FEATURES[0] in columns:
        columns[PRICE_FEATURES[0]][:] = _price_ratio(shelf.prices, rows, history)
    if USER_FEATURES[0] in columns:
        last = history.times.max(initial=0)
        columns[USER_FEATURES[0]][:] = (now - last) / _DAY_S if last else _NEVER_DAYS
    return found


def _by_category(
    categories: NDArray[np.int32], rows: NDArray[np.integer], history: TakenUp, now: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of each item's category among the history's items, and days since its last event: float64 [n] each."""
    asked, taken = categories[rows], categories[history.rows]
    n_codes = int(max(asked.max(initial=-1), taken.max(initial=-1))) + 2  # the first stands for none
    counts = np.bincount(taken + 1, minlength=n_codes)
    last = np.zeros(n_codes)
    np.maximum.at(last, taken + 1, history.times)
    counts[0] = last[0] = 0
    share = counts / max(len(taken), 1)
    days = np.where(last > 0, (now - last) / _DAY_S, _NEVER_DAYS)
    return share[asked + 1], days[asked + 1]


def _price_ratio(
    prices: NDArray[np.float64], rows: NDArray[np.integer], history: TakenUp
) -> NDArray[np.float64] | float:
    """The logarithm of each item's price over the median of the history's: float64 [n], or one for all."""
    taken = prices[history.rows]
    taken = np.sort(taken[taken > 0])  # NaN is not
    if not len(taken):
        return 0.0
    usual = float(taken[len(taken) // 2])
    asked = prices[rows]
    return np.log(np.where(asked > 0, asked, usual) / usual)


def _ranks(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """How many of the others are higher: [n]."""
    return len(values) - np.searchsorted(np.sort(values), values, side="right")
