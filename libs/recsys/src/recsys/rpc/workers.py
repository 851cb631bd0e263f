"""Threads that answer calls, and that know when they have enough of them."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Workers(ThreadPoolExecutor):
    """A pool with a bound on the calls that it answers or has waiting."""

    def __init__(self, name: str, *, threads: int, most: int, prepare: Callable[[], None] = lambda: None) -> None:
        """At most `most` calls before `busy` says so; `prepare` runs once in each thread."""
        super().__init__(threads, thread_name_prefix=name, initializer=prepare)
        self._most = most
        self._calls = 0
        self.arrived = 0  # calls since the start
        self._lock = threading.Lock()

    def busy(self) -> bool:
        """Whether one more would be too many."""
        return self._calls >= self._most

    def runs(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        """`behaviour`, marked so that grpc runs it here and not in the server's own pool."""

        def run(*arguments: Any) -> Any:
            return behaviour(*arguments)

        run.experimental_thread_pool = self  # type: ignore[attr-defined] # how grpc wants it
        return run

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Run a call in one of the threads, and count it until it has ended."""
        future = super().submit(call, *arguments, **named)
        with self._lock:
            self._calls += 1
            self.arrived += 1
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _future: Future[Any]) -> None:
        with self._lock:
            self._calls -= 1
