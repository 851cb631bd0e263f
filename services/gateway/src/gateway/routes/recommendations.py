"""Ranked lists: for somebody, like an item, popular. Each goes through both stages."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from gateway import answers
from gateway.http.access import KeyedRoute, needs
from gateway.http.problems import OF_BAD_INPUT, OF_THE_KEY, OF_THE_SERVICES, documented
from gateway.http.request_context import AnsweredList, tell
from gateway.lists import further_pages as paging
from gateway.lists import list_json as ranked_lists
from gateway.lists.exposure import exposure
from gateway.lists.list_cursors import ListCursors, ListFacts
from gateway.lists.ranked import RankedList
from gateway.lists.recommend import Recommender
from gateway.requests import Filter, RecommendationRequest
from gateway.routes.dependencies import TheClients, TheCursors, TheRecommender, TheSettings
from gateway.routes.parameters import Categories, Count, ItemId, UserId
from gateway.shop.cursors import BadCursorError
from gateway.shop.live_shop import LiveShop, now_ms

router = APIRouter(
    prefix="/v1",
    tags=["recommendations"],
    responses=documented(*OF_BAD_INPUT, *OF_THE_KEY, *OF_THE_SERVICES),
    route_class=KeyedRoute,
)

_JSON = "application/json"
_ANYTHING = Filter()


@router.post("/recommendations", response_model=answers.Recommendations, openapi_extra=needs("read"))
async def recommend(
    request: Request,
    asked: RecommendationRequest,
    recommender: TheRecommender,
    clients: TheClients,
    settings: TheSettings,
    cursors: TheCursors,
) -> Response:
    """Items for a user, an anonymous session, a cart, or nobody in particular, best first.

    What was done a moment ago counts. Filters hold inside the search, so that a narrow one still fills the list.
    """
    if asked.cursor is None:
        return await _first_page(request, asked)
    started_s = time.perf_counter()
    try:
        rest = cursors.decode(asked.cursor)
    except BadCursorError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
    page = await paging.next_page(
        rest, count=asked.count, clients=clients, fallbacks=recommender.fallbacks, timeout_s=settings.timeout_s
    )
    shown = [(listed.item.item_id, listed.propensity) for listed in page.items]
    _log(request, page.list_id, page.facts, shown, started_s=started_s)
    answer = ranked_lists.further_page(page, asked=asked.count, next_cursor=cursors.encode(page.rest))
    return Response(answer, media_type=_JSON)


@router.get("/users/{user_id:id}/recommendations", response_model=answers.Recommendations, openapi_extra=needs("read"))
async def get_recommendations(
    request: Request,  # the route that is asked most takes its parts by itself: two dependencies take 60 µs
    user_id: UserId,
    count: Count = 10,
    include_seen: Annotated[bool, Query(description="Also items that the user already had.")] = False,
    preview: Annotated[bool, Query(description="To look at only: the list is not logged as shown.")] = False,
) -> Response:
    """Items for a user, best first. Somebody of whom nothing is known gets popular ones, and no error."""
    # a default filter would be copied in depth for each request
    asked = RecommendationRequest(
        user_id=user_id, count=count, exclude_seen=not include_seen, filter=_ANYTHING, preview=preview
    )
    return await _first_page(request, asked)


@router.get("/items/popular", response_model=answers.RankedItems, openapi_extra=needs("read"))
async def get_popular_items(
    request: Request, recommender: TheRecommender, categories: Categories = (), count: Count = 10
) -> Response:
    """The most popular items, the same for everyone."""
    return _ranked_items(request, await recommender.popular(count=count, only=Filter(categories=list(categories))))


@router.get(
    "/items/{item_id:id}/similar",
    response_model=answers.RankedItems,
    responses=documented(HTTPStatus.NOT_FOUND),
    openapi_extra=needs("read"),
)
async def get_similar_items(
    request: Request, item_id: ItemId, recommender: TheRecommender, categories: Categories = (), count: Count = 10
) -> Response:
    """Items like an item, most similar first, without itself."""
    shown = await recommender.similar_to(item_id, count=count, only=Filter(categories=list(categories)))
    return _ranked_items(request, shown)


def _ranked_items(request: Request, shown: RankedList) -> Response:
    tell(request, AnsweredList(shown.level, len(shown.items)))
    return Response(ranked_lists.ranked_items(shown), media_type=_JSON)


async def _first_page(request: Request, asked: RecommendationRequest) -> Response:
    started_s = time.perf_counter()
    recommender: Recommender = request.app.state.recommender
    answer = await recommender.for_somebody(asked)
    facts = ranked_lists.facts_of(answer)
    shown = [(ranked.item.item_id, ranked.propensity) for ranked in answer.shown.items]
    _log(request, answer.list_id, facts, shown, started_s=started_s)
    cursors: ListCursors = request.app.state.cursors
    cursor = cursors.encode(paging.rest_of(answer, facts)) if asked.paginate else None
    return Response(ranked_lists.first_page(answer, facts, asked=asked.count, next_cursor=cursor), media_type=_JSON)


def _log(request: Request, list_id: str, facts: ListFacts, shown: list[tuple[str, float]], *, started_s: float) -> None:
    """What was answered, and, but for a preview, that it was shown. Items: id and propensity."""
    tell(request, AnsweredList(facts.level, len(shown), list_id))
    if not facts.preview:
        live: LiveShop = request.app.state.live
        latency_ms = (time.perf_counter() - started_s) * 1000
        live.exposures.add(exposure(list_id, facts, shown, unix_ms=now_ms(), latency_ms=latency_ms))
