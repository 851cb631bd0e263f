"""Proposals of all sources made one list of candidates, each item once, whose rows the second stage can read.

Plain lists and dictionaries: for the few hundred rows of a request they take less than arrays do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recsys.shop.sources import Source


@dataclass(frozen=True, slots=True)
class Proposals:
    """What one source proposed: rows and their scores, best first, no row twice."""

    source: Source
    ranked: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items, each once: the first source's first, and of each source what no earlier one had proposed.

    A row of n_items or more is no item of the version but `new_item_ids[row - n_items]`.
    """

    rows: list[int]
    scores: list[float]  # of the first source that proposed the item
    sources: list[int]  # bit 1 << source for every source
    new_item_ids: list[str]
    lists: list[Proposals]  # what each source proposed, where that was asked for


def candidates_of(
    proposals: Sequence[Proposals], *, n_items: int, new_ids: Sequence[str], with_lists: bool = False
) -> Candidates:
    """The proposals merged. Rows from `n_items` on are of `new_ids`, of which only the proposed ones are named."""
    sources: dict[int, int] = {}
    scores: list[float] = []
    for each in proposals:
        bit = 1 << each.source
        for row, score in each.ranked:
            if row in sources:
                sources[row] |= bit
            else:
                sources[row] = bit
                scores.append(score)
    added = [row for row in sources if row >= n_items]
    number = {row: n_items + at for at, row in enumerate(added)}
    return Candidates(
        rows=[number.get(row, row) for row in sources] if added else list(sources),
        scores=scores,
        sources=list(sources.values()),
        new_item_ids=[new_ids[row - n_items] for row in added],
        lists=[_numbered(each, number) for each in proposals] if with_lists else [],
    )


def _numbered(proposed: Proposals, number: dict[int, int]) -> Proposals:
    """With the rows that the candidates have."""
    return replace(proposed, ranked=[(number.get(row, row), score) for row, score in proposed.ranked])
