"""The use-case: candidates from the first stage, the best of them from the second.

In: for whom or for what, and how many. Out: the reranker's answer, all of one artifact version.
Raises: `grpc.aio.AioRpcError` where a service refuses or fails.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc

from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.settings import Settings
from recsys.v1.reranker_service_pb2 import RerankResponse

T = TypeVar("T")


@dataclass(frozen=True)
class UserRanking:
    """The items for a user; popular ones where the model does not know the user."""

    ranked: RerankResponse
    user_known: bool


@dataclass(frozen=True)
class Recommender:
    """Both stages, under the request's budget of time."""

    clients: Clients
    settings: Settings

    async def for_user(self, user_id: str, *, count: int, include_seen: bool) -> UserRanking:
        """Items for a user."""

        async def attempt(version: str, deadline: Deadline) -> UserRanking:
            found = await self.clients.candidate_gen.get_candidates(
                user_id,
                count=max(count, self.settings.candidates),
                include_seen=include_seen,
                artifact_version=version,
                timeout_s=self._first_stage_s(deadline),
            )
            ranked = await self.clients.reranker.rerank(
                found.candidates,
                artifact_version=found.artifact_version,
                user_id=user_id,
                count=count,
                timeout_s=deadline.remaining_s(),
            )
            return UserRanking(ranked=ranked, user_known=found.user_known)

        return await self._from_one_version(attempt)

    async def similar_to(self, item_id: str, *, count: int) -> RerankResponse:
        """Items like an item."""

        async def attempt(version: str, deadline: Deadline) -> RerankResponse:
            found = await self.clients.candidate_gen.get_similar_items(
                item_id,
                count=max(count, self.settings.candidates),
                artifact_version=version,
                timeout_s=self._first_stage_s(deadline),
            )
            return await self.clients.reranker.rerank(
                found.candidates,
                artifact_version=found.artifact_version,
                item_id=item_id,
                count=count,
                timeout_s=deadline.remaining_s(),
            )

        return await self._from_one_version(attempt)

    async def popular(self, *, count: int) -> RerankResponse:
        """Popular items. They keep their scores in the second stage, so no more than `count` are fetched."""

        async def attempt(version: str, deadline: Deadline) -> RerankResponse:
            found = await self.clients.candidate_gen.get_popular_items(
                count=count, artifact_version=version, timeout_s=self._first_stage_s(deadline)
            )
            return await self.clients.reranker.rerank(
                found.candidates,
                artifact_version=found.artifact_version,
                count=count,
                timeout_s=deadline.remaining_s(),
            )

        return await self._from_one_version(attempt)

    def _first_stage_s(self, deadline: Deadline) -> float:
        return deadline.remaining_s() * self.settings.candidate_share

    async def _from_one_version(self, attempt: Callable[[str, Deadline], Awaitable[T]]) -> T:
        """The pair of calls, and once more if the reranker does not hold the candidates' version.

        While a new model goes round, one service takes it before the other. Each holds the version before it too, so
        the second attempt asks for candidates of the version that the reranker answers with: simply asking again
        would get the same ones.
        """
        deadline = Deadline.after(self.settings.timeout_s)
        try:
            return await attempt("", deadline)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
        live = await self.clients.reranker.get_model(timeout_s=deadline.remaining_s())
        return await attempt(live.artifact_version, deadline)
