"""The map from what the catalogue says of an item to its embedding: for items that nobody has taken up yet.

Trainer, candidate_gen and reranker compute a vector with this one function, so the same facts give the same vector.
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.manifest import ItemContentInfo
from recsys.item_features import features
from recsys.shop.item import Item

_MOST_VECTORS_HELD: Final = 4_096  # of items that were asked for lately

_Facts = tuple[str | None, str | None, float | None, tuple[tuple[str, str], ...], str | None]


class ItemContent:
    """Weights of the columns of features and of a shop's vectors, for each dimension of the embeddings."""

    def __init__(self, info: ItemContentInfo, weights: NDArray[np.float32]) -> None:
        """`weights` is float32 [info.columns + info.vector_length, dim]."""
        self.info = info
        self.weights = weights
        self._vector = lru_cache(_MOST_VECTORS_HELD)(partial(_computed, np.asarray(weights), info))

    def vector(self, item: Item) -> NDArray[np.float32]:
        """float32 [dim], read-only, in the space of the item embeddings; zero where nothing is known of the item."""
        attributes = tuple(sorted(item.attributes.items()))
        return self._vector((item.title, item.category, item.price, attributes, item.vector))

    def vectors(self, items: Iterable[Item]) -> NDArray[np.float32]:
        """Of several: float32 [n, dim]."""
        found = [self.vector(item) for item in items]
        return np.stack(found) if found else np.empty((0, self.weights.shape[1]), np.float32)


def _computed(weights: NDArray[np.float32], info: ItemContentInfo, facts: _Facts) -> NDArray[np.float32]:
    title, category, price, attributes, brought = facts
    item = Item("", title=title, category=category, price=price, attributes=dict(attributes), vector=brought)
    found = features(item, price_edges=info.price_edges, vector_length=info.vector_length)
    vector = np.array(found.values, np.float32) @ weights[np.array(found.columns, np.int64)]
    if found.vector:
        vector += np.array(found.vector, np.float32) @ weights[info.columns :]
    vector.flags.writeable = False
    return vector
