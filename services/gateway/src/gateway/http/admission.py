"""No more requests at once than this process answers well: the others hear so at once, instead of in a pile-up.

Waiting in line would help nobody: a request that waits takes memory and its caller's time, and those behind it come too
late as well. Health probes pass.
"""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http import problems

_ALWAYS: Final = frozenset({"/healthz", "/readyz"})
_RETRY_AFTER_S: Final = "1"


class AdmissionMiddleware:
    """Plain ASGI; half a microsecond a request."""

    def __init__(self, app: ASGIApp, *, max_in_flight: int) -> None:
        self._app = app
        self._most = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._most:
            refusal = problems.response(
                Request(scope),
                status=HTTPStatus.TOO_MANY_REQUESTS,
                detail="too many requests are being answered already",
                headers={"Retry-After": _RETRY_AFTER_S},
            )
            await refusal(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
