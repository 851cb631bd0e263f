"""Cursors of ranked lists: the rest of a list, packed so that the caller can carry it.

A page is cut off a list that was ranked once. So pages neither repeat nor skip an item, whatever happens in between to
events, models or the catalogue, and no server keeps anything for them.
"""

import base64
import binascii
import zlib
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.cursors import BadCursorError
from gateway.requests import MAX_CURSOR_LENGTH
from gateway.schemas import ArmOut, Level, SubjectOut, VectorOrigin

_MOST_ITEMS: Final = 2_000
_MOST_BYTES: Final = 2_000_000  # unpacked


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ListFacts(_Content):
    """What every page says of the list that it is cut off."""

    artifact_version: str
    subject: SubjectOut | None
    vector: VectorOrigin
    matching: Annotated[int, Field(ge=0, lt=1 << 64)]
    experiment: ArmOut | None
    level: Level
    preview: bool = False  # no page of it is an exposure


class RestOfList(_Content):
    """Ranked items not shown yet, in order: parallel lists."""

    format: Literal[2] = 2
    facts: ListFacts
    item_ids: Annotated[list[str], Field(max_length=_MOST_ITEMS)]
    scores: list[Annotated[float, Field(allow_inf_nan=False)]]
    sources: list[Annotated[int, Field(ge=0, lt=1 << 32)]]  # bit sets

    @model_validator(mode="after")
    def _is_parallel(self) -> "RestOfList":
        if not len(self.item_ids) == len(self.scores) == len(self.sources):
            raise ValueError("lists of different lengths")
        return self

    def part(self, start: int, end: int | None = None) -> "RestOfList":
        """The items from place `start` up to before `end`."""
        return RestOfList(
            facts=self.facts,
            item_ids=self.item_ids[start:end],
            scores=self.scores[start:end],
            sources=self.sources[start:end],
        )


def encode(rest: RestOfList) -> str | None:
    """The cursor; none where nothing is left. Of ids so long that it would be too long, it carries the first ones."""
    if not rest.item_ids:
        return None
    content = rest.model_dump_json().encode()
    cursor = base64.urlsafe_b64encode(zlib.compress(content, level=1)).decode()
    if len(content) > _MOST_BYTES or len(cursor) > MAX_CURSOR_LENGTH:
        return encode(rest.part(0, len(rest.item_ids) // 2))
    return cursor


def decode(cursor: str) -> RestOfList:
    """The rest of the list that a cursor carries. Raises: BadCursorError."""
    try:
        packed = base64.b64decode(cursor, altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, _MOST_BYTES)
        if not unpacking.eof or unpacking.unused_data:
            raise BadCursorError(_NOT_OURS)
        return RestOfList.model_validate_json(content)
    except (binascii.Error, zlib.error, ValidationError, ValueError) as error:
        raise BadCursorError(_NOT_OURS) from error


_NOT_OURS: Final = "the cursor is not one that this API gave out"
