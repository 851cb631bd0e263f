"""A scorer, a split and a source of negatives in; how well it tells a user's test items from those negatives out.

A second opinion beside the full ranking, never the headline: a metric over sampled negatives is biased and can reverse
the order of two models (Krichene & Rendle 2020, "On sampled metrics for item recommendation"). How each source bends
it:

- drawn by the judged model itself: the items it is most wrong about, so its figures come out low, and the better it
  ranks the test items the harder its negatives are; not comparable between models;
- drawn by another model: the same negatives for all models judged, so comparable, but kind to models that err
  differently from the one that drew;
- uniform at random: most negatives are items that nobody would show. The figures come out high and flatter every model;
  they are given only to tell by how much.

An untouched item is not a disliked one: some negatives are items that the user would have liked.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trainer.evaluation import full_ranking, ranking
from trainer.evaluation.split import Split
from trainer.models.embeddings import Scorer


@dataclass(frozen=True)
class HardNegatives:
    """The judged users' figures against their negatives; users in the order of `user_rows`."""

    user_rows: NDArray[np.int64]  # [n_judged] ascending
    recall: NDArray[np.float64]  # [n_judged] share of the test items that stand among the first `k` of {it} ∪ negatives
    auc: NDArray[np.float64]  # [n_judged] share of (test item, negative) pairs in the right order; ties count half
    k: int


def judge(
    scorer: Scorer,
    split: Split,
    *,
    negatives_by: Scorer | None,
    negative_count: int = 100,
    pool_size: int = 500,
    k: int = 10,
    max_users: int = 5000,
    seed: int = 0,
) -> HardNegatives:
    """Rank each test item of train's catalogue against negatives that the user touched neither in train nor in test.

    Args:
        scorer: the judged model.
        split: test items that train lacks play no part here; users with none left, or no negative, are not judged.
        negatives_by: whose `pool_size` best untouched items the negatives are drawn from; uniform over all untouched
            items if None.
        negative_count: negatives a user, without repetition from a pool, with repetition when uniform.
        pool_size: at least `negative_count`.
        k: how many places a test item may win.
        max_users: a seeded sample of the test's users.
        seed: of the users and of the negatives.

    Raises:
        InvalidArgumentError: nobody to judge.
        DataError: a scorer gave NaN.
    """
    touched = sp.csr_matrix(split.train.weights + split.test)
    rows = full_ranking.judged_users(split, max_users=max_users, seed=seed)
    rng = np.random.default_rng(seed)
    if negatives_by is None:
        negatives = _uniform(touched[rows], negative_count, rng=rng)
    else:
        pool = ranking.top_unseen(negatives_by, seen=touched, user_rows=rows, k=max(pool_size, negative_count))
        negatives = _from_pool(pool, negative_count, rng=rng)
    judged = (np.diff(split.test[rows].indptr) > 0) & (negatives >= 0).any(axis=1)
    rows, negatives = rows[judged], negatives[judged]
    recall, auc = np.zeros(len(rows)), np.zeros(len(rows))
    for places in ranking.batches(np.arange(len(rows)), n_items=split.test.shape[1]):
        for place, scores in zip(places, scorer.scores(rows[places]), strict=True):
            beaten_by, auc[place] = _against(scores, split.test[rows[place]].indices, negatives[place])
            recall[place] = np.mean(beaten_by < k)
    return HardNegatives(user_rows=rows, recall=recall, auc=auc, k=k)


def _against(
    scores: NDArray[np.float32], items: NDArray[np.int32], negatives: NDArray[np.int32]
) -> tuple[NDArray[np.float64], float]:
    """How many negatives stand before each item (float64 [n_items], a tie counts half), and the AUC over all pairs."""
    against = np.sort(scores[negatives[negatives >= 0]])
    below = np.searchsorted(against, scores[items], side="left")
    not_above = np.searchsorted(against, scores[items], side="right")
    beaten_by = len(against) - (below + not_above) / 2
    return beaten_by, float(1 - beaten_by.mean() / len(against))


def _from_pool(pool: NDArray[np.int32], count: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
    """`count` items of each user's pool without repetition: int32 [n_users, count], -1 padded if the pool is short."""
    order = rng.random(pool.shape)
    order[pool < 0] = 2.0  # after every real item
    chosen = np.argsort(order, axis=1)[:, :count]
    return np.take_along_axis(pool, chosen, axis=1)


def _uniform(touched: sp.csr_matrix, count: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
    """`count` items outside each row of `touched`, uniform with repetition: int32 [n_users, count], -1 if none left."""
    n_users, n_items = touched.shape
    negatives = np.full((n_users, count), -1, dtype=np.int32)
    for user in range(n_users):
        taken = np.sort(touched.indices[touched.indptr[user] : touched.indptr[user + 1]])
        free = n_items - len(taken)
        if free:
            # The r-th free item is r plus the taken items before it; before taken[j] lie taken[j] - j free ones.
            r = rng.integers(free, size=count)
            negatives[user] = r + np.searchsorted(taken - np.arange(len(taken)), r, side="right")
    return negatives
