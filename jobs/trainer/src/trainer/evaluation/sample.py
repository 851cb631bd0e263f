"""Held-out windows in, the same of fewer users out: what recipes are compared on where a shop is large.

Fits of all recipes on all users would be most of a training's time, and grow with the shop; which recipe is the best
is seen on a part of the users already (docs/evaluation.md). Each keeps the whole history, and no item goes. `train`,
`tune` and `evaluate` go by the same rule, `to_compare`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from trainer.evaluation import full_ranking
from trainer.evaluation.split import Split
from trainer.settings import Settings

COMPARED_PAIRS: Final = (
    2_000_000  # of fewer, models of many dimensions learn less than of all and look worse than they are
)


def to_compare(windows: Sequence[Split], *, settings: Settings) -> list[Split]:
    """The windows before the newest, each of a sample of users where it is large; the newest, which judges, whole."""
    before = [of_users(one, judged_users=settings.selection_users, seed=settings.seed) for one in windows[:-1]]
    return [*before, *windows[-1:]]


def of_users(split: Split, *, judged_users: int, seed: int, pairs: int = COMPARED_PAIRS) -> Split:
    """The split of a seeded sample of train's users with about so many pairs; itself, where it has no more.

    As many users with test items as are asked (`judged_users`) are in it however long their histories, so that figures
    are as sure as without the sample. Held-out users whom train does not know are not.
    """
    weights = split.train.weights
    if weights.nnz <= pairs or not split.judged_users:
        return split
    judged = full_ranking.judged_users(split, max_users=judged_users, seed=seed)
    others = np.setdiff1d(np.arange(weights.shape[0]), judged)
    order = np.concatenate([judged, np.random.default_rng(seed).permutation(others)])
    so_far = np.cumsum(np.diff(weights.indptr)[order])
    rows = np.sort(order[: max(len(judged), int(np.searchsorted(so_far, pairs)))])
    return replace(
        split,
        train=split.train.of_users(rows),
        test=split.test[rows],
        test_unknown_items=split.test_unknown_items[rows],
        new_items=split.new_items and replace(split.new_items, test=split.new_items.test[rows]),
        new_user_test=split.new_user_test[:0],
        new_user_unknown_items=split.new_user_unknown_items[:0],
    )
