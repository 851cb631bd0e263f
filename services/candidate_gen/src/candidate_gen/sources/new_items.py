"""Items of which the model knows nothing yet: added since it was trained, or touched by no event of its training."""

from zlib import crc32

import numpy as np

from candidate_gen.eligible import Assortment, ItemSet, first_of
from candidate_gen.search.item_index import Neighbours


def new_items(assortment: Assortment, items: ItemSet, count: int, *, user_id: str) -> Neighbours:
    """`count` new items of a set, the latest first; each user's turn begins elsewhere, so that all get shown."""
    order = assortment.unknown_to_model
    start = crc32(user_id.encode()) % len(order) if user_id and len(order) else 0
    rows = order[first_of(order, items.rows, count, start=start)]
    return Neighbours(rows, np.zeros(len(rows), np.float32))
