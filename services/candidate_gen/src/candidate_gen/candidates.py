"""The hand-off to the wire: what all sources proposed as one list, whose rows the second stage can read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from candidate_gen.eligible import Assortment
from candidate_gen.search.item_index import Neighbours
from candidate_gen.sources.merging import Proposals, merge


@dataclass(frozen=True)
class Candidates:
    """Items, each once. A row of n_items or more is no item of the version but `new_item_ids[row - n_items]`."""

    rows: list[int]  # [n]
    scores: list[float]  # [n] of the first source that proposed the item
    sources: list[int]  # [n] bit 1 << Source for every source
    new_item_ids: list[str]
    lists: list[Proposals]  # what each source proposed, where that was asked for


def candidates_of(proposals: Sequence[Proposals], assortment: Assortment, *, with_lists: bool = False) -> Candidates:
    """The proposals merged; of the items that the shop added since, only the proposed ones are named."""
    merged = merge(proposals)
    new_rows = [row for row in merged.rows if row >= assortment.n_items] if assortment.new_ids else []
    place = {row: assortment.n_items + at for at, row in enumerate(new_rows)}
    return Candidates(
        rows=[place.get(row, row) for row in merged.rows] if place else merged.rows,
        scores=merged.scores,
        sources=merged.sources,
        new_item_ids=[assortment.new_ids[row - assortment.n_items] for row in new_rows],
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
