"""The hand-off from ranking to presentation: a ranked list of which everything may be shown."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.answers import Level
from recsys.v1.item_pb2 import Item, RankedItem
from recsys.v1.reranker_service_pb2 import Remainder


@dataclass(frozen=True)
class RankedList:
    """What was ranked, without what this process knows to be off sale."""

    artifact_version: str
    items: list[RankedItem]
    beyond: list[RankedItem]  # ranked, but beyond the count
    remainder: Remainder = field(default_factory=Remainder)
    level: Level = "full"


def in_order(
    artifact_version: str, listed: Iterable[tuple[Item, float, int]], *, count: int, level: Level
) -> RankedList:
    """A list that the second stage did not see: items with their scores and the bits of their sources, best first."""
    listed = list(listed)
    ranked = [
        RankedItem(
            item=item,
            score=score,
            sources=[source for source in range(1, bits.bit_length()) if bits >> source & 1],  # type: ignore[misc]
            propensity=1.0,
        )
        for item, score, bits in listed[:count]
    ]
    item_ids, scores, sources = [], [], []
    for item, score, bits in listed[count:]:
        item_ids.append(item.item_id)
        scores.append(score)
        sources.append(bits)
    rest = Remainder(item_ids=item_ids, scores=scores, sources=sources, propensities=[1.0] * len(item_ids))
    return RankedList(artifact_version, ranked, beyond=[], remainder=rest, level=level)
