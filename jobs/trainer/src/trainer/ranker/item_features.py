"""What is known of each item, whoever asks: interactions in, `recsys.ranking_features.ITEM_FEATURES` out."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.ranking_features import ITEM_FEATURES
from trainer.shop_data.interactions import Interactions

_DAY_S: Final = 86_400
_WINDOWS_DAYS: Final = (90, 30, 7)
_NEVER_DAYS: Final = 100_000  # ago, of an item without an event: nothing is new or in demand about it


def of_items(known: Interactions) -> NDArray[np.float32]:
    """float32 [n_items, len(ITEM_FEATURES)]; the moment from which is counted back is that of the last event.

    Users as log(1 + users), changes as the logarithm of how many times more a day there were in the shorter window.
    """
    n_items, items = len(known.item_ids), known.weights.indices
    now = int(known.last_seen.max(initial=0))

    def users(days: float) -> NDArray[np.float64]:
        """Whose last event with an item is so new: [n_items]."""
        return np.bincount(items[known.last_seen > now - days * _DAY_S], minlength=n_items).astype(np.float64)

    ever = np.bincount(items, minlength=n_items)
    quarter, month, week = (users(days) for days in _WINDOWS_DAYS)
    last = np.zeros(n_items, np.int64)
    np.maximum.at(last, items, known.last_seen)
    columns = {
        "users_ever": np.log1p(ever),
        "users_90_days": np.log1p(quarter),
        "users_30_days": np.log1p(month),
        "users_7_days": np.log1p(week),
        "change_30_to_90_days": np.log1p(month) - np.log1p(quarter * 30 / 90),
        "change_7_to_30_days": np.log1p(week) - np.log1p(month * 7 / 30),
        "age_days": np.where(known.first_seen > 0, (now - known.first_seen) / _DAY_S, _NEVER_DAYS),
        "days_since_last_event": np.where(last > 0, (now - last) / _DAY_S, _NEVER_DAYS),
    }
    return np.stack([columns[name] for name in ITEM_FEATURES], axis=1).astype(np.float32)
