"""Proposals of all sources made one list of candidates, each item once, whose rows the second stage can read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from candidate_gen.eligible import EligibleItems
from candidate_gen.search.item_index import Neighbours
from candidate_gen.search.item_set import ItemsLeft, RowSet
from recsys.shop.sources import Source


@dataclass(frozen=True)
class Proposals:
    """What one source proposed: rows of `EligibleItems` and scores, best first, no row twice."""

    source: Source
    found: Neighbours
    most: int  # so many of those that are left are taken


@dataclass(frozen=True)
class Merged:
    """All proposals, [n] each: the first source's first, and of each source what no earlier one had proposed."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]  # of the first source that proposed the item
    sources: NDArray[np.uint32]  # bit 1 << source for every source


@dataclass(frozen=True)
class Candidates(Merged):
    """Items, each once. A row of n_items or more is no item of the version but `new_item_ids[row - n_items]`."""

    new_item_ids: list[str]
    lists: list[Proposals]  # what each source proposed, where that was asked for


def merge(proposals: Sequence[Proposals], left: RowSet) -> Merged:
    """One list out of several, without the rows that are not left; all are of the base of `left`."""
    rows = np.concatenate([each.found.rows for each in proposals])
    scores = np.concatenate([each.found.scores for each in proposals])
    taken, sources = _taken(proposals, left.keeps(rows).nonzero()[0])
    rows = rows[taken]
    # Equal rows side by side, the first one first, so that each run is an item: its place is that of its first.
    shift = len(rows).bit_length()
    ordered = np.sort((rows << shift) + np.arange(len(rows)))
    is_first = np.ones(len(rows), bool)
    np.not_equal(ordered[1:] >> shift, ordered[:-1] >> shift, out=is_first[1:])
    starts, place = is_first.nonzero()[0], ordered & ((1 << shift) - 1)
    of_place = np.zeros(len(rows), np.uint32)
    if len(rows):
        of_place[place[starts]] = np.bitwise_or.reduceat(sources[place], starts)
    first = of_place.nonzero()[0]
    return Merged(rows[first], scores[taken[first]], of_place[first])


def _taken(proposals: Sequence[Proposals], left: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Of the places that are left, those of the first `most` of each source; and the bit of its source for each."""
    ends = left.searchsorted(np.cumsum([len(each.found.rows) for each in proposals])).tolist()
    parts, start = [], 0
    for each, end in zip(proposals, ends, strict=True):
        parts.append(left[start : min(end, start + each.most)])
        start = end
    bits = np.array([1 << each.source for each in proposals], np.uint32)
    return np.concatenate(parts), bits.repeat([len(part) for part in parts])


def candidates_of(
    proposals: Sequence[Proposals], eligible: EligibleItems, left: ItemsLeft, *, with_lists: bool = False
) -> Candidates:
    """The proposals merged; of the items that the shop added since, only the proposed ones are named."""
    merged = merge(proposals, left.rows)
    added = (merged.rows >= eligible.n_items).nonzero()[0]
    new_rows = merged.rows[added]
    merged.rows[added] = np.arange(eligible.n_items, eligible.n_items + len(added))
    return Candidates(
        rows=merged.rows,
        scores=merged.scores,
        sources=merged.sources,
        new_item_ids=[eligible.new_ids[row] for row in (new_rows - eligible.n_items).tolist()],
        lists=_lists(proposals, left, new_rows, n_items=eligible.n_items) if with_lists else [],
    )


def _lists(
    proposals: Sequence[Proposals], left: ItemsLeft, new_rows: NDArray[np.int64], *, n_items: int
) -> list[Proposals]:
    """What is taken of each source, with the rows that the candidates have."""
    number = {row: n_items + at for at, row in enumerate(new_rows.tolist())}
    lists = []
    for each in proposals:
        taken = left.first(each.found, each.most)
        rows = np.array([number.get(row, row) for row in taken.rows.tolist()], np.int64)
        lists.append(replace(each, found=Neighbours(rows, taken.scores)))
    return lists
