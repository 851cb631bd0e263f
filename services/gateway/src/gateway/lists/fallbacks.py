"""What is answered when a stage fails: the next fallback, and an error only where there is no list at all.

full → without_live_state (the feature store is unavailable) → without_rerank (the first stage's own order) →
popular_in_category (the popular list that this process keeps) → static (that of a file). docs/adr/0009 says why.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat
from typing import Final

import grpc

from gateway.lists.popular_list import PopularList
from gateway.lists.ranked import RankedList, in_order
from gateway.lists.stage_requests import Found
from gateway.requests import Filter
from gateway.shop.live_shop import LiveShop
from recsys.shop.item_wire import scores_of, sources_of
from recsys.shop.sources import Source
from recsys.v1.item_pb2 import Item

# What the caller must hear, since no fallback would make it right.
_OF_THE_CALLER: Final = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


@dataclass(frozen=True)
class Fallbacks:
    """The lists below the full answer."""

    live: LiveShop
    popular: PopularList

    def described(self, item_id: str, *, artifact_version: str) -> Item | None:
        """An item as this process knows it of the version. None: not on sale."""
        return self.popular.described(item_id, artifact_version=artifact_version, live=self.live)

    def without_rerank(self, found: Found, *, count: int) -> RankedList:
        """The first stage's candidates, which came with their ids, in its own order."""
        version = found.artifact_version
        described = (self.described(item_id, artifact_version=version) for item_id in found.item_ids)
        # scores of different sources do not compare: the order is what counts, and scores must not rise in it; of a
        # candidate_gen of another release, which packs candidates otherwise, nothing but the order is known
        scores = accumulate(chain(scores_of(found.candidates), repeat(0.0)), min)
        listed = zip(described, scores, chain(sources_of(found.candidates), repeat(0)), strict=False)
        on_sale = ((item, score, bits) for item, score, bits in listed if item is not None)
        return in_order(version, on_sale, count=count, level="without_rerank")

    def instead(
        self,
        error: grpc.aio.AioRpcError,
        only: Filter,
        *,
        count: int,
        without: Collection[str] = (),
        liked: Sequence[str] = (),
    ) -> RankedList:
        """Items of the popular list; `error` is raised where it has none, or is the caller's.

        `without` names items that are excluded or were seen, `liked` those that somebody looked at last.
        """
        if is_of_the_caller(error) or not self.popular:
            raise error
        items = self.popular.passing(only, without=without, liked=liked, live=self.live)
        listed = ((item, 0.0, 1 << Source.POPULAR) for item in items)
        return in_order(self.popular.artifact_version, listed, count=count, level=self.popular.level)


def is_of_the_caller(error: grpc.aio.AioRpcError) -> bool:
    """Whether the request itself is wrong."""
    return error.code() in _OF_THE_CALLER
