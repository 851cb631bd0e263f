"""Each operation of the API as a function: arguments in, the call to be sent out. Their names are the API's own.

Nothing is sent here; `Client` and `AsyncClient` have a method for each, with the same arguments and documentation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from recsys_client.answers import (
    CategoryPage,
    ErasureReport,
    EventOutcome,
    History,
    ItemChangesDone,
    ItemPage,
    Lists,
    MergedSession,
    Model,
    RankedItems,
    RecentlyViewed,
    Recommendations,
    SingleItem,
    UserPage,
)
from recsys_client.json_data import encoded
from recsys_client.requests import (
    UNSET,
    Blend,
    DeleteChange,
    Diversity,
    Event,
    Filter,
    ItemPatch,
    ItemPut,
    PatchChange,
    PutChange,
    Rule,
    Unset,
    WantedList,
)

Answer = TypeVar("Answer")
Page = TypeVar("Page", Recommendations, UserPage, ItemPage, CategoryPage)


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Answer]):
    """A request of the API. Each may be sent again after a failure: it then has no further effect.

    Attributes:
        path: percent-encoded.
        body: JSON.
        body_of_pages: what the body says besides, for pages to follow.
        page_after: the call for the page after an answer; none: that was the last.
    """

    method: str
    path: str
    answer: type[Answer]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    body_of_pages: Mapping[str, Any] = field(default_factory=dict)
    page_after: Callable[[Answer], "Call[Answer] | None"] | None = None

    def first_page(self) -> "Call[Answer]":
        """This call, so that pages may follow."""
        return replace(self, body={**self.body, **self.body_of_pages}) if self.body is not None else self

    def following(self, answer: Answer) -> "Call[Answer] | None":
        """The call for the page after this answer; none: it was the last."""
        return self.page_after(answer) if self.page_after else None


def recommend(
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    item_ids: Sequence[str] = (),
    count: int = 10,
    filter: Filter | None = None,
    exclude_seen: bool | Sequence[str] = True,
    blend: Blend | None = None,
    diversity: Diversity | None = None,
    rules: Sequence[Rule] = (),
    explain: bool = False,
    preview: bool = False,
    paginate: bool = False,
) -> Call[Recommendations]:
    """Items for a user, an anonymous session, a cart, or nobody in particular, best first.

    Args:
        user_id, session_id: for whom; not both.
        item_ids: a cart, as if each had just been bought.
        count: how many at the most, 1 to 100.
        exclude_seen: leave out what was seen at all, or by events of these types.
        blend, diversity: none: as the shop has set them.
        rules: in addition to the shop-wide ones.
        preview: to look at only: the list is not logged as shown.
        paginate: also give a `next_cursor`.
    """
    body = _given(
        user_id=user_id,
        session_id=session_id,
        item_ids=item_ids,
        count=count,
        filter=filter,
        exclude_seen=exclude_seen,
        blend=blend,
        diversity=diversity,
        rules=rules,
        explain=explain,
        preview=preview,
        paginate=paginate,
    )
    return Call(
        method="POST",
        path="/v1/recommendations",
        answer=Recommendations,
        body=body,
        body_of_pages={"paginate": True},
        page_after=_after(partial(recommend_after, count=count)),
    )


def recommend_after(cursor: str, *, count: int = 10) -> Call[Recommendations]:
    """The next page of a list: the rest of what was ranked once, without repeating or skipping an item."""
    return Call(
        method="POST",
        path="/v1/recommendations",
        answer=Recommendations,
        body={"cursor": cursor, "count": count},
        page_after=_after(partial(recommend_after, count=count)),
    )


def recommend_lists(
    lists: Sequence[WantedList],
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    preview: bool = False,
) -> Call[Lists]:
    """Up to 10 lists for one page, of which none repeats an item: each chooses out of what those before it left.

    Args:
        user_id, session_id: for whom the page is; not both.
        preview: to look at only: no list is logged as shown.
    """
    body = _given(lists=lists, user_id=user_id, session_id=session_id, preview=preview)
    return Call(method="POST", path="/v1/lists", answer=Lists, body=body)


def get_similar_items(item_id: str, *, count: int = 10, category: Sequence[str] = ()) -> Call[RankedItems]:
    """Items like an item, most similar first, of any of the categories. NotFoundError: the model does not know it."""
    query = _given(count=count, category=category)
    return Call(method="GET", path=f"/v1/items/{_segment(item_id)}/similar", answer=RankedItems, query=query)


def get_bought_together(item_id: str, *, count: int = 10, category: Sequence[str] = ()) -> Call[RankedItems]:
    """What is bought together with an item, of any of the categories, and then items like it, both best first.

    NotFoundError: the model does not know it.
    """
    query = _given(count=count, category=category)
    return Call(method="GET", path=f"/v1/items/{_segment(item_id)}/bought-together", answer=RankedItems, query=query)


def get_popular_items(*, count: int = 10, category: Sequence[str] = ()) -> Call[RankedItems]:
    """The most popular items, of any of the categories, the same for everyone."""
    query = _given(count=count, category=category)
    return Call(method="GET", path="/v1/items/popular", answer=RankedItems, query=query)


def get_trending_items(*, count: int = 10, category: Sequence[str] = ()) -> Call[RankedItems]:
    """What trends, of any of the categories, and then popular items; the same for everyone."""
    query = _given(count=count, category=category)
    return Call(method="GET", path="/v1/items/trending", answer=RankedItems, query=query)


def post_events(events: Sequence[Event]) -> Call[EventOutcome]:
    """Up to 1,000 events. A bad one is rejected alone; InvalidRequestError: all were.

    Keep the events until this returns: after an error the same ones may be sent again, and each counts once.
    """
    return Call(method="POST", path="/v1/events", answer=EventOutcome, body={"events": encoded(events)})


def merge_session(user_id: str, session_id: str) -> Call[MergedSession]:
    """Somebody signed in: what the session did, and what it will do, is the user's."""
    path = f"/v1/users/{_segment(user_id)}/sessions"
    return Call(method="POST", path=path, answer=MergedSession, body={"session_id": session_id})


