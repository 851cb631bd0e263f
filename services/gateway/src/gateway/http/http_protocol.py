"""uvicorn's HTTP/1.1, for clients that send without end, that offer another protocol, or that send no HTTP.

A head must be whole within ten seconds and not be longer than 64 KiB, give or take one read. uvicorn itself ends only
connections on which nothing happens at all. How long a body may be, and may take, `body_limit` says.

Java's HttpClient offers to go on with HTTP/2 (`Upgrade: h2c`) in each first request. httptools takes what follows such
a head for the other protocol's, so that the request would lose its body: it is read again, without the offer.
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.http import problems

MAX_HEAD_BYTES: Final = 65_536
ARRIVES_WITHIN_S: Final = 10.0
_UNREADABLE: Final = (
    "expected a request of HTTP/1.1, found what cannot be read as one; in a path and a query every character that is "
    "not ASCII, and a space, is percent-encoded"
)


class BoundedHttp(HttpToolsProtocol):
    """One connection; half a microsecond a request."""

    arrives_within_s: ClassVar[float] = ARRIVES_WITHIN_S

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_is_open = True
        self._head_bytes = 0
        self._is_whole = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.arrives_within_s, self._took_too_long)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(400, _UNREADABLE)
        if self._is_whole or self.transport.is_closing():
            return
        if self._timer is None:
            self._timer = self.loop.call_later(self.arrives_within_s, self._took_too_long)
        if self._head_is_open:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, f"head: expected at most {MAX_HEAD_BYTES:,} bytes")

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._offers_another_protocol():
                self._feed(self._head_without_offer() + data[upgrade.args[0] :])

    def _offers_another_protocol(self) -> bool:
        return self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)

    def _head_without_offer(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        fields = (b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade")
        return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(fields))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_is_open, self._head_bytes, self._is_whole = True, 0, False

    def on_headers_complete(self) -> None:
        if self._offers_another_protocol():
            return
        self._head_is_open = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._offers_another_protocol():
            return
        self._is_whole = True
        self._stop_timer()
        super().on_message_complete()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _took_too_long(self) -> None:
        self._timer = None
        if self._head_is_open:
            self._refuse(408, f"head: expected within {self.arrives_within_s:g} seconds")
        elif self.cycle.response_complete:  # answered long ago, and the body still comes
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """A problem of a request that has neither a path nor an id."""
        if self.transport.is_closing():
            return
        body = problems.as_json(HTTPStatus(status), detail=detail, instance="", request_id="").encode()
        head = b"content-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head % (problems.MEDIA_TYPE.encode(), len(body)) + body)
        self.transport.close()
