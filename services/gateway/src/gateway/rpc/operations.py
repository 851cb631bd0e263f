"""Which REST operation answers a method, and how a message reads as its request and an answer as a message.

Names of fields are those of the JSON, which a test holds for every message; only what JSON says otherwise stands here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from google.protobuf.json_format import MessageToDict, ParseDict, SerializeToJsonError
from google.protobuf.message import Message

from recsys.errors import InvalidArgumentError
from recsys.v1 import recommendation_service_pb2 as api

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request of the REST API."""

    method: str
    path: str
    query: Iterable[tuple[str, str]] = ()
    body: Json | None = None


@dataclass(frozen=True)
class Operation:
    """A method: its messages, and what it asks of the REST API. `asked` raises InvalidArgumentError."""

    request: type[Message]
    response: type[Message]
    asked: Callable[[Any], Asked]
    has_times: bool = False  # in its answers

    def answer(self, body: bytes) -> Message:
        """The message of a JSON answer."""
        document = orjson.loads(body)
        if self.has_times:
            return ParseDict(document, self.response())
        return self.response(**document)  # a list of ten takes 13 µs, and 280 with ParseDict


def _recommend(request: api.RecommendRequest) -> Asked:
    body = _json(request)
    if (types := body.pop("exclude_seen_types", None)) is not None:
        body["exclude_seen"] = types.get("types", [])
    return Asked("POST", "/v1/recommendations", body=body)


def _similar(request: api.ListSimilarItemsRequest) -> Asked:
    item_id = _given("item_id", request.item_id)
    return Asked("GET", f"/v1/items/{item_id}/similar", [*_count(request), *_categories(request.categories)])


def _bought_together(request: api.ListBoughtTogetherRequest) -> Asked:
    item_id = _given("item_id", request.item_id)
    return Asked("GET", f"/v1/items/{item_id}/bought-together", [*_count(request), *_categories(request.categories)])


def _popular(request: api.ListPopularItemsRequest) -> Asked:
    return Asked("GET", "/v1/items/popular", [*_count(request), *_categories(request.categories)])


def _trending(request: api.ListTrendingItemsRequest) -> Asked:
    return Asked("GET", "/v1/items/trending", [*_count(request), *_categories(request.categories)])


def _lists(request: api.RecommendListsRequest) -> Asked:
    return Asked("POST", "/v1/lists", body={"lists": []} | _json(request))


def _events(request: api.PostEventsRequest) -> Asked:
    return Asked("POST", "/v1/events", body={"events": [_json(event) for event in request.events]})


def _merge(request: api.MergeSessionRequest) -> Asked:
    path = f"/v1/users/{_given('user_id', request.user_id)}/sessions"
    return Asked("POST", path, body={"session_id": request.session_id})


def _history(request: api.ListHistoryRequest) -> Asked:
    return Asked("GET", f"/v1/users/{_given('user_id', request.user_id)}/history", _count(request))


def _recently_viewed(request: api.ListRecentlyViewedRequest) -> Asked:
    return Asked("GET", "/v1/recently-viewed", _query(request))


def _find(request: api.FindItemsRequest) -> Asked:
    return Asked("GET", "/v1/items", _query(request))


def _find_categories(request: api.FindCategoriesRequest) -> Asked:
    return Asked("GET", "/v1/categories", _query(request))


def _look_up(request: api.LookUpItemsRequest) -> Asked:
    if not request.item_ids:
        raise InvalidArgumentError("item_ids: expected 1 or more, found 0")
    return Asked("GET", "/v1/items", [("ids", item_id) for item_id in request.item_ids])


def _change(request: api.ChangeItemsRequest) -> Asked:
    return Asked("POST", "/v1/items/bulk", body={"changes": [_one_change(change) for change in request.changes]})


def _one_change(change: api.ChangeItemsRequest.Change) -> Json:
    op = change.WhichOneof("op")
    fields = _json(getattr(change, op)) if op else {}
    _clear(fields, fields.pop("clear", ()))
    if names := fields.pop("clear_attributes", ()):
        _clear(fields.setdefault("attributes", {}), names)
    return fields | {"op": op, "item_id": change.item_id}


def _clear(fields: Json, names: Iterable[str]) -> None:
    for name in names:
        if name in fields:
            raise InvalidArgumentError(f"changes: {name!r} is given and cleared; expected one of both")
        fields[name] = None


def _erase(request: api.EraseUserRequest) -> Asked:
    return Asked("DELETE", f"/v1/users/{_given('user_id', request.user_id)}")


def _erasure(request: api.GetErasureRequest) -> Asked:
    return Asked("GET", f"/v1/users/{_given('user_id', request.user_id)}/erasure")


def _json(message: Message) -> Json:
    """What was given. Raises: InvalidArgumentError."""
    try:
        return MessageToDict(message, preserving_proto_field_name=True)
    except SerializeToJsonError as error:  # nothing else in a message has values that JSON has not
        raise InvalidArgumentError("timestamp: expected one of the years 1 to 9999") from error


def _given(field: str, found: str) -> str:
    """An id for a path, which cannot say that there is none."""
    if not found:
        raise InvalidArgumentError(f"{field}: expected a value, found none")
    return found


def _query(request: Message) -> list[tuple[str, str]]:
    """Of a message whose fields are the parameters."""
    return [(name, str(value)) for name, value in _json(request).items()]


def _count(request: Any) -> list[tuple[str, str]]:
    return [("count", str(request.count))] if request.HasField("count") else []


def _categories(found: Iterable[str]) -> list[tuple[str, str]]:
    return [("category", category) for category in found]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "Recommend": Operation(api.RecommendRequest, api.RecommendResponse, _recommend),
    "ListSimilarItems": Operation(api.ListSimilarItemsRequest, api.ItemList, _similar),
    "ListBoughtTogether": Operation(api.ListBoughtTogetherRequest, api.ItemList, _bought_together),
    "ListPopularItems": Operation(api.ListPopularItemsRequest, api.ItemList, _popular),
    "ListTrendingItems": Operation(api.ListTrendingItemsRequest, api.ItemList, _trending),
    "RecommendLists": Operation(api.RecommendListsRequest, api.RecommendListsResponse, _lists),
    "PostEvents": Operation(api.PostEventsRequest, api.PostEventsResponse, _events),
    "MergeSession": Operation(api.MergeSessionRequest, api.MergeSessionResponse, _merge),
    "ListHistory": Operation(api.ListHistoryRequest, api.ListHistoryResponse, _history, has_times=True),
    "ListRecentlyViewed": Operation(
        api.ListRecentlyViewedRequest, api.ListRecentlyViewedResponse, _recently_viewed, has_times=True
    ),
    "FindCategories": Operation(api.FindCategoriesRequest, api.CategoryPage, _find_categories),
    "FindItems": Operation(api.FindItemsRequest, api.ItemPage, _find),
    "LookUpItems": Operation(api.LookUpItemsRequest, api.ItemPage, _look_up),
    "ChangeItems": Operation(api.ChangeItemsRequest, api.ChangeItemsResponse, _change, has_times=True),
    "EraseUser": Operation(api.EraseUserRequest, api.ErasureReport, _erase, has_times=True),
    "GetErasure": Operation(api.GetErasureRequest, api.ErasureReport, _erasure, has_times=True),
}
