"""Proposals of all sources made one list of candidates, each item once, whose rows the second stage can read.

The few that others propose beside the index are merged in a plain loop, which is quicker than some thirty calls of
numpy, and then put after what the index found.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from candidate_gen.search.item_index import Neighbours
from candidate_gen.search.item_set import are_among
from recsys.shop.sources import Source

Number = TypeVar("Number", bound=np.generic)
Ranked = list[tuple[int, float]]
"""Rows and their scores, best first, no row twice."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """What one source proposed."""

    source: Source
    ranked: Ranked


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items, each once, [n] each: the first source's first, and of each source what no earlier one had proposed.

    A row of n_items or more is no item of the version but `new_item_ids[row - n_items]`.
    """

    rows: NDArray[np.uint32]
    scores: NDArray[np.float32]  # of the first source that proposed the item
    sources: NDArray[np.uint32]  # bit 1 << source for every source
    new_item_ids: list[str]
    lists: list[Proposals]  # what each source proposed, where that was asked for


def candidates_of(
    source: Source,
    nearest: Neighbours,
    others: Sequence[Proposals],
    *,
    n_items: int,
    new_ids: Sequence[str],
    with_lists: bool = False,
) -> Candidates:
    """The `nearest` items of the version, which `source` proposed, and then what others did, merged.

    Rows from `n_items` on are of `new_ids`, of which only the proposed ones are named.
    """
    bits: dict[int, int] = {}
    scores: dict[int, float] = {}
    for each in others:
        bit = 1 << each.source
        for row, score in each.ranked:
            if row in bits:
                bits[row] |= bit
            else:
                bits[row], scores[row] = bit, score
    sources = np.full(len(nearest.rows), 1 << source, np.uint32)
    is_shared = are_among(nearest.rows, np.sort(np.fromiter(bits, np.int64, len(bits))))
    for place in is_shared.nonzero()[0].tolist():
        row = int(nearest.rows[place])
        sources[place] |= bits.pop(row)
        del scores[row]
    added = [row for row in bits if row >= n_items]
    number = {row: n_items + at for at, row in enumerate(added)}
    lists = [Proposals(source, ranked(nearest)), *others] if with_lists else []
    return Candidates(
        rows=_joined(nearest.rows, [number.get(row, row) for row in bits] if added else bits, np.uint32),
        scores=_joined(nearest.scores, scores.values(), np.float32),
        sources=_joined(sources, bits.values(), np.uint32),
        new_item_ids=[new_ids[row - n_items] for row in added],
        lists=[Proposals(each.source, [(number.get(row, row), s) for row, s in each.ranked]) for each in lists],
    )


def ranked(found: Neighbours) -> Ranked:
    """As plain numbers."""
    return list(zip(found.rows.tolist(), found.scores.tolist(), strict=True))


def _joined(first: NDArray[Any], more: Collection[float], dtype: type[Number]) -> NDArray[Number]:
    joined = np.empty(len(first) + len(more), dtype)
    joined[: len(first)] = first
    joined[len(first) :] = list(more)
    return joined
