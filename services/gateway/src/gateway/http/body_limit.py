"""No request's body is longer than the limit, whatever its headers say, nor takes longer to arrive."""

import asyncio
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.access import header


class BodyLimitMiddleware:
    """Plain ASGI. A body that announces itself as too long is not read at all."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, arrives_within_s: float) -> None:
        self._app = app
        self._limit = max_body_bytes
        self._arrives_within_s = arrives_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        announced = header(scope, b"content-length") or b"0"
        is_announced = announced.isdigit() and int(announced[:19]) > self._limit
        received = 0
        is_whole = False
        must_be_whole_at_s = asyncio.get_running_loop().time() + self._arrives_within_s

        async def limited() -> Message:
            nonlocal received, is_whole
            if is_announced:
                raise self._too_long()
            if is_whole:  # what comes is the end of the connection, whenever that is
                return await receive()
            try:
                async with asyncio.timeout_at(must_be_whole_at_s):
                    message = await receive()
            except TimeoutError as error:
                raise self._too_slow() from error
            if message["type"] == "http.disconnect":  # nobody hears the answer; it is no error of ours
                raise HTTPException(HTTPStatus.BAD_REQUEST, "body: the connection ended within it")
            received += len(message.get("body", b""))
            if received > self._limit:
                raise self._too_long()
            is_whole = not message.get("more_body", False)
            return message

        await self._app(scope, limited, send)

    def _too_long(self) -> HTTPException:
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: expected at most {self._limit:,} bytes")

    def _too_slow(self) -> HTTPException:
        detail = f"body: expected within {self._arrives_within_s:g} seconds"
        return HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"})
