"""A scorer and a split in, per-user figures of the full ranking out, for everybody and by segment.

Every item of train's catalogue that the user did not have in train is ranked; nothing is sampled. Test items that
train's catalogue lacks count as missed: they stand in the denominators of recall and NDCG although no model can reach
them, because the user did take them. `Evaluation.reachable` says how much of the test they leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from trainer.evaluation import metrics, ranking
from trainer.evaluation.split import Split
from trainer.models.embeddings import Scorer

HEAD_SHARE = 0.2  # of the catalogue, by users in train


@dataclass(frozen=True)
class Segment:
    """Part of the test with figures of its own: some of the users, or for all of them some of the items."""

    name: str
    definition: str
    per_user: dict[str, NDArray[np.float64]]  # metric → [users of the segment]


@dataclass(frozen=True)
class Evaluation:
    """What one model's full ranking is worth, kept by user so that it can be resampled and compared in pairs.

    Metrics are named `recall@20`, `ndcg@20`, `hit_rate@20`, `mrr@20`, `novelty@20` (see `trainer.evaluation.metrics`).
    """

    ks: tuple[int, ...]
    user_rows: NDArray[np.int64]  # [n_judged] ascending: users of train with test items
    ranked: NDArray[np.int32]  # [n_judged, max(ks)] item rows, best first, -1 padded
    hits: NDArray[np.bool_]  # [n_judged, max(ks)] whether the item at that rank is a test item
    relevant: NDArray[np.int64]  # [n_judged] test items of each user, unknown ones included
    reachable: float  # share of the judged users' test items that train's catalogue has
    per_user: dict[str, NDArray[np.float64]]  # metric → [n_judged]
    list_level: dict[str, float]  # coverage@k, gini@k
    segments: tuple[Segment, ...]  # light, medium, heavy users; new users; head and tail items

    def mean(self, metric: str) -> float:
        """The headline figure: the mean over the judged users."""
        return float(self.per_user[metric].mean())

    def recall_curve(self) -> NDArray[np.float64]:
        """Mean recall at every list length 1..max(ks): float64 [max(ks)]."""
        return np.asarray((np.cumsum(self.hits, axis=1) / self.relevant[:, None]).mean(axis=0), dtype=np.float64)


def evaluate(
    scorer: Scorer,
    split: Split,
    *,
    ks: Sequence[int] = (10, 20, 50),
    popularity: NDArray[np.float32] | None = None,
    max_users: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Judge a model on the full ranking of every user of train who has test items.

    Args:
        scorer: fitted on `split.train` only.
        split: what it may know and what it is judged by.
        ks: list lengths.
        popularity: float32 [n_items], the order of the list that unknown users get; train's user counts if None.
        max_users: judge a random sample of that many users; all of them if None.
        seed: of the sample.

    Raises:
        InvalidArgumentError: no list length, one below 1, or nobody to judge.
        DataError: the scorer gave NaN.
    """
    if not ks or min(ks) < 1:
        raise InvalidArgumentError(f"ks must be list lengths of 1 or more, found {tuple(ks)}")
    ks = tuple(sorted(set(ks)))
    user_rows = judged_users(split, max_users=max_users, seed=seed)
    relevant = _row_counts(split.test)[user_rows] + split.test_unknown_items[user_rows]
    ranked = ranking.top_unseen(scorer, seen=split.train.weights, user_rows=user_rows, k=ks[-1])
    hits = find_hits(ranked, split.test[user_rows])
    n_users, n_items = split.train.weights.shape
    item_users = np.bincount(split.train.weights.indices, minlength=n_items)
    information = metrics.self_information(item_users, n_users)
    per_user = per_user_figures(ranked, hits, relevant, ks=ks, information=information)
    exposures = {k: metrics.exposures(ranked, k, n_items=n_items) for k in ks}
    return Evaluation(
        ks=ks,
        user_rows=user_rows,
        ranked=ranked,
        hits=hits,
        relevant=relevant,
        reachable=float(_row_counts(split.test)[user_rows].sum() / relevant.sum()),
        per_user=per_user,
        list_level={f"coverage@{k}": metrics.coverage(exposures[k]) for k in ks}
        | {f"gini@{k}": metrics.gini(exposures[k]) for k in ks},
        segments=(
            *_by_history(per_user, _row_counts(split.train.weights)[user_rows]),
            *_new_users(split, item_users if popularity is None else popularity, ks=ks, information=information),
            *_by_popularity(ranked, hits, split.test[user_rows], ks=ks, item_users=item_users),
        ),
    )


