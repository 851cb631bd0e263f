"""What the routes' functions take: ids in paths, counts and cursors.

Importing this module registers the `id` path converter.
"""

from typing import Annotated

from fastapi import Depends, HTTPException, Path, Query
from starlette.convertors import Convertor, register_url_convertor

from gateway.requests import MAX_COUNT, Words
from gateway.shop import cursors
from recsys.ids import MAX_ID_LENGTH


class IdConvertor(Convertor[str]):
    """A shop's id in a path: one character or more of any kind, slashes and line breaks too."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", IdConvertor())

UserId = Annotated[
    str,
    Path(
        description="The shop's own id, percent-encoded.",
        examples=["13047"],
        max_length=MAX_ID_LENGTH,
    ),
]
ItemId = Annotated[
    str,
    Path(
        description="The shop's own id, percent-encoded.",
        examples=["85123A"],
        max_length=MAX_ID_LENGTH,
    ),
]
Categories = Annotated[
    tuple[Words, ...], Query(alias="category", max_length=100, description="Only items of any of these, exactly.")
]
Count = Annotated[int, Query(ge=1, le=MAX_COUNT, description="How many to return at the most.")]
PageSize = Annotated[int, Query(ge=1, le=MAX_COUNT, description="How many a page holds at the most.")]


async def _after_id(
    cursor: Annotated[str, Query(description="`next_cursor` of the page before; empty for the first page.")] = "",
) -> str:
    try:
        return cursors.decode(cursor)
    except cursors.BadCursorError as error:
        raise HTTPException(400, str(error)) from error


AfterId = Annotated[str, Depends(_after_id)]
