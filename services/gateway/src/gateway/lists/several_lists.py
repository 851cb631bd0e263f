"""The use-case of several lists for one page: each chooses its items out of what the lists before it left.

In: for whom, and which lists. Out: a page of each, under its name, all within the time of one request.
Raises: `grpc.aio.AioRpcError` where a list cannot be answered at all; then there is no answer.
"""

import grpc

from gateway.deadline import Deadline
from gateway.lists.list_cursors import ListFacts
from gateway.lists.ranked import Page, RankedList
from gateway.lists.recommend import Recommender
from gateway.requests import Filter, ListsRequest, RecommendationRequest, WantedList
from gateway.schemas import SubjectOut


async def several_lists(asked: ListsRequest, recommender: Recommender) -> list[tuple[str, Page]]:
    """The name and the page of each list, in the request's order; no item is in two of them."""
    deadline = recommender.deadline()
    shown: list[str] = []
    pages = []
    for wanted in asked.lists:
        left = wanted.filter.model_copy(update={"exclude_item_ids": [*wanted.filter.exclude_item_ids, *shown]})
        page = await _page(asked, wanted, left, recommender=recommender, deadline=deadline)
        shown += [each.item.item_id for each in page.items]
        pages.append((wanted.name, page))
    return pages


async def _page(
    asked: ListsRequest, wanted: WantedList, left: Filter, *, recommender: Recommender, deadline: Deadline
) -> Page:
    """One list, out of the items that are left."""
    if wanted.kind == "recommended":
        for_somebody = RecommendationRequest(
            user_id=asked.user_id,
            session_id=asked.session_id,
            item_ids=wanted.item_ids,
            count=wanted.count,
            filter=left,
            preview=asked.preview,
        )
        return await recommender.for_somebody(for_somebody, deadline)
    ranked = await _same_for_everyone(wanted, left, recommender=recommender, deadline=deadline)
    is_somebodys = asked.user_id is not None or asked.session_id is not None
    facts = ListFacts(
        artifact_version=ranked.artifact_version,
        subject=SubjectOut(user_id=asked.user_id, session_id=asked.session_id) if is_somebodys else None,
        vector="none",
        matching=len(ranked.items),
        experiment=None,
        level=ranked.level,
        preview=asked.preview,
    )
    return Page(ranked.items, facts, rest=None)


async def _same_for_everyone(
    wanted: WantedList, left: Filter, *, recommender: Recommender, deadline: Deadline
) -> RankedList:
    """Like an item or bought together with it, trending or popular; popular too where the shop lacks the item."""
    if wanted.item_id is not None:
        try:
            return await recommender.similar_to(
                wanted.item_id,
                count=wanted.count,
                only=left,
                deadline=deadline,
                bought_together=wanted.kind == "bought_together",
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
    return await recommender.popular(
        count=wanted.count, only=left, deadline=deadline, trending=wanted.kind == "trending"
    )
