"""The requests of a stream, and a quick way from an answer to the next one: both in one batch of grpc's.

Sending and receiving one after the other, as grpc-python's own iterators do, wakes its poller's thread and then the
stream's for each: 11 context switches a call, and not 3. It has no public way. What is used here of `grpc._server` is
what those iterators are made of; where a release has it otherwise, every test of call streams fails.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined] # no part of the stubs

_TOKEN: Final = "exchange"
_NO_FLAGS: Final = 0

Request = TypeVar("Request")


class Requests(Generic[Request]):
    """What came over a stream of requests."""

    def __init__(self, raw: Any, read: Callable[[bytes], Request]) -> None:
        """`raw` is the iterator that grpc gives to a handler."""
        self._raw = raw
        self._read = read

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        return self._read(next(self._raw))

    def after(self, answer: bytes) -> Request | None:
        """Send an answer, and wait for the next request. None: the client is done, or has gone away."""
        request = _exchange(self._raw._state, self._raw._call, answer)
        return None if request is None else self._read(request)


def _exchange(state: Any, call: Any, answer: bytes) -> bytes | None:
    def done(event: Any) -> Any:
        """In the thread of grpc's poller."""
        with state.condition:
            state.request = event.batch_operations[0].message()
            if state.request is None and state.client is _server._OPEN:
                state.client = _server._CLOSED
            state.condition.notify_all()
            return _server._possibly_finish_call(state, _TOKEN)

    both = (cygrpc.ReceiveMessageOperation(_NO_FLAGS), cygrpc.SendMessageOperation(answer, _NO_FLAGS))
    with state.condition:
        if not _server._is_rpc_state_active(state):
            return None
        call.start_server_batch(both, done)
        state.due.add(_TOKEN)
        while _TOKEN in state.due:
            state.condition.wait()
        request: bytes | None
        request, state.request = state.request, None
        return request
