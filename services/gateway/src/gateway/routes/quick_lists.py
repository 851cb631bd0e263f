"""The two routes of lists for somebody, ahead of FastAPI's own way through a route, which takes three times as long.

They read requests in the plainest form, which nearly all have, and answer them by the documented routes' own function.
Any other request goes FastAPI's way, and so does everything that is refused. A test asks both ways for the same bytes.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from gateway.http.access import KeyedRoute
from gateway.requests import MAX_COUNT, RecommendationRequest
from gateway.routes import recommendations
from recsys.ids import MAX_ID_LENGTH

_BEFORE_ID: Final = "/v1/users/"
_AFTER_ID: Final = "/recommendations"
_SWITCH: Final = {b"true": True, b"false": False}
_JSON: Final = (b"content-type", b"application/json")
_WAS_READ: Final = "body_was_read"
"""In the ASGI scope of a request whose body FastAPI is to read once more."""
_ASKED: Final = "asked"


class QuickUserList(BaseRoute):
    """`GET /v1/users/{user_id}/recommendations`."""

    def __init__(self, documented: KeyedRoute) -> None:
        self._documented = documented

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """In full, or not at all."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return Match.NONE, {}
        path: str = scope["path"]
        user_id = path[len(_BEFORE_ID) : -len(_AFTER_ID)]
        if not (path.startswith(_BEFORE_ID) and path.endswith(_AFTER_ID) and 0 < len(user_id) <= MAX_ID_LENGTH):
            return Match.NONE, {}
        if "\ufffd" in user_id:  # perhaps of bytes that are no UTF-8
            return Match.NONE, {}
        given = _plain_parameters(scope["query_string"])
        if given is None:
            return Match.NONE, {}
        return Match.FULL, {"route": self._documented, _ASKED: recommendations.for_user(user_id, **given)}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what `matches` has read."""
        self._documented.expect_access(scope)
        answer = await recommendations.page(scope, scope[_ASKED])
        await answer(scope, receive, send)


class QuickList(BaseRoute):
    """`POST /v1/recommendations`."""

    def __init__(self, documented: KeyedRoute) -> None:
        self._documented = documented

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """In full, or not at all."""
        is_plain = (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"] == self._documented.path
            and not scope["query_string"]
            and _JSON in scope["headers"]
            and _WAS_READ not in scope
        )
        return (Match.FULL, {"route": self._documented}) if is_plain else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have FastAPI say what is wrong with the body."""
        self._documented.expect_access(scope)
        body = await _whole_body(receive)
        try:
            asked = RecommendationRequest.model_validate_json(body)
        except ValidationError:
            router: Callable[[Scope, Receive, Send], Awaitable[None]] = scope["router"]
            scope[_WAS_READ] = True
            await router(scope, _again(body, receive), send)
            return
        answer = await recommendations.page(scope, asked)
        await answer(scope, receive, send)


def quick_routes(documented: APIRouter) -> list[BaseRoute]:
    """To stand before the documented routes."""
    by_name = {route.name: route for route in documented.routes if isinstance(route, KeyedRoute)}
    return [QuickUserList(by_name["get_recommendations"]), QuickList(by_name["recommend"])]


def _plain_parameters(query: bytes) -> dict[str, Any] | None:
    """The parameters of a query string that holds each at most once and as documented; none for any other."""
    given: dict[str, Any] = {}
    for part in query.split(b"&") if query else ():
        raw_name, _, value = part.partition(b"=")
        name = raw_name.decode("latin-1")
        if name in given:
            return None
        if name == "count" and value.isdigit() and len(value) <= len(str(MAX_COUNT)) and 1 <= int(value) <= MAX_COUNT:
            given[name] = int(value)
        elif name in ("include_seen", "preview") and value in _SWITCH:
            given[name] = _SWITCH[value]
        else:
            return None
    return given


async def _whole_body(receive: Receive) -> bytes:
    parts = []
    is_more = True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives the body once more, and then what follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def once_more() -> Message:
        return messages.pop() if messages else await receive()

    return once_more
