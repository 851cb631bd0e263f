"""A query parameter that an operation does not have is refused, with the one that was perhaps meant: 422.

Without this a slip (`?cuont=3`) would be answered as if nothing had been asked. Bodies refuse unknown keys themselves.
So is a path or query in another encoding than UTF-8: `%FC` and `%E4` would both be read as the one id `\ufffd`.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send


class KnownParametersRoute(APIRoute):
    """A route that answers only requests whose query parameters it knows all."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.query_names = tuple(_query_names(self.dependant))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "\ufffd" in scope["path"]:
            _expect_utf8(scope["raw_path"], where="path")
        if scope["query_string"]:
            _expect_utf8(scope["query_string"], where="query")
            self._expect_known(scope["query_string"].decode("latin-1"))
        await super().handle(scope, receive, send)

    def _expect_known(self, query: str) -> None:
        given = dict.fromkeys(name for name, _ in parse_qsl(query, keep_blank_values=True))
        unknown = [name for name in given if name not in self.query_names]
        if unknown:
            raise RequestValidationError(
                [{"type": "extra_forbidden", "loc": ("query", name), "msg": self._hint(name)} for name in unknown]
            )

    def _hint(self, name: str) -> str:
        if near := get_close_matches(name, self.query_names, n=1):
            return f"there is no such parameter here; is {near[0]!r} meant?"
        return f"there is no such parameter here; there are: {', '.join(self.query_names) or 'none'}"


def _expect_utf8(encoded: bytes, *, where: str) -> None:
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError as error:
        found = f"%{error.object[error.start]:02X}"
        message = f"expected UTF-8, percent-encoded, found {found} at byte {error.start}"
        raise RequestValidationError([{"type": "encoding", "loc": (where,), "msg": message}]) from None


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for each in dependant.dependencies:
        yield from _query_names(each)