def judged_users(split: Split, *, max_users: int | None = None, seed: int = 0) -> NDArray[np.int64]:
    """Ascending rows of the users of train with test items, known to train or not; a seeded sample if `max_users`.

    Raises:
        InvalidArgumentError: there are none.
    """
    rows = np.flatnonzero(_row_counts(split.test) + split.test_unknown_items)
    if len(rows) == 0:
        raise InvalidArgumentError("nobody to judge: the split has no test item of a user that train knows")
    if max_users is None or max_users >= len(rows):
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, size=max_users, replace=False))


def find_hits(ranked: NDArray[np.int32], test: sp.csr_matrix) -> NDArray[np.bool_]:
    """bool, the shape of `ranked`: whether `test` (a row for each list) has the item that is ranked there."""
    if test.nnz == 0:
        return np.zeros(ranked.shape, dtype=np.bool_)
    rows = np.broadcast_to(np.arange(len(ranked))[:, None], ranked.shape)
    stored = np.asarray(test[rows.ravel(), np.maximum(ranked, 0).ravel()]).reshape(ranked.shape)
    return np.asarray((stored != 0) & (ranked >= 0), dtype=np.bool_)


def per_user_figures(
    ranked: NDArray[np.int32],
    hits: NDArray[np.bool_],
    relevant: NDArray[np.int64],
    *,
    ks: Sequence[int],
    information: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """The figures of `Evaluation.per_user`, of lists, their hits, and how many items each user is tested on.

    Args:
        information: float64 [n_items], `metrics.self_information` of the items.
    """
    figures = {}
    for k in ks:
        figures[f"recall@{k}"] = metrics.recall(hits, relevant, k)
        figures[f"ndcg@{k}"] = metrics.ndcg(hits, relevant, k)
        figures[f"hit_rate@{k}"] = metrics.hit_rate(hits, k)
        figures[f"mrr@{k}"] = metrics.mrr(hits, k)
        figures[f"novelty@{k}"] = metrics.novelty(ranked, information, k)
    return figures


def _by_history(per_user: dict[str, NDArray[np.float64]], history: NDArray[np.int64]) -> list[Segment]:
    """The judged users in three parts by how many items they had in train; one that ties leave empty is omitted."""
    first, second = (int(np.quantile(history, share, method="lower")) for share in (1 / 3, 2 / 3))
    members = {
        ("light users", f"at most {first} items in train"): history <= first,
        ("medium users", f"{first + 1} to {second} items in train"): (history > first) & (history <= second),
        ("heavy users", f"more than {second} items in train"): history > second,
    }
    return [
        Segment(name, definition, {metric: values[chosen] for metric, values in per_user.items()})
        for (name, definition), chosen in members.items()
        if chosen.any()
    ]


def _new_users(
    split: Split, popularity: NDArray[np.float32 | np.int64], *, ks: Sequence[int], information: NDArray[np.float64]
) -> list[Segment]:
    """Users whom train lacks, all given the one list of popular items."""
    relevant = _row_counts(split.new_user_test) + split.new_user_unknown_items
    if len(relevant) == 0:
        return []
    popular = ranking.top_k(popularity.astype(np.float32)[None, :], ks[-1])
    ranked = np.repeat(popular, len(relevant), axis=0)
    hits = find_hits(ranked, split.new_user_test)
    figures = per_user_figures(ranked, hits, relevant, ks=ks, information=information)
    return [Segment("new users", "not in train; all are shown the popular items", figures)]


def _by_popularity(
    ranked: NDArray[np.int32],
    hits: NDArray[np.bool_],
    test: sp.csr_matrix,
    *,
    ks: Sequence[int],
    item_users: NDArray[np.int64],
) -> list[Segment]:
    """Recall of test items in the popular fifth of the catalogue and in the rest, over users who have some there."""
    n_head = max(1, round(HEAD_SHARE * len(item_users)))
    is_head = np.zeros(len(item_users), dtype=bool)
    is_head[np.argsort(-item_users, kind="stable")[:n_head]] = True
    segments = []
    for name, definition, members in (
        ("head items", f"the {n_head:,} items with most users in train", is_head),
        ("tail items", f"the other {len(item_users) - n_head:,} items of train", ~is_head),
    ):
        relevant = np.asarray(test @ members.astype(np.int64), dtype=np.int64)
        judged = relevant > 0
        hits_there = (hits & members[ranked])[judged]
        recalls = {f"recall@{k}": metrics.recall(hits_there, relevant[judged], k) for k in ks}
        if judged.any():
            segments.append(Segment(name, definition, recalls))
    return segments


def _row_counts(matrix: sp.csr_matrix) -> NDArray[np.int64]:
    return np.diff(matrix.indptr).astype(np.int64)
