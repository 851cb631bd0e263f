"""The order of the stages: candidates in, the first page of them described and the rest in order out.

on sale → exact scores → blend → boosts → order, then pins → diversity → exploration, then description and explanation.
Each stage is a module.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from recsys.artifact.paging import page_in, spread
from recsys.artifact.reader import Artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.filter import NO_FILTER
from reranker.candidates import BY_RULE, on_sale
from reranker.diversity import diverse, page_size
from reranker.explanation import Explanation, check_history, explain
from reranker.exploration import Explored, explore
from reranker.request import ANY_DIVERSITY, Proposed, RankRequest
from reranker.rules import Pins, pinning, pins
from reranker.scoring import Scored, score

_WARMING_REQUESTS: Final = 16
_WARMING_CANDIDATES: Final = 200
_WARMING_ITEMS: Final = 10


class RankedItem(NamedTuple):
    """An item where it stands."""

    description: bytes  # see `recsys.shop.item_wire.description`
    score: float
    sources: int  # bit 1 << source for every source
    propensity: float  # of this item at this place, over all draws of exploration; 1: chance could change nothing
    explanation: Explanation | None


class RestItem(NamedTuple):
    """An item that follows the page."""

    item_id: str
    score: float
    sources: int
    propensity: float  # as of a ranked item


@dataclass(frozen=True)
class Ranking:
    """The first page, and what follows it by score, worked out only when it is read."""

    items: list[RankedItem]
    rest: Iterator[RestItem]


class Ranker:
    """Ranks the candidates of one artifact version, whose embeddings stay on disk, memory-mapped."""

    def __init__(self, artifact: Artifact, *, live: LiveState | None = None) -> None:
        self.artifact = artifact
        self.manifest = artifact.manifest
        self.catalogue = LiveCatalogue(artifact, live)

    def warm(self) -> None:
        """Rank for a few users, so that nobody else's request is the first."""
        page_in(self.artifact.item_embeddings)
        rows = np.array(spread(len(self.artifact.items), _WARMING_CANDIDATES))
        # of a version without users, items stand for them
        queries = self.artifact.user_embeddings if self.manifest.holds_users else self.artifact.item_embeddings
        for row in spread(len(queries), _WARMING_REQUESTS):
            candidates = Proposed(rows, np.zeros(len(rows), np.float32), np.ones(len(rows), np.uint32))
            self.rank(RankRequest(candidates=candidates, count=_WARMING_ITEMS, query_vector=queries[row]))

    def rank(self, request: RankRequest) -> Ranking:
        """The best of the candidates that are on sale, overruled by what the shop asks for.

        Raises:
            InvalidArgumentError: a row or query item that the version does not have, a row twice, a vector of another
                dimension.
        """
        if request.history is not None:
            check_history(request.history, dim=self.manifest.dim)
        named = (rule.item_id for rule in pinning(request.rules, count=request.count) if rule.item_id is not None)
        pinned_ids = [item_id for item_id in named if self._may_pin(item_id, request)]
        scored = score(on_sale(request.candidates, self.catalogue, pinned_item_ids=pinned_ids), request)
        pin, explored = _arranged(scored, request)
        return Ranking(items=_page(scored, pin, explored, request), rest=_rest(scored, explored))

    def _may_pin(self, item_id: str, request: RankRequest) -> bool:
        """Whether an item is what was asked for; whether it is on sale is asked of all candidates."""
        if item_id in request.excluded_item_ids:
            return False
        if request.filter == NO_FILTER:
            return True
        item = self.catalogue.find(item_id)
        return item is not None and request.filter.passes(item)


def _arranged(scored: Scored, request: RankRequest) -> tuple[Pins, Explored]:
    """The page: candidates by index as they stand, and what put some of them there."""
    candidates, diversity = scored.candidates, request.diversity or ANY_DIVERSITY
    size = page_size(candidates, diversity, count=request.count)
    pin = pins(candidates, pinning(request.rules, count=request.count), in_order=scored.in_order, size=size)
    placed = set(pin.name_of)
    free = size - len(placed)
    # of all candidates where any may be too much like others, else of as many as there are places
    best = scored.order if request.diversity else scored.best(size)
    others = [index for index in best.tolist() if index not in placed]
    if request.diversity is not None:
        others = diverse(candidates, diversity, scores=scored.scores, pool=others, placed=list(placed), count=free)
    page = _around(pin.index_at, others[:free], size=size)
    if request.exploration is None:
        return pin, Explored(page, [1.0] * len(page), None)
    most = diversity.max_per_category
    return pin, explore(page, candidates, request.exploration, pinned=pin.index_at, most=most)


def _around(standing: dict[int, int], others: list[int], *, size: int) -> list[int]:
    """The candidates of the page: those that stand at their positions, the others around them in their order."""
    if not standing:
        return others
    following = iter(others)
    positions = (standing[at] if at in standing else next(following, None) for at in range(size))
    return [index for index in positions if index is not None]


def _page(scored: Scored, pin: Pins, explored: Explored, request: RankRequest) -> list[RankedItem]:
    page, candidates = explored.page, scored.candidates
    proposed_by = candidates.sources[page].tolist()
    sources = [bits | BY_RULE if at in pin.name_of else bits for at, bits in zip(page, proposed_by, strict=True)]
    explanations = [explain(index, scored, pin, request) if request.explain else None for index in page]
    scores, descriptions = scored.scores[page].tolist(), candidates.descriptions(page)
    return list(map(RankedItem, descriptions, scores, sources, explored.propensities, explanations))


def _rest(scored: Scored, explored: Explored) -> Iterator[RestItem]:
    candidates, on_page, odds = scored.candidates, set(explored.page), explored.odds
    rest = [index for index in scored.order.tolist() if index not in on_page]
    propensities = [1.0] * len(rest) if odds is None else odds.of_rest(rest, scored.order).tolist()
    scores, sources = scored.scores[rest].tolist(), candidates.sources[rest].tolist()
    yield from map(RestItem, candidates.item_ids(rest), scores, sources, propensities)
