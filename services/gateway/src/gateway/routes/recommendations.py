"""Ranked lists: for somebody, like an item, popular. Each goes through both stages."""

import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from gateway import list_cursors, presentation, schemas
from gateway.cursors import BadCursorError
from gateway.list_cursors import RestOfList
from gateway.live import Live, now_ms
from gateway.problems import OF_BAD_INPUT, OF_THE_SERVICES, documented
from gateway.recommend import Recommended, Recommender
from gateway.requests import Filter, RecommendationRequest
from gateway.routes.dependencies import TheClients, TheLive, TheRecommender, TheSettings
from gateway.routes.parameters import Categories, Count, ItemId, UserId
from recsys.feature_store.interface import Exposure
from recsys.observability.logging import request_id
from recsys.v1.item_pb2 import Item, RankedItem

router = APIRouter(prefix="/v1", tags=["recommendations"], responses=documented(*OF_BAD_INPUT, *OF_THE_SERVICES))

_JSON = "application/json"


@router.post("/recommendations", response_model=schemas.Recommendations)
async def recommend(
    asked: RecommendationRequest,
    recommender: TheRecommender,
    live: TheLive,
    clients: TheClients,
    settings: TheSettings,
) -> Response:
    """Items for a user, an anonymous session, a cart, or nobody in particular, best first.

    What was done a moment ago counts. Filters hold inside the search, so that a narrow one still fills the list.
    """
    if asked.cursor is not None:
        try:
            rest = list_cursors.decode(asked.cursor)
        except BadCursorError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
        page, rest = await _page_of(rest, asked.count, live=live, clients=clients, timeout_s=settings.timeout_s)
        return Response(presentation.page_of_list(page, rest=rest, asked=asked.count), media_type=_JSON)
    return await _answer(asked, recommender, live)


@router.get("/users/{user_id:id}/recommendations", response_model=schemas.Recommendations)
async def get_recommendations(
    user_id: UserId,
    recommender: TheRecommender,
    live: TheLive,
    count: Count = 10,
    include_seen: Annotated[bool, Query(description="Also items that the user already had.")] = False,
) -> Response:
    """Items for a user, best first. Somebody of whom nothing is known gets popular ones, and no error."""
    asked = RecommendationRequest(user_id=user_id, count=count, exclude_seen=not include_seen)
    return await _answer(asked, recommender, live)


@router.get("/items/popular", response_model=schemas.RankedItems)
async def get_popular_items(
    recommender: TheRecommender, live: TheLive, categories: Categories = (), count: Count = 10
) -> Response:
    """The most popular items, the same for everyone."""
    ranked = await recommender.popular(count=count, only=Filter(categories=list(categories)))
    return Response(
        presentation.ranked_items(ranked.artifact_version, _shown(ranked.items, live)[:count]), media_type=_JSON
    )


@router.get(
    "/items/{item_id:id}/similar",
    response_model=schemas.RankedItems,
    responses=documented(HTTPStatus.NOT_FOUND),
)
async def get_similar_items(
    item_id: ItemId, recommender: TheRecommender, live: TheLive, categories: Categories = (), count: Count = 10
) -> Response:
    """Items like an item, most similar first, without itself."""
    ranked = await recommender.similar_to(item_id, count=count, only=Filter(categories=list(categories)))
    return Response(
        presentation.ranked_items(ranked.artifact_version, _shown(ranked.items, live)[:count]), media_type=_JSON
    )


async def _answer(asked: RecommendationRequest, recommender: Recommender, live: Live) -> Response:
    started_s = time.perf_counter()
    answer = await recommender.for_somebody(asked)
    shown = _shown(answer.ranked.items, live)
    items = shown[: asked.count]
    cursor = _cursor_of(answer, shown[asked.count :]) if asked.paginate else None
    live.exposures.add(_exposure(answer, items, latency_ms=(time.perf_counter() - started_s) * 1000))
    body = presentation.recommendations(answer, items, asked=asked.count, next_cursor=cursor)
    return Response(body, media_type=_JSON)


def _shown(items: Iterable[RankedItem], live: Live) -> list[RankedItem]:
    """Without what went off sale so lately that a service may not know it yet."""
    return [ranked for ranked in items if not live.is_hidden(ranked.item.item_id)]


def _cursor_of(answer: Recommended, spare: list[RankedItem]) -> str | None:
    rest = RestOfList.of(answer.ranked.artifact_version, answer.ranked.remainder)
    return list_cursors.encode(
        RestOfList(
            rest.artifact_version,
            [*(ranked.item.item_id for ranked in spare), *rest.item_ids],
            [*(ranked.score for ranked in spare), *rest.scores],
            [*(sum(1 << source for source in ranked.sources) for ranked in spare), *rest.sources],
        )
    )


async def _page_of(
    rest: RestOfList, count: int, *, live: Live, clients: TheClients, timeout_s: float
) -> tuple[list[tuple[Item, float, int]], RestOfList]:
    """The next `count` items that are still on sale, and what follows them."""
    page: list[tuple[Item, float, int]] = []
    while rest.item_ids and len(page) < count:
        taken = count - len(page)
        wanted = [one for one in rest.item_ids[:taken] if not live.is_hidden(one)]
        described = await clients.reranker.get_items(wanted, timeout_s=timeout_s)
        by_id = {item.item_id: item for item in described.items if item.available}
        rows = zip(rest.item_ids[:taken], rest.scores[:taken], rest.sources[:taken], strict=True)
        page += [(by_id[item_id], score, sources) for item_id, score, sources in rows if item_id in by_id]
        rest = rest.after(taken)
    return page, rest


def _exposure(answer: Recommended, items: list[RankedItem], *, latency_ms: float) -> Exposure:
    assignment = answer.assignment
    return Exposure(
        request_id=request_id.get(),
        subject=answer.subject,
        unix_ms=now_ms(),
        item_ids=tuple(ranked.item.item_id for ranked in items),
        propensities=tuple(ranked.propensity for ranked in items),
        artifact_version=answer.ranked.artifact_version,
        experiment=assignment.experiment if assignment else None,
        arm=assignment.arm.name if assignment else None,
        latency_ms=latency_ms,
    )
