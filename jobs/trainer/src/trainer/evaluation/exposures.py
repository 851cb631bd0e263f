"""Lists that were shown in a held-out window, and models fitted before it, in; what each model's order is worth out.

Of users whom the models know: nobody else has an order of their own. `off_policy` has the estimates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact.reports import AS_SERVED
from trainer.evaluation import off_policy, ranking
from trainer.evaluation.bootstrap import Interval
from trainer.evaluation.off_policy import Estimate, Log
from trainer.evaluation.split import Split
from trainer.models.embeddings import Scorer
from trainer.shop_data import served
from trainer.shop_data.interactions import Interactions

OUTCOMES: Final = ("clicked", "bought")


@dataclass(frozen=True, eq=False)
class Shown:
    """Lists of a window, and what their places earned."""

    user_rows: NDArray[np.int64]  # [n_lists] of train
    logs: Mapping[str, Log]  # by outcome


@dataclass(frozen=True)
class OffPolicy:
    """What was shown, and what orders would have earned a list."""

    lists: int
    explored_lists: int  # of which chance could have changed a place
    served: dict[str, Interval]  # by outcome
    orders: dict[str, dict[str, Estimate]]  # by name and outcome; empty where nothing was explored

    @property
    def reason(self) -> str:
        """Why nothing can be said of an order; empty: something can."""
        if self.explored_lists:
            return ""
        return "nothing was explored in these lists (GATEWAY_EXPLORATION): no estimate of another order is honest"

    def lines(self) -> list[str]:
        """For a terminal."""
        head = f"{self.lists:,} lists of the window were shown, of {self.explored_lists:,} chance could change a place"
        served = "; ".join(f"{outcome} {self.served[outcome].told()}" for outcome in OUTCOMES)
        told = [f"{head}; {AS_SERVED}, a list: {served}", *([self.reason] if self.reason else [])]
        for name, estimates in self.orders.items():
            found = "; ".join(_line(outcome, estimates[outcome]) for outcome in OUTCOMES)
            told.append(f"{name}, doubly robust: {found}")
        return told


def in_window(lake: Path, window: Split, *, until: datetime | None = None) -> Shown | None:
    """The lists of users of train that were shown after the cut; none where there are none, or no cut.

    Args:
        until: the end of the window, before which a list was shown and what it earned was done; none: the end of all.

    Raises: DataError (of the lake).
    """
    if window.cut is None:
        return None
    known = window.train
    user_ids, item_ids = (
        pl.DataFrame({name: pl.Series(ids, dtype=pl.String)}).with_row_index(row)
        for name, row, ids in (("user_id", "user", known.user_ids), ("item_id", "item", known.item_ids))
    )
    places = (
        served.by_place(lake, since=window.cut, until=until)
        .join(user_ids, on="user_id")
        .join(item_ids, on="item_id", how="left")
    )
    if places.is_empty():
        return None
    places = places.sort("user", "list_id", "place")
    n_items = len(item_ids)  # an item that train lacks has a number behind them, which no order has
    lists = places["list_id"].rle_id().to_numpy().astype(np.int64)
    firsts = np.flatnonzero(np.diff(lists, prepend=-1))
    user_rows = places["user"].to_numpy().astype(np.int64)[firsts]
    log = Log(
        people=np.unique(user_rows, return_inverse=True)[1].astype(np.int64),
        lists=lists,
        places=places["place"].to_numpy().astype(np.int64),
        items=places["item"].fill_null(n_items).to_numpy().astype(np.int64),
        propensities=places["propensity"].to_numpy(),
        earned=places["clicked"].to_numpy().astype(np.float64),
    )
    bought = replace(log, earned=places["bought"].to_numpy().astype(np.float64))
    return Shown(user_rows, dict(zip(OUTCOMES, (log, bought), strict=True)))


def judge(shown: Shown, orders: Mapping[str, Scorer], known: Interactions, *, seed: int) -> OffPolicy:
    """What each order of the items that `known` does not have would have earned in place of what was shown.

    Args:
        orders: models by name, fitted on `known` alone.
    """
    log = shown.logs[OUTCOMES[0]]
    found: dict[str, dict[str, Estimate]] = {}
    if log.explored_lists:
        users, user_of = np.unique(shown.user_rows, return_inverse=True)
        k = min(int(log.places.max()) + 1, len(known.item_ids))
        for name, scorer in orders.items():
            order = ranking.top_unseen(scorer, seen=known.weights, user_rows=users, k=k)[user_of]
            found[name] = {each: off_policy.estimate(shown.logs[each], order, seed=seed) for each in OUTCOMES}
    return OffPolicy(
        lists=len(shown.user_rows),
        explored_lists=log.explored_lists,
        served={each: off_policy.served(shown.logs[each], seed=seed) for each in OUTCOMES},
        orders=found,
    )


def _line(outcome: str, found: Estimate) -> str:
    if not found.is_enough:
        return f"{outcome} unknown, {found.effective_places:.0f} places in common with what was shown"
    return (
        f"{outcome} {found.dr.told()} ({100 * found.supported:.1f} % of places as shown, "
        f"{found.effective_places:,.0f} in effect)"
    )
