"""One place for an item of which the model knows nothing: without being shown, it could never be learnt about.

In: a page that is made already. Out: the page as chance leaves it, and how probable each item's place was. Exploration
is the last stage, so that nothing moves an item after its probability was worked out.
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.catalogue import NO_TEXT
from reranker.candidates import Candidates
from reranker.request import Exploration


@dataclass(frozen=True)
class Explored:
    """The page, and the probability of just this item at just this place, over all draws of chance."""

    page: list[int]  # candidates by index
    propensities: list[float]  # [len(page)]
    odds: "Odds | None"  # none: chance could change nothing


@dataclass(frozen=True)
class Odds:
    """What chance could do to a page: each of `new` as likely, and what it did."""

    share: float
    new: list[int]
    displaced: int  # what leaves the page for any of them
    drawn: int | None  # one of `new`; none: the page stays as it was

    def of_rest(self, rest: Sequence[int], order: NDArray[np.int64]) -> NDArray[np.float64]:
        """[len(rest)] the probability of just this item at just this place after the page.

        Where a new item moves onto the page, those behind it move up by one place; where the displaced item joins the
        rest, those behind it move down by one.

        Args:
            rest: the candidates that are not on the page, the best first.
            order: all candidates, the best first.
        """
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        ranks, ranks_of_new = rank[list(rest)], np.sort(rank[self.new])
        before = np.searchsorted(ranks_of_new, ranks)  # how many new items stand before each
        after = len(self.new) - np.searchsorted(ranks_of_new, ranks, side="right")
        down = (rank[self.displaced] < ranks).astype(np.int64)
        each = self.share / len(self.new)
        if self.drawn is None:  # at this place too where the draw moves it up and down alike, or not at all
            return 1 - self.share + each * np.where(down, before, after)
        up = (rank[self.drawn] < ranks).astype(np.int64)
        propensities = each * np.where(up, before, after) + (1 - self.share) * (up == down)
        is_displaced = np.asarray(rest) == self.displaced  # which is in the rest by a draw only
        return np.where(is_displaced, each * np.where(up, before, after), propensities)


def explore(
    page: list[int], candidates: Candidates, exploration: Exploration, *, pinned: Container[int], most: int
) -> Explored:
    """With probability `share`, one new candidate at one place of the page's second half, both drawn uniformly.

    The items from that place on move down by one, around the pinned places; the last one leaves the page. The same seed
    makes the same choice from the same candidates.

    Args:
        pinned: places (from 0) that stay as they are.
        most: items of a category that a page may have; 0: any number.
    """
    free = [place for place in range(len(page)) if place not in pinned]
    places = [place for place in free if place >= (len(page) + 1) // 2]
    new = _new(page, candidates, displaced=page[free[-1]], most=most) if places and exploration.share > 0 else []
    if not new:
        return Explored(page, [1.0] * len(page), None)
    chance = Random(exploration.seed)
    is_drawn = chance.random() < exploration.share
    drawn, place = (chance.choice(new), chance.choice(places)) if is_drawn else (None, len(page))
    each_place = exploration.share / len(places)
    after, propensities = list(page), [1.0] * len(page)
    moving = drawn
    for nth, at in enumerate(free, start=len(places) - len(free) + 1):
        moved = each_place * max(nth, 0)  # the probability that what stands here moves down
        if at < place or moving is None:
            propensities[at] = 1 - moved
        else:
            after[at], moving = moving, page[at]
            propensities[at] = each_place / len(new) if at == place else moved - each_place
    return Explored(after, propensities, Odds(exploration.share, new, page[free[-1]], drawn))


def _new(page: Sequence[int], candidates: Candidates, *, displaced: int, most: int) -> list[int]:
    """Candidates of which the model knows nothing, and that the page may take in place of the displaced one."""
    on_page = set(page)
    new = [index for index in candidates.without_vector().tolist() if index not in on_page]
    if not new or most == 0:
        return new
    categories = candidates.categories.tolist()
    counts = Counter(categories[index] for index in page if index != displaced)
    return [index for index in new if categories[index] == NO_TEXT or counts[categories[index]] < most]