def get_history(user_id: str, *, count: int = 20) -> Call[History]:
    """What a user has seen, most recent first."""
    return Call(method="GET", path=f"/v1/users/{_segment(user_id)}/history", answer=History, query={"count": count})


def list_recently_viewed(
    *, user_id: str | None = None, session_id: str | None = None, event_type: str = "view", count: int = 10
) -> Call[RecentlyViewed]:
    """What a user or a session looked at and is on sale, most recent first; give one of the two ids."""
    query = _given(user_id=user_id, session_id=session_id, event_type=event_type, count=count)
    return Call(method="GET", path="/v1/recently-viewed", answer=RecentlyViewed, query=query)


def list_users(*, prefix: str = "", page_size: int = 20, cursor: str = "") -> Call[UserPage]:
    """Users that the model knows, by id."""
    query = _given(prefix=prefix, page_size=page_size, cursor=cursor)
    page_after = _after(lambda cursor: list_users(prefix=prefix, page_size=page_size, cursor=cursor))
    return Call(method="GET", path="/v1/users", answer=UserPage, query=query, page_after=page_after)


def erase_user(user_id: str) -> Call[ErasureReport]:
    """Forget a user: gone from lists, history and log now; the report says how far the rest has come."""
    return Call(method="DELETE", path=f"/v1/users/{_segment(user_id)}", answer=ErasureReport)


def get_erasure(user_id: str) -> Call[ErasureReport]:
    """How far the erasure of a user has come. NotFoundError: the user was never erased."""
    return Call(method="GET", path=f"/v1/users/{_segment(user_id)}/erasure", answer=ErasureReport)


def list_items(*, query: str = "", category: str = "", page_size: int = 20, cursor: str = "") -> Call[ItemPage]:
    """Items with every word of `query` in the title, of exactly this category, by id."""
    given = _given(query=query, category=category, page_size=page_size, cursor=cursor)
    page_after = _after(lambda cursor: list_items(query=query, category=category, page_size=page_size, cursor=cursor))
    return Call(method="GET", path="/v1/items", answer=ItemPage, query=given, page_after=page_after)


