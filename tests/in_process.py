"""A gRPC service in the test's own process, on a free port, with a channel to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import grpc
import pytest

from recsys.artifact.watcher import Watcher
from recsys.rpc.channel import open_blocking_channel
from recsys.rpc.server import RpcServer

Model = TypeVar("Model")

TIMEOUT_S: Final = 60.0
NEVER_S: Final = 3600.0
"""A poll interval for tests that call `Watcher.poll` themselves."""


@contextmanager
def serving(server: RpcServer, watcher: Watcher[Model]) -> Iterator[grpc.Channel]:
    """Start both, as `__main__` does, and end both."""
    port = server.start(host="127.0.0.1", port=0)
    watcher.start()
    try:
        with open_blocking_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        server.drain()
        watcher.stop()


def failure_of(call: Callable[[], object]) -> tuple[grpc.StatusCode, str | None]:
    """Status code and message of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()
