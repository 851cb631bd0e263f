"""The outermost layer: gives every request its id, and writes its one log line.

In: an HTTP request, perhaps with an `X-Request-ID`. Out: the same id (or a new one) in the response's header, in
`request_id` for every log line and outgoing call, and one `request` line with method, route, status, latency, the name
of the API key and, of a list, its id, what it could be made of and how long it is; and the same counted. The path
itself is not logged: it holds ids of users. A call over gRPC is a request like any other (`gateway.rpc`).
"""

import logging
import re
import secrets
import time
from dataclasses import dataclass

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.access import KEY_NAME, header
from gateway.http.metrics import GatewayMetrics
from gateway.schemas import Level
from recsys.observability import tracing
from recsys.observability.logging import REQUEST_ID_KEY, request_id

_HEADER = REQUEST_ID_KEY.encode()
_TRACEPARENT = tracing.TRACEPARENT.encode()
_AS_DECLARED = (b"x-content-type-options", b"nosniff")  # a browser is not to guess another type of content
_SANE_ID = re.compile(rb"[\x21-\x7e]{1,128}")

RPC_METHOD = "rpc_method"
"""Where the name of the gRPC method stands in the ASGI scope of a request that came over gRPC."""
_LIST = "answered_list"
"""Where an `AnsweredList` stands in the ASGI scope."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnsweredList:
    """What log and metrics are told of a list."""

    level: Level
    returned: int  # items
    list_id: str = ""  # as in the answer, where it has one
    asked: int = 0  # items; 0: no number was wanted, as of a history
    vector: str = ""  # whence the query vector came, of a list for somebody


def tell(scope: Scope, answered: AnsweredList) -> None:
    """Have it in the request's log line, and counted."""
    scope[_LIST] = answered


class RequestContextMiddleware:
    """Plain ASGI, since Starlette's BaseHTTPMiddleware would run the application in another task."""

    def __init__(self, app: ASGIApp, *, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = (header(scope, _TRACEPARENT) or b"").decode("latin-1") if tracing.is_on() else ""
        with tracing.server(scope["method"], parent=parent) as span:
            await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: tracing.Span) -> None:
        started_s = time.perf_counter()
        this_id = _id_of(scope) or secrets.token_hex(16)
        request_id.set(this_id)
        status = 500  # what the server answers if the application raises before it answers

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], _AS_DECLARED, (_HEADER, this_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            latency_s = time.perf_counter() - started_s
            route = _route_of(scope)
            operation = route.name if route else ""
            if tracing.is_on():
                name = f"{scope['method']} {route.path_format}" if route else scope["method"]
                span.tell(name=name, http__request__method=scope["method"], http__response__status_code=status)
            self._metrics.ended(operation, status, latency_s)
            fields = {
                "method": scope["method"],
                "route": route.path_format if route else "",
                "status": status,
                "latency_ms": round(latency_s * 1000, 3),
                "key": scope.get(KEY_NAME, ""),
            }
            if RPC_METHOD in scope:
                fields["rpc"] = scope[RPC_METHOD]
            answered: AnsweredList | None = scope.get(_LIST)
            if answered is not None:
                self._metrics.listed(
                    operation, answered.level, returned=answered.returned, asked=answered.asked, vector=answered.vector
                )
                fields |= {"list_level": answered.level, "returned": answered.returned}
                if answered.list_id:
                    fields["list_id"] = answered.list_id
            logger.info("request", extra=fields)


def _route_of(scope: Scope) -> APIRoute | None:
    """None: there is none with this path and method."""
    route = scope.get("route")
    return route if isinstance(route, APIRoute) and scope["method"] in (route.methods or ()) else None


def _id_of(scope: Scope) -> str | None:
    """The caller's id, unless it could do harm in a log line or a header."""
    value = header(scope, _HEADER)
    return value.decode() if value is not None and _SANE_ID.fullmatch(value) else None
