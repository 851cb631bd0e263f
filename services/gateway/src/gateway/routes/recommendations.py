"""Ranked lists: for a user, like an item, popular. Each goes through both stages."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway import presentation, schemas
from gateway.problems import OF_BAD_INPUT, OF_THE_SERVICES, documented
from gateway.routes.dependencies import TheRecommender
from gateway.routes.parameters import Count, ItemId, UserId

router = APIRouter(prefix="/v1", tags=["recommendations"], responses=documented(*OF_BAD_INPUT, *OF_THE_SERVICES))

_JSON = "application/json"


@router.get("/users/{user_id:id}/recommendations", response_model=schemas.Recommendations)
async def get_recommendations(
    user_id: UserId,
    recommender: TheRecommender,
    count: Count = 10,
    include_seen: Annotated[bool, Query(description="Also items that the user already had.")] = False,
) -> Response:
    """Items for a user, best first. A user that the model does not know gets popular ones, and no error."""
    ranking = await recommender.for_user(user_id, count=count, include_seen=include_seen)
    body = presentation.recommendations(ranking.ranked, user_known=ranking.user_known)
    return Response(body, media_type=_JSON)


@router.get("/items/popular", response_model=schemas.RankedItems)
async def get_popular_items(recommender: TheRecommender, count: Count = 10) -> Response:
    """The most popular items, the same for everyone."""
    return Response(presentation.ranked_items(await recommender.popular(count=count)), media_type=_JSON)


@router.get(
    "/items/{item_id:id}/similar",
    response_model=schemas.RankedItems,
    responses=documented(HTTPStatus.NOT_FOUND),
)
async def get_similar_items(item_id: ItemId, recommender: TheRecommender, count: Count = 10) -> Response:
    """Items like an item, most similar first, without itself."""
    return Response(presentation.ranked_items(await recommender.similar_to(item_id, count=count)), media_type=_JSON)
