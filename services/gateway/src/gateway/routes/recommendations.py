"""Ranked lists: for somebody, like an item, bought together, popular. Each goes through both stages."""

import time
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Request, Response
from starlette.types import Scope

from gateway import schemas
from gateway.http.access import needs, only_looks
from gateway.http.problems import documented
from gateway.http.request_context import AnsweredList, tell
from gateway.lists.exposure import exposure
from gateway.lists.further_pages import next_page
from gateway.lists.list_json import lists_json, page_json, ranked_items_json
from gateway.lists.ranked import LEVELS, Page, RankedList
from gateway.lists.several_lists import several_lists
from gateway.requests import Filter, ListsRequest, RecommendationRequest
from gateway.routes.dependencies import Parts, TheParts, keyed_router
from gateway.routes.parameters import Categories, Count, ItemId, UserId
from gateway.shop.live_shop import now_ms

router = keyed_router("/v1", tag="recommendations")

_JSON = "application/json"
_ANYTHING = Filter()


@router.post("/recommendations", response_model=schemas.Recommendations, openapi_extra=needs("read"))
async def recommend(request: Request, asked: RecommendationRequest) -> Response:
    """Items for a user, an anonymous session, a cart, or nobody in particular, best first.

    What was done a moment ago counts. Filters hold inside the search, so that a narrow one still fills the list.
    """
    return await page(request.scope, asked)


@router.post("/lists", response_model=schemas.Lists, openapi_extra=needs("read"))
async def recommend_lists(request: Request, asked: ListsRequest, parts: TheParts) -> Response:
    """Several lists for one page, of which none repeats an item: each chooses out of what those before it left.

    Each list is an exposure of its own. Of an item that the shop does not have, popular items stand in for those that
    are like it or bought together with it.
    """
    started_s = time.perf_counter()
    if only_looks(request.scope):
        asked = asked.model_copy(update={"preview": True})
    named = await several_lists(asked, parts.recommender)
    pages = [given for _, given in named]
    lowest = max((given.facts.level for given in pages), key=LEVELS.index)
    returned, wanted = sum(len(given.items) for given in pages), sum(each.count for each in asked.lists)
    tell(request.scope, AnsweredList(lowest, returned, asked=wanted))
    for given in pages:
        _expose(given, parts, started_s=started_s)
    return Response(lists_json(named, preview=asked.preview), media_type=_JSON)


@router.get("/users/{user_id:id}/recommendations", response_model=schemas.Recommendations, openapi_extra=needs("read"))
async def get_recommendations(
    request: Request,
    user_id: UserId,
    count: Count = 10,
    include_seen: Annotated[bool, Query(description="Also items that the user already had.")] = False,
    preview: Annotated[bool, Query(description="To look at only: the list is not logged as shown.")] = False,
) -> Response:
    """Items for a user, best first. Somebody of whom nothing is known gets popular ones, and no error."""
    return await page(request.scope, for_user(user_id, count=count, include_seen=include_seen, preview=preview))


@router.get("/items/popular", response_model=schemas.RankedItems, openapi_extra=needs("read"))
async def get_popular_items(
    request: Request, parts: TheParts, categories: Categories = (), count: Count = 10
) -> Response:
    """The most popular items, the same for everyone."""
    only = Filter(categories=list(categories))
    recommender = parts.recommender
    ranked = await recommender.popular(count=count, only=only, deadline=recommender.deadline())
    return _ranked_items(request, ranked, count=count)


@router.get("/items/trending", response_model=schemas.RankedItems, openapi_extra=needs("read"))
async def get_trending_items(
    request: Request, parts: TheParts, categories: Categories = (), count: Count = 10
) -> Response:
    """What trends, by events of the last days, and then popular items; the same for everyone."""
    recommender, only = parts.recommender, Filter(categories=list(categories))
    ranked = await recommender.popular(count=count, only=only, deadline=recommender.deadline(), trending=True)
    return _ranked_items(request, ranked, count=count)


@router.get(
    "/items/{item_id:id}/similar",
    response_model=schemas.RankedItems,
    responses=documented(HTTPStatus.NOT_FOUND),
    openapi_extra=needs("read"),
)
async def get_similar_items(
    request: Request, item_id: ItemId, parts: TheParts, categories: Categories = (), count: Count = 10
) -> Response:
    """Items like an item, most similar first, without itself."""
    only = Filter(categories=list(categories))
    recommender = parts.recommender
    ranked = await recommender.similar_to(item_id, count=count, only=only, deadline=recommender.deadline())
    return _ranked_items(request, ranked, count=count)


@router.get(
    "/items/{item_id:id}/bought-together",
    response_model=schemas.RankedItems,
    responses=documented(HTTPStatus.NOT_FOUND),
    openapi_extra=needs("read"),
)
async def get_bought_together(
    request: Request, item_id: ItemId, parts: TheParts, categories: Categories = (), count: Count = 10
) -> Response:
    """What is bought together with an item, and then items like it, both best first; without itself."""
    recommender, only = parts.recommender, Filter(categories=list(categories))
    deadline = recommender.deadline()
    ranked = await recommender.similar_to(item_id, count=count, only=only, deadline=deadline, bought_together=True)
    return _ranked_items(request, ranked, count=count)


def _ranked_items(request: Request, ranked: RankedList, *, count: int) -> Response:
    tell(request.scope, AnsweredList(ranked.level, len(ranked.items), asked=count))
    return Response(ranked_items_json(ranked), media_type=_JSON)


def for_user(
    user_id: str, *, count: int = 10, include_seen: bool = False, preview: bool = False
) -> RecommendationRequest:
    """What is asked for a user."""
    # defaults that are no plain values would be copied in depth for each request
    return RecommendationRequest(
        user_id=user_id,
        item_ids=[],
        count=count,
        filter=_ANYTHING,
        exclude_seen=not include_seen,
        rules=[],
        preview=preview,
    )


async def page(scope: Scope, asked: RecommendationRequest) -> Response:
    """The first page of a list, or that of a cursor. But for a preview it is an exposure."""
    started_s = time.perf_counter()
    parts: Parts = scope["app"].state.parts
    recommender = parts.recommender
    deadline = recommender.deadline()
    if only_looks(scope):
        asked = asked.model_copy(update={"preview": True})
    if asked.cursor is None:
        given = await recommender.for_somebody(asked, deadline)
    else:
        given = await next_page(
            parts.cursors.decode(asked.cursor),
            count=asked.count,
            clients=parts.clients,
            fallbacks=recommender.fallbacks,
            deadline=deadline,
        )
    if only_looks(scope):  # also where the cursor is of a list that was shown
        given = replace(given, facts=given.facts.model_copy(update={"preview": True}))
    facts = given.facts
    tell(scope, AnsweredList(facts.level, len(given.items), given.list_id, asked=asked.count, vector=facts.vector))
    _expose(given, parts, started_s=started_s)
    answer = page_json(given, asked=asked.count, next_cursor=parts.cursors.encode(given.rest))
    return Response(answer, media_type=_JSON)


def _expose(given: Page, parts: Parts, *, started_s: float) -> None:
    """Have a page logged as shown, but for a preview."""
    if not given.facts.preview:
        latency_ms = (time.perf_counter() - started_s) * 1000
        shown = exposure(given.list_id, given.facts, given.items, unix_ms=now_ms(), latency_ms=latency_ms)
        parts.live.exposures.add(shown)
