"""Given one item of a held-out basket, how many of the others a list for that item has: bought together's own measure.

Every item of a basket is given once. The figures of one person's baskets are averaged, since persons are what the
bootstrap draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

import faiss
import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact.manifest import TransitionsInfo
from recsys.artifact.transitions import Transitions
from trainer.models import bought_together, transitions
from trainer.shop_data.interactions import Interactions

K: Final = 10
_NO_ITEM: Final = -1
_MOST_BASKETS: Final = 2_000  # that are asked for: the interval is narrow enough


@dataclass(frozen=True)
class HeldOutBaskets:
    """Baskets of at least two items, each of which somebody bought before."""

    items: list[NDArray[np.int32]]  # rows of each basket
    buyers: list[str]  # of each basket

    @classmethod
    def of(cls, held: Interactions, before: Interactions) -> "HeldOutBaskets":
        """Those of `held`, without items that no basket of `before` has; the columns of both are the same."""
        bought = before.weights.getnnz(axis=0) > 0
        of_each = (held.weights.indices[start:end] for start, end in pairwise(held.weights.indptr))
        known = [rows[bought[rows]] for rows in of_each]
        pairs = [
            (rows, bought_together.buyer(one)) for rows, one in zip(known, held.user_ids, strict=True) if len(rows) > 1
        ]
        return cls([rows for rows, _ in pairs], [one for _, one in pairs])

    @property
    def asked(self) -> NDArray[np.int32]:
        """Rows of the items that are given, each once, ascending."""
        return np.unique(np.concatenate([np.empty(0, np.int32), *self.items]))

    def sampled(self, *, seed: int) -> "HeldOutBaskets":
        """A seeded sample of them; themselves, where they are not many."""
        if len(self.items) <= _MOST_BASKETS:
            return self
        drawn = np.random.default_rng(seed).choice(len(self.items), _MOST_BASKETS, replace=False)
        return HeldOutBaskets([self.items[at] for at in drawn], [self.buyers[at] for at in drawn])

    def recall(self, lists: NDArray[np.int32]) -> NDArray[np.float64]:
        """Recall@k of each buyer, sorted by id: float64 [n_buyers].

        Args:
            lists: int32 [n_items, k], the list for each item; -1 where it is shorter.
        """
        of_buyer: dict[str, list[float]] = {}
        for rows, one in zip(self.items, self.buyers, strict=True):
            hits = np.isin(lists[rows], rows).sum(axis=1)
            of_buyer.setdefault(one, []).append(float(np.mean(hits / (len(rows) - 1))))
        return np.array([np.mean(of_buyer[one]) for one in sorted(of_buyer)], np.float64)


def split(
    frame: pl.DataFrame, item_ids: Sequence[str], *, cut: datetime, until: datetime | None = None
) -> tuple[Interactions, HeldOutBaskets]:
    """Baskets before a moment, and those from it on, until another one."""
    before = bought_together.baskets(frame, item_ids, until=cut)
    held = bought_together.baskets(frame, item_ids, since=cut, until=until)
    return before, HeldOutBaskets.of(held, before)


def choose(before: Interactions, held: HeldOutBaskets) -> TransitionsInfo:
    """What did best of what is worth trying; the first of equals."""
    means = [
        held.recall(together(transitions.fit(before, info, most=K))).mean() if held.items else 0.0
        for info in bought_together.WORTH_TRYING
    ]
    return bought_together.WORTH_TRYING[int(np.argmax(means))]


def together(found: Transitions) -> NDArray[np.int32]:
    """The lists of what is bought together: int32 [n_items, K]."""
    lists = np.full((len(found.indptr) - 1, K), _NO_ITEM, np.int32)
    sources = np.repeat(np.arange(len(lists)), np.diff(found.indptr))
    places = np.arange(len(found.items)) - found.indptr[sources]
    lists[sources[places < K], places[places < K]] = found.items[places < K]
    return lists


def popular(of_baskets: Interactions) -> NDArray[np.int32]:
    """For each item the most bought of all others: int32 [n_items, K]."""
    counts = of_baskets.weights.getnnz(axis=0)
    best = np.argsort(-counts, kind="stable")[: K + 1].astype(np.int32)
    return _without_itself(np.tile(best, (len(counts), 1)))


def similar(item_embeddings: NDArray[np.float32], asked: NDArray[np.int32]) -> NDArray[np.int32]:
    """For the items in some rows the nearest of all others by cosine: int32 [n_items, K], -1 for other items."""
    norms = np.linalg.norm(item_embeddings, axis=1, keepdims=True)
    unit = np.ascontiguousarray(item_embeddings / np.where(norms == 0, 1, norms), dtype=np.float32)
    _, nearest = faiss.knn(unit[asked], unit, K + 1, metric=faiss.METRIC_INNER_PRODUCT)
    lists = np.full((len(unit), K + 1), _NO_ITEM, np.int32)
    lists[asked] = nearest
    return _without_itself(lists)


def filled(lists: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each list, and behind it what another one has that it lacks: int32 [n_items, K]."""
    both = np.concatenate([lists, np.where(_in_rows(others, lists), _NO_ITEM, others)], axis=1)
    return np.take_along_axis(both, np.argsort(both == _NO_ITEM, axis=1, kind="stable")[:, :K], axis=1)


def _without_itself(lists: NDArray[np.int32]) -> NDArray[np.int32]:
    """int32 [n_items, K], of lists that are one longer."""
    others = np.where(lists == np.arange(len(lists))[:, None], _NO_ITEM, lists)
    return np.take_along_axis(others, np.argsort(others == _NO_ITEM, axis=1, kind="stable")[:, :K], axis=1)


def _in_rows(values: NDArray[np.int32], rows: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each value is in the other's row of the same number."""
    return np.asarray((values[:, :, None] == rows[:, None, :]).any(axis=2))
