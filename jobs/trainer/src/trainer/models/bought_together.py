"""What is bought together: baskets, each what one person bought on one day, and the items that share them.

`models/transitions.py` counts them, with baskets in place of the people who have items together. The power of
the target's sum is what keeps merely popular items down, and the shrinkage what keeps down pairs that a few baskets
made: a count c is taken as c² / (c + shrinkage).
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import product
from typing import Final

import numpy as np
import polars as pl

from recsys.artifact.manifest import TransitionsInfo
from recsys.shop.events import PURCHASE, REMOVE
from trainer.shop_data import interactions
from trainer.shop_data.interactions import Interactions

WORTH_TRYING: Final = tuple(
    TransitionsInfo(counted="together", user_exponent=of_basket, target_exponent=of_target, shrinkage=shrinkage)
    # every basket alike, or a large one less; from popular items' lead to a cosine and nearly a lift
    for of_basket, of_target, shrinkage in product((0.0, 0.5), (0.1, 0.3, 0.5, 0.8), (0.0, 3.0))
)
_MOST_PAIRS: Final = 10_000_000  # of items of one basket, which are counted for each of what is worth trying
_DAY: Final = "%Y-%m-%d"
_DAY_LENGTH: Final = len(" 2026-01-01")


def baskets(
    frame: pl.DataFrame, item_ids: Sequence[str], *, since: datetime | None = None, until: datetime | None = None
) -> Interactions:
    """What one person bought on one day (UTC) is a basket, and stands where elsewhere a user does.

    Args:
        frame: `LoadedEvents.frame`. What was taken back was not bought.
        item_ids: the columns, sorted; other items are left out.
        since, until: only events from the one on, and strictly before the other; with a time zone.
    """
    if until is not None:
        frame = frame.filter(pl.col("timestamp") < interactions.with_zone(until, "until"))
    kept, _ = interactions.without_taken_back(
        frame.filter(pl.col("event_type").cast(pl.String).is_in([PURCHASE, REMOVE]))
    )
    kept = kept.filter((pl.col("event_type").cast(pl.String) == PURCHASE) & (pl.col("share") > 0))
    kept = kept.filter(pl.col("item_id").is_in(list(item_ids)))
    if since is not None:
        kept = kept.filter(pl.col("timestamp") >= interactions.with_zone(since, "since"))
    of_a_day = pl.format("{} {}", "user_id", pl.col("timestamp").dt.strftime(_DAY))
    kept = kept.with_columns(user_id=of_a_day).select(frame.columns)
    return interactions.build(kept, weights={PURCHASE: 1.0}, catalogue_items=item_ids)


def newest(of_baskets: Interactions) -> Interactions:
    """The newest baskets with as many pairs of items as a choice may look at; all of them, where they have less."""
    indptr = of_baskets.weights.indptr
    pairs = np.diff(indptr).astype(np.int64) ** 2
    if pairs.sum() <= _MOST_PAIRS:
        return of_baskets
    times = np.maximum.reduceat(of_baskets.last_seen, indptr[:-1])
    order = np.argsort(-times, kind="stable")
    return of_baskets.of_users(np.sort(order[np.cumsum(pairs[order]) <= _MOST_PAIRS]))


def buyer(basket_id: str) -> str:
    """The user whose basket it is."""
    return basket_id[:-_DAY_LENGTH]
