"""The use-case: candidates from the first stage, the best of them from the second, by what happened up to now.

In: for whom or for what, and how. Out: what may be shown, all of one artifact version.
Raises: `grpc.aio.AioRpcError` where a service refuses or fails.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeVar
from uuid import uuid4

import grpc

from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.experiments.live import Assignment
from gateway.lists import stage_requests as wire
from gateway.lists.fallbacks import Found, Ladder, is_of_the_caller
from gateway.lists.ranked import Shown
from gateway.requests import Filter, RecommendationRequest, Rule
from gateway.schemas import Level
from gateway.settings import Settings
from gateway.shop.live import Live
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Profile, Subject
from recsys.observability.logging import request_id
from recsys.v1.candidate_gen_service_pb2 import (
    GetCandidatesRequest,
    GetCandidatesResponse,
    GetPopularItemsRequest,
    GetSimilarItemsRequest,
)
from recsys.v1.reranker_service_pb2 import RerankRequest

T = TypeVar("T")

_RECENT: Final = 3  # of the items that somebody looked at last count for the list that this process keeps
_SECOND_STAGE_SHARE: Final = 0.7  # of what is left when its turn comes; the rest is for the next rung


def new_list_id() -> str:
    """Of an answer, whatever the caller calls its request."""
    return uuid4().hex


@dataclass(frozen=True)
class Recommended:
    """A ranked list for somebody, and what it was made of."""

    found: GetCandidatesResponse
    shown: Shown
    subject: Subject | None
    assignment: Assignment | None
    level: Level
    is_explained: bool
    is_preview: bool
    list_id: str = field(default_factory=new_list_id)


@dataclass(frozen=True)
class Recommender:
    """Both stages, under the request's budget of time."""

    clients: Clients
    settings: Settings
    live: Live
    ladder: Ladder
    rules: tuple[Rule, ...] = ()  # shop-wide

    async def for_somebody(self, asked: RecommendationRequest) -> Recommended:
        """Items for a user, a session, a cart, or nobody in particular."""
        deadline = Deadline.after(self.settings.timeout_s)
        profile, level = await self._profile(wire.subject_of(asked))
        subject = profile.subject if profile else None
        # who cannot be looked up may have an arm already: no other one is given
        assignment = self.live.experiments.assign(profile) if profile and level == "full" else None
        arm = assignment.arm if assignment else None
        candidates = max(asked.count, (arm.candidates if arm else None) or self.settings.candidates)
        erased = self.live.erased_sequence(subject.id) if subject is not None and subject.kind == "user" else 0
        to_find = wire.candidates_request(asked, profile, count=candidates, erased_sequence=erased)
        to_rank = wire.rerank_request(
            asked,
            arm,
            rules=self.rules,
            settings=self.settings,
            seed=int.from_bytes(sha256(request_id.get().encode()).digest()[:8]),
        )

        def recommended(found: GetCandidatesResponse, shown: Shown) -> Recommended:
            lower = level if shown.level == "full" else shown.level
            return Recommended(
                found, shown, subject, assignment, lower, is_explained=asked.explain, is_preview=asked.preview
            )

        async def attempt(version: str) -> Recommended:
            to_find.artifact_version = version
            to_find.with_item_ids = self.clients.reranker.is_away
            first = self.clients.candidate_gen.get_candidates
            found = await first(to_find, timeout_s=self._first_stage_s(deadline))
            wire.hand_over(found, to_rank)
            again = _with_ids(first, to_find, found)
            shown = await self._ranked(to_rank, found, again, count=asked.count, deadline=deadline)
            return recommended(found, shown)

        try:
            return await self._from_one_version(attempt, deadline, wanted=(arm.artifact_version if arm else None) or "")
        except grpc.aio.AioRpcError as error:
            shown = self.ladder.instead(
                error,
                asked.filter,
                count=asked.count,
                without={*to_find.seen_item_ids, *to_find.basket_item_ids},
                liked=[*to_find.basket_item_ids, *(event.item_id for event in to_find.events)][:_RECENT],
            )
            matching = len(shown.items) + len(shown.remainder.item_ids)
            found = GetCandidatesResponse(artifact_version=shown.artifact_version, matching_items=matching)
            return recommended(found, shown)

    async def similar_to(self, item_id: str, *, count: int, only: Filter) -> Shown:
        """Items like an item."""
        deadline = Deadline.after(self.settings.timeout_s)

        async def attempt(version: str) -> Shown:
            request = GetSimilarItemsRequest(
                item_id=item_id,
                count=max(count, self.settings.candidates),
                artifact_version=version,
                filter=wire.filter_of(only),
                with_item_ids=self.clients.reranker.is_away,
            )
            first = self.clients.candidate_gen.get_similar_items
            found = await first(request, timeout_s=self._first_stage_s(deadline))
            again = _with_ids(first, request, found)
            to_rank = RerankRequest(
                artifact_version=found.artifact_version,
                item_id=item_id,
                candidates=found.candidates,
                blend=wire.PERSONAL_ALONE,
            )
            return await self._ranked(to_rank, found, again, count=count, deadline=deadline)

        try:
            return await self._from_one_version(attempt, deadline)
        except grpc.aio.AioRpcError as error:
            return self.ladder.instead(error, only, count=count, without=[item_id], liked=[item_id])

    async def popular(self, *, count: int, only: Filter) -> Shown:
        """Popular items, which keep their order in the second stage."""
        deadline = Deadline.after(self.settings.timeout_s)

        async def attempt(version: str) -> Shown:
            request = GetPopularItemsRequest(
                count=count,
                artifact_version=version,
                filter=wire.filter_of(only),
                with_item_ids=self.clients.reranker.is_away,
            )
            first = self.clients.candidate_gen.get_popular_items
            found = await first(request, timeout_s=self._first_stage_s(deadline))
            again = _with_ids(first, request, found)
            to_rank = RerankRequest(
                artifact_version=found.artifact_version, candidates=found.candidates, blend=wire.PERSONAL_ALONE
            )
            return await self._ranked(to_rank, found, again, count=count, deadline=deadline)

        try:
            return await self._from_one_version(attempt, deadline)
        except grpc.aio.AioRpcError as error:
            return self.ladder.instead(error, only, count=count)

    async def _ranked(
        self,
        to_rank: RerankRequest,
        found: Found,
        again: Callable[[float], Awaitable[Found]],
        *,
        count: int,
        deadline: Deadline,
    ) -> Shown:
        """The second stage's list, or without it the first stage's own order.

        That takes the ids of the candidates. They are asked for from the start only while the reranker is known to be
        away, and else `again`: 200 of them in every answer would cost more.
        """
        try:
            shown = await self._best(to_rank, count=count, deadline=deadline)
        except grpc.aio.AioRpcError as error:
            # another version is asked for before a stage is left out
            if is_of_the_caller(error) or error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                raise
            if not found.item_ids:
                found = await again(deadline.remaining_s())
            return self.ladder.without_rerank(found, count=count)
        self.ladder.spare.remember(shown.artifact_version, (each.item for each in shown.items))
        return shown

    async def _best(self, request: RerankRequest, *, count: int, deadline: Deadline) -> Shown:
        """The best `count` that may be shown.

        Where a service does not know yet what is off sale, it is asked for as many more as had to be hidden. It is not
        asked for more from the start: diversity, pins and exploration are laid out over just the items of the page.
        """
        request.count = count
        while True:
            ranked = await self.clients.reranker.rerank(request, timeout_s=deadline.remaining_s() * _SECOND_STAGE_SHARE)
            items = [each for each in ranked.items if not self.live.is_hidden(each.item.item_id)]
            if len(items) >= count or len(ranked.items) < request.count:
                return Shown(ranked.artifact_version, items[:count], items[count:], ranked.remainder)
            request.count += count - len(items)

    def _first_stage_s(self, deadline: Deadline) -> float:
        return deadline.remaining_s() * self.settings.candidate_share

    async def _profile(self, subject: Subject | None) -> tuple[Profile | None, Level]:
        if subject is None:
            return None, "full"
        try:
            return await self.live.profile(subject, timeout_s=self.settings.store_timeout_s), "full"
        except StoreUnavailableError:  # the follower logs it; here it costs this answer its live part, and no more
            return Profile(subject, recent=(), seen={}), "without_live_state"

    async def _from_one_version(
        self, attempt: Callable[[str], Awaitable[T]], deadline: Deadline, *, wanted: str = ""
    ) -> T:
        """The pair of calls, and once more if a service does not hold the version.

        While a new model goes round, one service takes it before the other. Each holds the version before it too, so
        the second attempt asks for candidates of the version that the reranker answers with: simply asking again
        would get the same ones. So does an experiment's arm whose own version is not held.
        """
        try:
            return await attempt(wanted)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
        live = await self.clients.reranker.get_model(timeout_s=deadline.remaining_s() * _SECOND_STAGE_SHARE)
        return await attempt(live.artifact_version)


def _with_ids(
    ask: Callable[..., Awaitable[Found]],
    request: GetCandidatesRequest | GetPopularItemsRequest | GetSimilarItemsRequest,
    found: Found,
) -> Callable[[float], Awaitable[Found]]:
    """Asks, within so many seconds, for the same candidates with their ids."""

    def again(timeout_s: float) -> Awaitable[Found]:
        request.artifact_version = found.artifact_version
        request.with_item_ids = True
        return ask(request, timeout_s=timeout_s)

    return again
