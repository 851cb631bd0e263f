"""One request through the application, without a socket: an `Asked` in, status, headers and body of the answer out.

It passes every layer that a request over HTTP passes: its id, log line and metrics, admission, key, scope and rate.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

import orjson
from starlette.types import ASGIApp, Message, Scope

from gateway.http.request_context import RPC_METHOD
from gateway.rpc.operations import Asked
from recsys.observability.logging import REQUEST_ID_KEY
from recsys.observability.tracing import TRACEPARENT

_PASSED_ON: Final = frozenset({"authorization", REQUEST_ID_KEY, TRACEPARENT})
_JSON: Final = (b"content-type", b"application/json")

logger = logging.getLogger(__name__)


@dataclass
class Answer:
    """Of the application."""

    status: int = 0  # 0: none yet
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


async def ask(app: ASGIApp, asked: Asked, *, rpc_method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Answer:
    """Have the application answer; `metadata` is that of the call, of which only what the API knows is passed on."""
    body = b"" if asked.body is None else orjson.dumps(asked.body)
    answer = Answer()
    unread = [body]

    async def receive() -> Message:
        return {"type": "http.request", "body": unread.pop()} if unread else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], dict(message["headers"])
        else:
            answer.body += message.get("body", b"")

    try:
        await app(_scope(asked, rpc_method, metadata), receive, send)
    except Exception:  # the application has answered 500 and says the rest to its server, which logs it
        logger.exception("unexpected error")
    return answer


def _scope(asked: Asked, rpc_method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Scope:
    headers = [(name.encode(), str(value).encode()) for name, value in metadata if name in _PASSED_ON]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "method": asked.method,
        "scheme": "http",
        "path": asked.path,
        "raw_path": quote(asked.path).encode(),
        "query_string": urlencode(list(asked.query)).encode(),
        "root_path": "",
        "headers": headers if asked.body is None else [*headers, _JSON],
        RPC_METHOD: rpc_method,
    }
