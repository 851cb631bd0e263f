"""No request's body is longer than the limit, whatever its headers say."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimitMiddleware:
    """Plain ASGI. A body that announces itself as too long is not read at all."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        is_announced = announced.isdigit() and int(announced[:19]) > self._limit
        received = 0

        async def limited() -> Message:
            nonlocal received
            if is_announced:
                raise self._too_long()
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise self._too_long()
            return message

        await self._app(scope, limited, send)

    def _too_long(self) -> HTTPException:
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: expected at most {self._limit:,} bytes")
