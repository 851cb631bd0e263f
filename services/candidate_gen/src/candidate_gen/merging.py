"""Proposals of all sources made one list: each item once, with a bit for every source that proposed it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from candidate_gen.item_index import Neighbours


class Source(IntEnum):
    """What proposed a candidate; numbered as on the wire, where bit 1 << source stands for it."""

    ANN = 1
    POPULAR = 2
    SIMILAR = 3
    SESSION = 4
    TRENDING = 5
    NEW = 6


@dataclass(frozen=True)
class Proposals:
    """What one source proposed: rows of `Assortment` and scores, best first, no row twice."""

    source: Source
    found: Neighbours


@dataclass(frozen=True)
class Merged:
    """All proposals, [n] each: the first source's first, and of each source what no earlier one had proposed."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]  # of the first source that proposed the item
    sources: NDArray[np.uint32]  # bit 1 << source for every source


def merge(proposals: Sequence[Proposals]) -> Merged:
    """One list out of several, without a step for each item."""
    some = [each for each in proposals if len(each.found.rows)] or proposals[:1]
    rows = np.concatenate([each.found.rows for each in some])
    scores = np.concatenate([each.found.scores for each in some])
    bits = np.concatenate([np.full(len(each.found.rows), 1 << each.source, np.uint32) for each in some])
    if len(some) == 1:
        return Merged(rows, scores, bits)
    by_row = np.argsort(rows, kind="stable")
    ordered = rows[by_row]
    is_first = np.ones(len(rows), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    first = by_row[starts]  # stable: the earliest source's entry of each row
    together = np.zeros(len(rows), np.uint32)
    together[first] = np.bitwise_or.reduceat(bits[by_row], starts)
    kept = np.flatnonzero(together)
    return Merged(rows[kept], scores[kept], together[kept])
