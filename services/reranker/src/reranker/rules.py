"""What the shop wants seen, whatever the model says: boosts change scores, pins take positions of the first page."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reranker.candidates import Candidates
from reranker.request import Rule


@dataclass(frozen=True)
class Boosts:
    """What each candidate's score is multiplied by."""

    factors: NDArray[np.float64]  # [n]
    matches: list[tuple[Rule, NDArray[np.int64]]]  # each boosting rule, and the candidates that it matches

    def names(self, index: int) -> list[str]:
        """The rules that boosted a candidate."""
        return [rule.name for rule, matching in self.matches if index in matching]


@dataclass(frozen=True)
class Pins:
    """Positions (from 0) that are taken."""

    index_at: dict[int, int] = field(default_factory=dict)  # position → candidate
    name_of: dict[int, str] = field(default_factory=dict)  # candidate → rule


def pinning(rules: Iterable[Rule], *, count: int) -> list[Rule]:
    """The rules that take one of the first `count` positions."""
    return [rule for rule in rules if rule.pin_position is not None and rule.pin_position <= count]


def boosts(candidates: Candidates, rules: Sequence[Rule]) -> Boosts:
    """The product of the factors of all boosting rules that match."""
    factors = np.ones(len(candidates))
    matches = []
    for rule in rules:
        if rule.boost is not None:
            matching = _matching(rule, candidates)
            factors[matching] *= rule.boost
            matches.append((rule, matching))
    return Boosts(factors, matches)


def pins(
    candidates: Candidates,
    rules: Sequence[Rule],
    *,
    in_order: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    size: int,
) -> Pins:
    """The best matching candidate for each rule, at its position or, if that is taken, at the next free one.

    On a page that is too short for the position, the last free one.

    Args:
        in_order: puts the best of some candidates first.
        size: positions that there are.
    """
    taken = Pins()
    for rule in rules:
        matching = in_order(_matching(rule, candidates)).tolist()
        best = next((index for index in matching if index not in taken.name_of), None)  # none stands in two places
        free = [at for at in range(size) if at not in taken.index_at]
        if best is not None and free:
            position = next((at for at in free if at + 1 >= (rule.pin_position or 1)), free[-1])
            taken.index_at[position] = best
            taken.name_of[best] = rule.name
    return taken


def _matching(rule: Rule, candidates: Candidates) -> NDArray[np.int64]:
    """Candidates, ascending."""
    if rule.category is None:
        return candidates.indices_of(rule.item_id or "")
    code = candidates.catalogue.category_code(rule.category)
    matching: NDArray[np.int64] = (candidates.categories == code).nonzero()[0]
    return matching
