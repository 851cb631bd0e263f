"""Proposals of all sources made one list of candidates, each item once, whose rows the second stage can read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from candidate_gen.eligible import EligibleItems
from candidate_gen.search.item_index import Neighbours
from recsys.shop.sources import Source


@dataclass(frozen=True)
class Proposals:
    """What one source proposed: rows of `EligibleItems` and scores, best first, no row twice."""

    source: Source
    found: Neighbours


@dataclass(frozen=True)
class Merged:
    """All proposals, [n] each: the first source's first, and of each source what no earlier one had proposed."""

    rows: list[int]
    scores: list[float]  # of the first source that proposed the item
    sources: list[int]  # bit 1 << source for every source


def merge(proposals: Sequence[Proposals]) -> Merged:
    """One list out of several. In lists of Python, as the wire takes them: arrays of this size took twice as long."""
    first, *others = [each for each in proposals if len(each.found.rows)] or proposals[:1]
    rows: list[int] = first.found.rows.tolist()
    scores: list[float] = first.found.scores.tolist()
    sources = [1 << first.source] * len(rows)
    place = dict(zip(rows, range(len(rows)), strict=True))
    for each in others:
        for row, score in zip(each.found.rows.tolist(), each.found.scores.tolist(), strict=True):
            at = place.setdefault(row, len(rows))
            if at < len(rows):
                sources[at] |= 1 << each.source
            else:
                rows.append(row)
                scores.append(score)
                sources.append(1 << each.source)
    return Merged(rows, scores, sources)


@dataclass(frozen=True)
class Candidates(Merged):
    """Items, each once. A row of n_items or more is no item of the version but `new_item_ids[row - n_items]`."""

    new_item_ids: list[str]
    lists: list[Proposals]  # what each source proposed, where that was asked for


def candidates_of(proposals: Sequence[Proposals], eligible: EligibleItems, *, with_lists: bool = False) -> Candidates:
    """The proposals merged; of the items that the shop added since, only the proposed ones are named."""
    merged = merge(proposals)
    new_rows = [row for row in merged.rows if row >= eligible.n_items] if eligible.new_ids else []
    place = {row: eligible.n_items + at for at, row in enumerate(new_rows)}
    return Candidates(
        rows=[place.get(row, row) for row in merged.rows] if place else merged.rows,
        scores=merged.scores,
        sources=merged.sources,
        new_item_ids=[eligible.new_ids[row - eligible.n_items] for row in new_rows],
        lists=[
            Proposals(each.source, Neighbours(_renumbered(each.found.rows, place), each.found.scores))
            for each in proposals
            if with_lists
        ],
    )


def _renumbered(rows: NDArray[np.int64], place: dict[int, int]) -> NDArray[np.int64]:
    if not place:
        return rows
    return np.array([place.get(row, row) for row in rows.tolist()], np.int64)
