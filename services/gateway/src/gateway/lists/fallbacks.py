"""What is answered when a stage fails: the next rung, and an error only where there is no list at all.

full → without_live_state (the feature store is away) → without_rerank (the first stage's own order) →
popular_in_category (the list that this process keeps) → static (that of a file). docs/adr/0009 says why.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

import grpc

from gateway.lists.popular_list import PopularList
from gateway.lists.ranked import RankedList, in_order
from gateway.requests import Filter
from gateway.shop.live_shop import LiveShop
from recsys.v1.candidate_gen_service_pb2 import (
    GetCandidatesResponse,
    GetPopularItemsResponse,
    GetSimilarItemsResponse,
)
from recsys.v1.item_pb2 import CANDIDATE_SOURCE_POPULAR

# What the caller must hear, since no other rung would make it right.
_OF_THE_CALLER: Final = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)

Found: TypeAlias = GetCandidatesResponse | GetPopularItemsResponse | GetSimilarItemsResponse
"""Candidates of the first stage."""


@dataclass(frozen=True)
class Fallbacks:
    """The rungs below the full answer."""

    live: LiveShop
    popular: PopularList

    def without_rerank(self, found: Found, *, count: int) -> RankedList:
        """The first stage's candidates, which came with their ids, in its own order."""
        described = (
            self.popular.described(item_id, artifact_version=found.artifact_version, live=self.live)
            for item_id in found.item_ids
        )
        # scores of different sources do not compare: the order is what counts, and scores must not rise in it
        scores = accumulate(found.candidates.scores, min)
        listed = zip(described, scores, found.candidates.sources, strict=True)
        on_sale = ((item, score, bits) for item, score, bits in listed if item is not None)
        return in_order(found.artifact_version, on_sale, count=count, level="without_rerank")

    def instead(
        self,
        error: grpc.aio.AioRpcError,
        only: Filter,
        *,
        count: int,
        without: Collection[str] = (),
        liked: Sequence[str] = (),
    ) -> RankedList:
        """Items of the list that this process keeps; `error` is raised where it has none, or is the caller's."""
        if is_of_the_caller(error) or not self.popular:
            raise error
        taken = self.popular.take(only, without=without, liked=liked, live=self.live)
        listed = ((item, 0.0, 1 << CANDIDATE_SOURCE_POPULAR) for item in taken.items)
        return in_order(taken.artifact_version, listed, count=count, level=taken.level)


def is_of_the_caller(error: grpc.aio.AioRpcError) -> bool:
    """Whether the request itself is wrong."""
    return error.code() in _OF_THE_CALLER
