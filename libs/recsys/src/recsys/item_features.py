"""What a catalogue says of an item, as numbers: title words, category, price and attributes in, hashed features out.

Trainer, candidate_gen and reranker compute them with this one function, so an item has the same features wherever it
is met. What a feature is called is hashed into a fixed number of columns: a word that no training saw has one too. The
vector that a shop brings needs no columns of names: its numbers are features as they are.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, sqrt
from typing import Final, NamedTuple
from zlib import crc32

from recsys import item_vector
from recsys.shop.item import Item

COLUMNS: Final = 4096
"""That names are hashed into: few enough to have a weight for each dimension, so many that few words share one."""

KINDS: Final = ("any", "title words", "pairs of title words", "category", "price bucket", "attributes")
"""What `features` are of. Whoever changes what one of them is changes its name, so no service reads it otherwise."""

_WORD: Final = re.compile(r"\w+")


class Features(NamedTuple):
    """Of one item; all are empty where nothing is known of it."""

    columns: list[int]  # 0 to `COLUMNS` - 1, which may repeat
    values: list[float]  # of these columns
    vector: Sequence[float]  # that the shop brings, of length 1; empty: it has none


def features(item: Item, *, price_edges: Sequence[float], vector_length: int = 0) -> Features:
    """Each kind of fact weighs 1 together: a long title says no more than a category.

    Args:
        price_edges: ascending prices at which the next bucket begins.
        vector_length: of the shop's vectors; one of another length is as none.
    """
    has_vector = item.vector is not None and item_vector.length(item.vector) == vector_length
    price = item.price if item.price is not None and isfinite(item.price) and item.price > 0 else None
    words = _WORD.findall((item.title or "").lower())
    kinds = [
        [f"word {word}" for word in words] + [f"words {one} {other}" for one, other in pairwise(words)],
        [] if item.category is None else [f"category {item.category}"],
        [] if price is None else [f"price {bisect_right(price_edges, price)}"],
        [f"attribute {name} {value}" for name, value in sorted(item.attributes.items())],
    ]
    if not (has_vector or any(kinds)):
        return Features([], [], ())
    columns, values = [_column("any")], [1.0]
    for names in kinds:
        columns += map(_column, names)
        values += [1 / sqrt(len(names))] * len(names) if names else []
    return Features(columns, values, item_vector.unpacked(item.vector) if has_vector and item.vector else ())


def _column(name: str) -> int:
    return crc32(name.encode()) % COLUMNS