def list_categories(*, page_size: int = 20, cursor: str = "") -> Call[CategoryPage]:
    """Categories that have items on sale, with how many, by name."""
    query = _given(page_size=page_size, cursor=cursor)
    page_after = _after(lambda cursor: list_categories(page_size=page_size, cursor=cursor))
    return Call(method="GET", path="/v1/categories", answer=CategoryPage, query=query, page_after=page_after)


def get_items(ids: Sequence[str]) -> Call[ItemPage]:
    """Up to 100 items in this order, without those that do not exist."""
    return Call(method="GET", path="/v1/items", answer=ItemPage, query={"ids": list(ids)})


def get_item(item_id: str) -> Call[SingleItem]:
    """One item. NotFoundError: it does not exist."""
    return Call(method="GET", path=_item_path(item_id), answer=SingleItem)


def put_item(
    item_id: str,
    *,
    title: str | None = None,
    category: str | None = None,
    price: float | None = None,
    image_url: str | None = None,
    available: bool = True,
    attributes: Mapping[str, str] | None = None,
    vector: Sequence[float] | None = None,
) -> Call[ItemChangesDone]:
    """Create an item, or say anew all that there is to say of it."""
    item = ItemPut(
        title=title,
        category=category,
        price=price,
        image_url=image_url,
        available=available,
        attributes=attributes or {},
        vector=vector,
    )
    return Call(method="PUT", path=_item_path(item_id), answer=ItemChangesDone, body=encoded(item))


def patch_item(
    item_id: str,
    *,
    title: str | Unset | None = UNSET,
    category: str | Unset | None = UNSET,
    price: float | Unset | None = UNSET,
    image_url: str | Unset | None = UNSET,
    available: bool | Unset = UNSET,
    attributes: Mapping[str, str | None] | None = None,
    vector: Sequence[float] | Unset | None = UNSET,
) -> Call[ItemChangesDone]:
    """Change a part of an item: what is not given stays, none takes away. NotFoundError: it does not exist."""
    patch = ItemPatch(
        title=title,
        category=category,
        price=price,
        image_url=image_url,
        available=available,
        attributes=attributes or {},
        vector=vector,
    )
    return Call(method="PATCH", path=_item_path(item_id), answer=ItemChangesDone, body=encoded(patch))


def delete_item(item_id: str) -> Call[ItemChangesDone]:
    """An item that is no more: in no answer, and not found. Once more changes nothing."""
    return Call(method="DELETE", path=_item_path(item_id), answer=ItemChangesDone)


def change_items(changes: Sequence[PutChange | PatchChange | DeleteChange]) -> Call[ItemChangesDone]:
    """Up to 1,000 changes, in order, all or none. NotFoundError: an item to be patched does not exist."""
    body = {"changes": encoded(changes)}
    return Call(method="POST", path="/v1/items/bulk", answer=ItemChangesDone, body=body)


def get_model() -> Call[Model]:
    """The live model, its offline metrics, what each service holds, and the trainer's last run."""
    return Call(method="GET", path="/v1/model", answer=Model)


def _after(build: Callable[[str], Call[Page]]) -> Callable[[Page], Call[Page] | None]:
    """What gives the call for the page after another, of its cursor; none: it was the last."""
    return lambda page: build(page.next_cursor) if page.next_cursor else None


def _given(**fields: object) -> dict[str, Any]:
    """Those that say something: neither none nor empty."""
    return {name: encoded(value) for name, value in fields.items() if value is not None and value not in ("", (), [])}


def _segment(external_id: str) -> str:
    """An id as one path segment. Dots too: a client resolves `..` before it sends the path."""
    if not external_id:
        raise ValueError("expected an id, found an empty string")
    return quote(external_id, safe="").replace(".", "%2E")


def _item_path(item_id: str) -> str:
    if item_id in ("popular", "trending") or item_id.endswith(("/similar", "/bought-together")):
        raise ValueError(f"item {item_id!r} has no path of its own in the API: use get_items and change_items")
    return f"/v1/items/{_segment(item_id)}"
