"""uvicorn's HTTP/1.1, for clients that send without end.

A head must be whole within ten seconds and not be longer than 64 KiB, give or take one read. uvicorn itself ends only
connections on which nothing happens at all. How long a body may be, and may take, `body_limit` says.
"""

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES: Final = 65_536
ARRIVES_WITHIN_S: Final = 10.0


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
        super().data_received(data)
        if self._is_whole or self.transport.is_closing():
            return
        if self._timer is None:
            self._timer = self.loop.call_later(self.arrives_within_s, self._took_too_long)
        if self._head_is_open:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_is_open, self._head_bytes, self._is_whole = True, 0, False

    def on_headers_complete(self) -> None:
        self._head_is_open = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
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
            self._refuse(408)
        elif self.cycle.response_complete:  # answered long ago, and the body still comes
            self.transport.close()

    def _refuse(self, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
