"""What is bought together: what is counted is chosen by the baskets before a window, and judged by those in it.

A shop's events come in, before models are fitted. Out go what is published, and lists for a window, which are compared
with items that are alike once a model is there. It is published wherever somebody bought two items on one day: it is
another list than that of items that are alike, not a better one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact.manifest import TransitionsInfo
from recsys.artifact.transitions import Transitions
from trainer.evaluation import basket_completion, bootstrap, windows
from trainer.evaluation.basket_completion import HeldOutBaskets
from trainer.evaluation.bootstrap import Interval, PairedDifference
from trainer.evaluation.split import Split
from trainer.models import bought_together, transitions
from trainer.settings import Settings

TOGETHER: Final = "bought together"
SIMILAR: Final = "similar items"
POPULAR: Final = "popular items"
FILLED: Final = "bought together, then similar items"
LISTS: Final = (POPULAR, SIMILAR, TOGETHER, FILLED)


@dataclass(frozen=True)
class OfWindow:
    """What the baskets before a window say, and those in it."""

    cut: datetime
    info: TransitionsInfo  # what was counted
    held: HeldOutBaskets
    together: NDArray[np.int32]  # [n_items of the window's train, K] the list of each item
    popular: NDArray[np.int32]  # [n_items, K]


@dataclass(frozen=True)
class JudgedBaskets:
    """How much of the rest of a basket each list has."""

    cut: datetime
    info: TransitionsInfo  # what was counted
    baskets: int
    recall: dict[str, NDArray[np.float64]]  # list → Recall@10 of each buyer; those that need a model only with one
    seed: int

    @property
    def buyers(self) -> int:
        """Whose baskets they are."""
        return len(self.recall[TOGETHER])

    @property
    def counted(self) -> dict[str, float]:
        """What was chosen of what is worth trying."""
        info = self.info
        return {
            "user_exponent": info.user_exponent,
            "target_exponent": info.target_exponent,
            "shrinkage": info.shrinkage,
        }

    @cached_property
    def gain(self) -> PairedDifference:
        """Of what is bought together, over items that are alike; without a model, over popular ones."""
        other = self.recall.get(SIMILAR, self.recall[POPULAR])
        return bootstrap.paired(self.recall[TOGETHER], other, seed=self.seed)

    def intervals(self) -> dict[str, Interval]:
        """Recall@10, by each list."""
        return bootstrap.intervals(self.recall, seed=self.seed)


def fit(frame: pl.DataFrame, item_ids: Sequence[str], info: TransitionsInfo | None) -> Transitions | None:
    """What is bought together, by all baskets; none: nothing is, or no event has a time.

    Args:
        frame: `LoadedEvents.frame`.
        item_ids: the rows, sorted.
        info: what is counted; none: nobody could choose, and the first of what is worth trying is.
    """
    if frame.is_empty() or not windows.has_times(frame):
        return None
    of_baskets = bought_together.baskets(frame, item_ids)
    found = transitions.fit(of_baskets, info or bought_together.WORTH_TRYING[0])
    return found if len(found.items) else None


def of_window(
    frame: pl.DataFrame, window: Split, *, until: datetime | None = None, settings: Settings
) -> OfWindow | None:
    """Choose by the baskets of a time before the window, and count all before it; none: no basket is in it.

    The time is as long as the window, and no longer than the horizon: a few events may come long after all others.

    Args:
        frame: `LoadedEvents.frame`.
        until: where the window ends; none: with the last event.
    """
    end = until or frame["timestamp"].max()
    if window.cut is None or not isinstance(end, datetime):
        return None
    cut, item_ids = window.cut, window.train.item_ids
    before, held = basket_completion.split(frame, item_ids, cut=cut, until=until)
    held = held.sampled(seed=settings.seed)
    if not held.items:
        return None
    length = min(end - cut, timedelta(days=settings.horizon_days))
    earlier, to_choose_by = basket_completion.split(frame, item_ids, cut=cut - length, until=cut)
    info = basket_completion.choose(bought_together.newest(earlier), to_choose_by.sampled(seed=settings.seed))
    together = basket_completion.together(transitions.fit(before, info))
    return OfWindow(cut, info, held, together, basket_completion.popular(before))


def of_windows(frame: pl.DataFrame, held_out: Sequence[Split], *, settings: Settings) -> dict[datetime, OfWindow]:
    """By the moment at which each window begins: of those that lie back to back, the newest last."""
    ends = [*(each.cut for each in held_out[1:]), None]
    found = (of_window(frame, each, until=end, settings=settings) for each, end in zip(held_out, ends, strict=True))
    return {each.cut: each for each in found if each is not None}


def judge(of: OfWindow, item_embeddings: NDArray[np.float32] | None, *, seed: int) -> JudgedBaskets:
    """Compare with items that are alike by a model of the same window; none: it has no embeddings."""
    lists: dict[str, NDArray[np.int32]] = {POPULAR: of.popular, TOGETHER: of.together}
    if item_embeddings is not None:
        lists[SIMILAR] = basket_completion.similar(item_embeddings, of.held.asked)
        lists[FILLED] = basket_completion.filled(of.together, lists[SIMILAR])
    recall: dict[str, NDArray[np.float64]] = {name: of.held.recall(lists[name]) for name in LISTS if name in lists}
    return JudgedBaskets(of.cut, of.info, len(of.held.items), recall, seed)
