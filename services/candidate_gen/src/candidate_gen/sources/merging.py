"""Proposals of all sources made one list: each item once, with a bit for every source that proposed it."""

from collections.abc import Sequence
from dataclasses import dataclass

from candidate_gen.search.item_index import Neighbours
from recsys.shop.sources import Source


@dataclass(frozen=True)
class Proposals:
    """What one source proposed: rows of `Assortment` and scores, best first, no row twice."""

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
