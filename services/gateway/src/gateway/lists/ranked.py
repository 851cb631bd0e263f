"""Hand-offs between ranking and answering: a ranked list, and the page of one that somebody gets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final, get_args

from gateway.lists.list_cursors import ListFacts, RestOfList
from gateway.schemas import Level
from recsys.shop.item_wire import sources_to_wire
from recsys.v1.item_pb2 import Item, RankedItem
from recsys.v1.reranker_service_pb2 import Remainder

LEVELS: Final[tuple[Level, ...]] = get_args(Level)  # from the best one down


@dataclass(frozen=True)
class RankedList:
    """What was ranked, without what this process knows to be off sale."""

    artifact_version: str
    items: Sequence[RankedItem]
    beyond: Sequence[RankedItem] = ()  # ranked, but beyond the count
    remainder: Remainder = field(default_factory=Remainder)
    level: Level = "full"

    def rest(self, facts: ListFacts) -> RestOfList:
        """What the first page leaves for further ones."""
        beyond, remainder = self.beyond, self.remainder
        propensities = remainder.propensities or [1.0] * len(remainder.item_ids)  # an older reranker says none
        return RestOfList(
            facts=facts,
            item_ids=[*(each.item.item_id for each in beyond), *remainder.item_ids],
            scores=[*(each.score for each in beyond), *remainder.scores],
            sources=[*(sum(1 << source for source in each.sources) for each in beyond), *remainder.sources],
            propensities=[*(each.propensity for each in beyond), *propensities],
        )


@dataclass(frozen=True)
class Page:
    """A part of a list for somebody."""

    items: Sequence[RankedItem]
    facts: ListFacts  # of the list, and what this page could be made of
    rest: RestOfList | None  # what follows; none: nobody asked for it
    dropped: Mapping[str, int] | None = None  # items by the condition that drops them; none: nobody asked for it
    list_id: str = field(default_factory=lambda: token_hex(16))  # of this answer, whatever the caller calls its request


def ranked_item(item: Item, score: float, sources: int, propensity: float = 1.0) -> RankedItem:
    """An item that the second stage did not describe. `sources` is a bit set."""
    return RankedItem(item=item, score=score, sources=sources_to_wire(sources), propensity=propensity)


def in_order(
    artifact_version: str, listed: Iterable[tuple[Item, float, int]], *, count: int, level: Level
) -> RankedList:
    """A list that the second stage did not see: items with their scores and the bits of their sources, best first."""
    first, rest = (rows := list(listed))[:count], rows[count:]
    return RankedList(
        artifact_version,
        [ranked_item(*row) for row in first],
        remainder=Remainder(
            item_ids=[item.item_id for item, _, _ in rest],
            scores=[score for _, score, _ in rest],
            sources=[sources for _, _, sources in rest],
        ),
        level=level,
    )
