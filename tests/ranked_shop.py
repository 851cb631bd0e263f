"""Rankers of small shops, and requests in a few words."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tiny_artifact import Shop, publish

from recsys.artifact.manifest import BlendInfo
from recsys.artifact.reader import open_artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.item import Item
from recsys.shop.item_wire import item_from_wire
from recsys.v1 import item_pb2
from reranker.ranker import RankedItem, Ranker, Ranking
from reranker.request import Proposed

ANN, POPULAR, NEW = 1, 2, 6
EVEN = np.array([1, 0], np.float32)
"""What a user of the checkerboard is who likes even items."""

ODD = np.array([0, 1], np.float32)


def ranker_of(shop: Shop, volume: Path, live: LiveState | None = None, *, blend: BlendInfo | None = None) -> Ranker:
    return Ranker(open_artifact(publish(shop, volume, blend=blend)), live=live)


def proposed(*rows: int, scores: Sequence[float] | None = None, new_item_ids: Sequence[str] = ()) -> Proposed:
    """Candidates of the index, in this order."""
    own = np.arange(len(rows), 0, -1) if scores is None else scores
    return Proposed(
        rows=np.array(rows, np.int64),
        scores=np.array(own, np.float32),
        sources=np.full(len(rows), 1 << ANN, np.uint32),
        new_item_ids=new_item_ids,
    )


def item_of(ranked: RankedItem) -> Item:
    return item_from_wire(item_pb2.RankedItem.FromString(ranked.description).item)


def ids(ranking: Ranking) -> list[str]:
    return [item_of(each).item_id for each in ranking.items]


def rows_of(ranking: Ranking) -> list[int]:
    """Of the checkerboard's items the number in their id."""
    return [int(item_of(each).item_id.removeprefix("item-")) for each in ranking.items]


def scores_of(ranking: Ranking) -> list[float]:
    return [each.score for each in ranking.items]


def with_rows(vectors: NDArray[np.float32], changes: dict[int, Sequence[float]]) -> NDArray[np.float32]:
    """A copy with some rows replaced."""
    changed = vectors.copy()
    for row, vector in changes.items():
        changed[row] = vector
    return changed
