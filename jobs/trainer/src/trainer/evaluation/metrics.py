"""Ranked lists and their hits in, one figure a user (accuracy, novelty) or one a list set (coverage, Gini) out.

`hits` is bool [n_users, K]: whether the item at each rank is one of the user's test items; `relevant` is int64
[n_users], how many test items the user has, > 0. `ranked` is int [n_users, K] item rows, -1 where a list is shorter.
"""

import numpy as np
from numpy.typing import NDArray


def recall(hits: NDArray[np.bool_], relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Recall@k = hits among the first k / |test items|, float64 [n_users].

    LightGCN's definition (He et al. 2020): the denominator is not cut at k, so a user with more than k test items
    cannot reach 1.
    """
    return np.asarray(hits[:, :k].sum(axis=1) / relevant, dtype=np.float64)


def ndcg(hits: NDArray[np.bool_], relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """NDCG@k with binary relevance, float64 [n_users].

    DCG@k = sum of 1 / log2(rank + 1) over the hits at ranks 1..k; divided by the DCG of min(|test items|, k) hits at
    the top (Järvelin & Kekäläinen 2002; the cut ideal is LightGCN's).
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(relevant, k) - 1]
    first = hits[:, :k]
    return np.asarray(first @ discounts[: first.shape[1]] / ideal, dtype=np.float64)


def hit_rate(hits: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """1 if any of the first k items is a test item, else 0; float64 [n_users]."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def mrr(hits: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """1 / rank of the first hit among the first k, 0 without one; float64 [n_users] (Voorhees 1999)."""
    first = hits[:, :k]
    return np.where(first.any(axis=1), 1.0 / (first.argmax(axis=1) + 1), 0.0)


def self_information(item_users: NDArray[np.int64], n_users: int) -> NDArray[np.float64]:
    """-log2(users of the item / all users) in bits, float64 [n_items]; an item that nobody had counts as one user's."""
    return -np.log2(np.maximum(item_users, 1) / n_users)


def novelty(ranked: NDArray[np.int32], information: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Mean self-information (bits) of the first k items, float64 [n_users]; 0 for an empty list (Zhou et al. 2010)."""
    first = ranked[:, :k]
    present = first >= 0
    total = np.where(present, information[first], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(present.sum(axis=1), 1), dtype=np.float64)


def exposures(ranked: NDArray[np.int32], k: int, *, n_items: int) -> NDArray[np.int64]:
    """In how many of the lists each item stands among the first k: int64 [n_items]."""
    first = ranked[:, :k]
    return np.bincount(first[first >= 0], minlength=n_items)


def coverage(exposure: NDArray[np.int64]) -> float:
    """Share of the catalogue that is in at least one list."""
    return float(np.count_nonzero(exposure) / len(exposure))


def gini(exposure: NDArray[np.int64]) -> float:
    """Gini coefficient of the exposures: 0 when all items stand equally often in a list, near 1 when one takes all.

    G = sum of (2 i - n - 1) x_i / (n sum of x_i) over the exposures x_1 ≤ … ≤ x_n; 0 when every list is empty.
    """
    n, total = len(exposure), exposure.sum()
    if total == 0:
        return 0.0
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ np.sort(exposure) / (n * total))
