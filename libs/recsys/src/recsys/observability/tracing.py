"""Spans of a request over all processes, where they are wanted (`trace_export`); else a span is a look at a variable.

A span names methods and routes, never somebody's id.
"""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Final, Protocol

TRACEPARENT: Final = "traceparent"
"""Name of the HTTP header and of the gRPC metadata entry, as W3C has it."""

caller: Final[ContextVar[str]] = ContextVar("caller", default="")
"""The `traceparent` that the call of this context came with."""


class Span(Protocol):
    """What is told of a span while it lasts."""

    def tell(self, *, name: str, **attributes: str | int) -> None:
        """Name it, and add attributes; `__` in their names stands for a dot."""


class _NoSpan:
    def tell(self, *, name: str, **attributes: str | int) -> None:
        """Nobody listens."""


class Spans(Protocol):
    """What makes them: `recsys.observability.otlp_spans`."""

    def server(self, name: str, *, parent: str) -> AbstractContextManager[Span]:
        """Around the answer to a call that came with a `traceparent`, or without one."""

    def child(self, name: str) -> AbstractContextManager[object]:
        """Around a call to another part, where it is part of a trace."""

    def traceparent(self) -> str:
        """Of the span of this context; empty outside of one."""


_spans: Spans | None = None
_NO_SPAN: Final = nullcontext(_NoSpan())


def use(spans: Spans | None) -> None:
    """Have this process's spans made so from now on; none: no more are made."""
    global _spans
    _spans = spans


def is_on() -> bool:
    """Whether spans are made."""
    return _spans is not None


def server(name: str, *, parent: str) -> AbstractContextManager[Span]:
    """See `Spans.server`."""
    return _NO_SPAN if _spans is None else _spans.server(name, parent=parent)


def served(name: str) -> AbstractContextManager[object]:
    """Around a service's answer to a call that is part of a trace; calls that no request caused are none."""
    parent = caller.get() if _spans is not None else ""
    return _NO_SPAN if _spans is None or not parent else _spans.server(name, parent=parent)


def child(name: str) -> AbstractContextManager[object]:
    """See `Spans.child`."""
    return _NO_SPAN if _spans is None else _spans.child(name)


def traceparent() -> str:
    """See `Spans.traceparent`."""
    return "" if _spans is None else _spans.traceparent()
