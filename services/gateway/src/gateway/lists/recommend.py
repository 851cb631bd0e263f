"""The use-case: candidates from the first stage, the best of them from the second, by what happened up to now.

In: for whom or for what, and how. Out: items that may be recommended, all of one artifact version.
Raises: `grpc.aio.AioRpcError` where a service refuses or fails.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeVar

import grpc

from gateway import schemas
from gateway.breaker import unavailable
from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.experiments.live import Assignment
from gateway.lists import stage_requests
from gateway.lists.fallbacks import Fallbacks, is_of_the_caller
from gateway.lists.list_cursors import ListFacts
from gateway.lists.model_places import ModelPlaces
from gateway.lists.ranked import Page, RankedList
from gateway.lists.rules import ShopRules
from gateway.requests import Filter, RecommendationRequest
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Profile, Subject
from recsys.observability.logging import request_id
from recsys.v1 import candidate_gen_service_pb2 as first_stage
from recsys.v1 import reranker_service_pb2 as second_stage

Candidates = TypeVar("Candidates", bound=stage_requests.Found)

_RECENT: Final = 3  # of the items that somebody looked at last count for the list that this process keeps
_SECOND_STAGE_SHARE: Final = 0.7  # of what is left when its turn comes; the rest is for the next fallback
_ORIGINS: Final[dict[int, schemas.VectorOrigin]] = {
    first_stage.VECTOR_ORIGIN_TRAINED: "trained",
    first_stage.VECTOR_ORIGIN_FOLDED_IN: "folded_in",
}


@dataclass(frozen=True)
class Recommender:
    """Both stages, under the request's budget of time."""

    clients: Clients
    settings: Settings
    live: LiveShop
    fallbacks: Fallbacks
    rules: ShopRules = field(default_factory=ShopRules)  # shop-wide
    model_places: ModelPlaces = field(default_factory=ModelPlaces)

    def deadline(self) -> Deadline:
        """Of a request that arrives now."""
        return Deadline.after(self.settings.timeout_s)

    async def for_somebody(self, asked: RecommendationRequest, deadline: Deadline) -> Page:
        """Items for a user, a session, a cart, or nobody in particular."""
        after = self.model_places.lowest()
        profile, level = await self._profile(stage_requests.subject_of(asked), after_sequence=after)
        subject = profile.subject if profile else None
        # who cannot be looked up may have an arm already: no other one is given
        assignment = self.live.experiments.assign(profile) if profile and level == "full" else None
        arm = self.live.experiments.settings_of(assignment)
        candidates = max(asked.count, (arm.candidates if arm else None) or self.settings.candidates)
        erased = self.live.erased_sequence(subject.id) if subject is not None and subject.kind == "user" else 0
        to_find = stage_requests.candidates_request(
            asked, profile, count=candidates, erased_sequence=erased, events_after=after
        )
        seed = int.from_bytes(sha256(request_id.get().encode()).digest()[:8])
        to_rank = stage_requests.rerank_request(
            asked, arm, shop_wide=self.rules.on_the_wire, settings=self.settings, seed=seed
        )
        wanted = (arm.artifact_version if arm else None) or ""
        try:
            found, ranked = await self._both_stages(
                self._candidates, to_find, to_rank, count=asked.count, deadline=deadline, version=wanted
            )
        except grpc.aio.AioRpcError as error:
            found, ranked = self._instead(error, asked, to_find)
        facts = ListFacts(
            artifact_version=ranked.artifact_version,
            subject=_subject_out(subject),
            vector=_ORIGINS.get(found.vector_origin, "none"),
            matching=found.matching_items,
            experiment=_arm_out(assignment, answered=ranked.artifact_version),
            level=level if ranked.level == "full" else ranked.level,
            preview=asked.preview,
        )
        rest = ranked.rest(facts) if asked.paginate else None
        dropped = {each.reason: each.count for each in found.dropped} if asked.explain else None
        return Page(ranked.items, facts, rest, dropped)

    async def _candidates(
        self, request: first_stage.GetCandidatesRequest, *, timeout_s: float
    ) -> first_stage.GetCandidatesResponse:
        """Candidates of a version, which gets all events where it needs some that were omitted."""
        deadline = Deadline.after(timeout_s)
        found: first_stage.GetCandidatesResponse
        try:
            found = await self.clients.candidate_gen.get_candidates(request, timeout_s=timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                raise
            profile, level = await self._profile(Subject("user", request.user_id))
            request.events_after = 0  # what there is has to do where the store is unavailable by now
            if profile is not None and level == "full":
                stage_requests.give_events(request, profile)
            found = await self.clients.candidate_gen.get_candidates(request, timeout_s=deadline.remaining_s())
        self.model_places.heard_of(found.artifact_version, found.stream_sequence)
        return found

    def _instead(
        self, error: grpc.aio.AioRpcError, asked: RecommendationRequest, to_find: first_stage.GetCandidatesRequest
    ) -> tuple[first_stage.GetCandidatesResponse, RankedList]:
        basket = to_find.basket_item_ids
        ranked = self.fallbacks.instead(
            error,
            asked.filter,
            count=asked.count,
            without={*to_find.seen_item_ids, *basket},
            liked=[*basket, *(event.item_id for event in to_find.events)][:_RECENT],
        )
        matching = len(ranked.items) + len(ranked.remainder.item_ids)
        return first_stage.GetCandidatesResponse(matching_items=matching), ranked

    async def similar_to(
        self, item_id: str, *, count: int, only: Filter, deadline: Deadline, bought_together: bool = False
    ) -> RankedList:
        """Items like an item; or what is bought together with it and then those, in the first stage's own order."""
        request = first_stage.GetSimilarItemsRequest(
            item_id=item_id,
            count=max(count, self.settings.candidates),
            filter=stage_requests.filter_of(only),
            bought_together=bought_together,
        )
        to_rank = second_stage.RerankRequest(
            item_id=None if bought_together else item_id, blend=stage_requests.PERSONAL_ALONE
        )
        ask = self.clients.candidate_gen.get_similar_items
        try:
            return (await self._both_stages(ask, request, to_rank, count=count, deadline=deadline))[1]
        except grpc.aio.AioRpcError as error:
            return self.fallbacks.instead(error, only, count=count, without=[item_id], liked=[item_id])

    async def popular(self, *, count: int, only: Filter, deadline: Deadline, trending: bool = False) -> RankedList:
        """Popular items, or what trends and then those, which keep their order in the second stage."""
        request = first_stage.GetPopularItemsRequest(
            count=count, filter=stage_requests.filter_of(only), trending=trending
        )
        to_rank = second_stage.RerankRequest(blend=stage_requests.PERSONAL_ALONE)
        ask = self.clients.candidate_gen.get_popular_items
        try:
            return (await self._both_stages(ask, request, to_rank, count=count, deadline=deadline))[1]
        except grpc.aio.AioRpcError as error:
            return self.fallbacks.instead(error, only, count=count)

    async def _both_stages(
        self,
        ask: Callable[..., Awaitable[Candidates]],
        to_find: stage_requests.ToFind,
        to_rank: second_stage.RerankRequest,
        *,
        count: int,
        deadline: Deadline,
        version: str = "",
    ) -> tuple[Candidates, RankedList]:
        """The pair of calls, and once more if a service does not hold the version.

        While a new model goes round, one service takes it before the other. Each holds the version before it too, so
        the second attempt asks for candidates of the version that the reranker answers with: simply asking again
        would get the same ones. So does an experiment's arm whose own version is not held.
        """
        to_find.artifact_version = version
        try:
            return await self._one_version(ask, to_find, to_rank, count=count, deadline=deadline)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
        live = await self.clients.reranker.get_model(timeout_s=deadline.remaining_s() * _SECOND_STAGE_SHARE)
        to_find.artifact_version = live.artifact_version
        return await self._one_version(ask, to_find, to_rank, count=count, deadline=deadline)

    async def _one_version(
        self,
        ask: Callable[..., Awaitable[Candidates]],
        to_find: stage_requests.ToFind,
        to_rank: second_stage.RerankRequest,
        *,
        count: int,
        deadline: Deadline,
    ) -> tuple[Candidates, RankedList]:
        """The candidates and the second stage's list, or without that the first stage's own order.

        The latter takes the ids of the candidates. They are asked for from the start only while the reranker is known
        to be unavailable, and else once more: 200 of them in every answer would cost more.
        """
        to_find.with_item_ids = self.clients.reranker.is_unavailable
        found = await ask(to_find, timeout_s=deadline.remaining_s() * self.settings.candidate_share)
        stage_requests.hand_over(found, to_rank)
        try:
            ranked = await self._best(to_rank, count=count, deadline=deadline)
        except grpc.aio.AioRpcError as error:
            # another version is asked for before a stage is skipped
            if is_of_the_caller(error) or error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                raise
            if not found.item_ids:
                to_find.artifact_version, to_find.with_item_ids = found.artifact_version, True
                found = await ask(to_find, timeout_s=deadline.remaining_s())
            return found, self.fallbacks.without_rerank(found, count=count)
        self.fallbacks.popular.remember(ranked.artifact_version, (each.item for each in ranked.items))
        return found, ranked

    async def _best(self, request: second_stage.RerankRequest, *, count: int, deadline: Deadline) -> RankedList:
        """The best `count` that may be recommended.

        Where a service does not know yet what is off sale, it is asked for as many more as had to be hidden. It is not
        asked for more from the start: diversity, pins and exploration are for just the items of the page.
        """
        request.count = count
        while True:
            timeout_s = deadline.remaining_s() * _SECOND_STAGE_SHARE
            answer = await self.clients.reranker.rerank(request, timeout_s=timeout_s)
            if request.candidates.rows and not answer.candidates_read:
                raise unavailable("the reranker is of another release, which packs candidates otherwise; update it")
            items = [each for each in answer.items if not self.live.is_hidden(each.item.item_id)]
            if len(items) >= count or len(answer.items) < request.count:
                return RankedList(answer.artifact_version, items[:count], items[count:], answer.remainder)
            request.count += count - len(items)

    async def _profile(
        self, subject: Subject | None, *, after_sequence: int = 0
    ) -> tuple[Profile | None, schemas.Level]:
        if subject is None:
            return None, "full"
        try:
            timeout_s = self.settings.store_timeout_s
            return await self.live.profile(subject, timeout_s=timeout_s, after_sequence=after_sequence), "full"
        except StoreUnavailableError:  # the follower logs it; here it costs this answer its live part, and no more
            return Profile(subject, recent=(), seen={}), "without_live_state"


def _subject_out(subject: Subject | None) -> schemas.SubjectOut | None:
    if subject is None:
        return None
    is_user = subject.kind == "user"
    return schemas.SubjectOut(user_id=subject.id if is_user else None, session_id=None if is_user else subject.id)


def _arm_out(assignment: Assignment | None, *, answered: str) -> schemas.ArmOut | None:
    if assignment is None:
        return None
    arm = assignment.arm
    is_other = arm.artifact_version not in (None, answered)
    return schemas.ArmOut(
        name=assignment.experiment, arm=arm.name, version_not_held=arm.artifact_version if is_other else None
    )
