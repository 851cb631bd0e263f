"""Cursors of ranked lists: the rest of a list, packed so that the caller can carry it.

A page is cut off a list that was ranked once. So pages neither repeat nor skip an item, whatever happens in between to
events, models or the catalogue, and no server keeps anything for them. What a cursor says is logged, so it is signed.
"""

import base64
import binascii
import hmac
import logging
import secrets
import zlib
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.requests import MAX_CURSOR_LENGTH
from gateway.schemas import ArmOut, Level, SubjectOut, VectorOrigin
from recsys.errors import InvalidArgumentError

_MOST_ITEMS: Final = 2_000
_MOST_BYTES: Final = 2_000_000  # unpacked
_SIGNATURE_BYTES: Final = 32

logger = logging.getLogger(__name__)


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
    """Ranked items that no page had yet, in order: parallel lists."""

    format: Literal[3] = 3
    facts: ListFacts
    item_ids: Annotated[list[str], Field(max_length=_MOST_ITEMS)]
    scores: list[Annotated[float, Field(allow_inf_nan=False)]]
    sources: list[Annotated[int, Field(ge=0, lt=1 << 32)]]  # bit sets
    propensities: list[Annotated[float, Field(ge=0, le=1)]]

    @model_validator(mode="after")
    def _is_parallel(self) -> "RestOfList":
        if not len(self.item_ids) == len(self.scores) == len(self.sources) == len(self.propensities):
            raise ValueError("lists of different lengths")
        return self

    def part(self, start: int, end: int | None = None) -> "RestOfList":
        """The items from place `start` up to before `end`."""
        columns = ("item_ids", "scores", "sources", "propensities")
        return self.model_copy(update={name: getattr(self, name)[start:end] for name in columns})


class ListCursors:
    """Makes cursors, and reads only those that were made with the same key."""

    def __init__(self, key: str = "") -> None:
        """Without a key, one is drawn: then no other process and no later one reads what this one made."""
        if not key:
            logger.warning("cursors hold in this process only: GATEWAY_CURSOR_KEY is not set")
        self._key = key.encode() or secrets.token_bytes(32)

    def encode(self, rest: RestOfList | None) -> str | None:
        """The cursor; none where nothing is left. Of ids so long that it would be too long, it carries the first."""
        if rest is None or not rest.item_ids:
            return None
        content = rest.model_dump_json().encode()
        packed = zlib.compress(content, level=1)
        cursor = base64.urlsafe_b64encode(self._signature(packed) + packed).decode()
        if len(content) > _MOST_BYTES or len(cursor) > MAX_CURSOR_LENGTH:
            return self.encode(rest.part(0, len(rest.item_ids) // 2))
        return cursor

    def decode(self, cursor: str) -> RestOfList:
        """The rest of the list that a cursor carries. Raises: InvalidArgumentError."""
        try:
            signed = base64.b64decode(cursor, altchars=b"-_", validate=True)
            signature, packed = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._signature(packed)):
                raise InvalidArgumentError(_NOT_OURS)
            return RestOfList.model_validate_json(zlib.decompress(packed))
        except (binascii.Error, zlib.error, ValueError) as error:  # no base64, or another version's content
            raise InvalidArgumentError(_NOT_OURS) from error

    def _signature(self, packed: bytes) -> bytes:
        return hmac.digest(self._key, packed, "sha256")


_NOT_OURS: Final = "the cursor is not one that this API gave out"
