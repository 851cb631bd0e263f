"""What the routes' functions take: ids in paths, counts and cursors.

Importing this module registers the `id` path converter.
"""

import base64
from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.convertors import Convertor, register_url_convertor

from gateway.requests import MAX_COUNT, Words
from recsys.errors import InvalidArgumentError
from recsys.ids import MAX_ID_LENGTH


class IdConvertor(Convertor[str]):
    """A shop's id in a path: one character or more of any kind, slashes and line breaks too."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", IdConvertor())

_ID = "The shop's own id, percent-encoded."
UserId = Annotated[str, Path(description=_ID, examples=["13047"], max_length=MAX_ID_LENGTH)]
ItemId = Annotated[str, Path(description=_ID, examples=["85123A"], max_length=MAX_ID_LENGTH)]
Categories = Annotated[
    tuple[Words, ...], Query(alias="category", max_length=100, description="Only items of any of these, exactly.")
]
Count = Annotated[int, Query(ge=1, le=MAX_COUNT, description="How many to return at the most.")]
PageSize = Annotated[int, Query(ge=1, le=MAX_COUNT, description="How many a page holds at the most.")]


async def after_id(
    cursor: Annotated[str, Query(description="`next_cursor` of the page before; empty for the first page.")] = "",
) -> str:
    """The id of `AfterId`. Raises: InvalidArgumentError, where it is not one of our cursors."""
    padding = "=" * (-len(cursor) % 4)
    try:
        return base64.b64decode(cursor + padding, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise InvalidArgumentError("the cursor is not one that this API gave out") from error


AfterId = Annotated[str, Depends(after_id)]
"""The id that a page starts after; empty for the first one. It marks the place, and not a position: so pages neither
repeat nor skip when the model changes in between."""


def cursor_after(last_id: str) -> str:
    """The cursor, opaque to the caller, of the page that follows `last_id`."""
    return base64.urlsafe_b64encode(last_id.encode()).rstrip(b"=").decode()
