"""Cursors of ranked lists: the rest of a list, packed so that the caller can carry it.

A page is cut off a list that was ranked once. So pages neither repeat nor skip an item, whatever happens in between to
events, models or the catalogue, and no server keeps anything for them.
"""

import base64
import binascii
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.cursors import BadCursorError
from recsys.v1.reranker_service_pb2 import Remainder

_FORMAT: Final = 1
_MOST_ITEMS: Final = 2_000
_MOST_BYTES: Final = 2_000_000  # unpacked


@dataclass(frozen=True)
class RestOfList:
    """Ranked items not shown yet, in order: parallel lists."""

    artifact_version: str  # that ranked them
    item_ids: Sequence[str]
    scores: Sequence[float]
    sources: Sequence[int]  # bit sets

    @classmethod
    def of(cls, artifact_version: str, remainder: Remainder) -> "RestOfList":
        """What the reranker left over."""
        return cls(artifact_version, list(remainder.item_ids), list(remainder.scores), list(remainder.sources))

    def after(self, count: int) -> "RestOfList":
        """Without the first ones."""
        return RestOfList(self.artifact_version, self.item_ids[count:], self.scores[count:], self.sources[count:])


def encode(rest: RestOfList) -> str | None:
    """The cursor; none where nothing is left."""
    if not rest.item_ids:
        return None
    content = orjson.dumps([_FORMAT, rest.artifact_version, rest.item_ids, rest.scores, rest.sources])
    return base64.urlsafe_b64encode(zlib.compress(content, level=1)).decode()


def decode(cursor: str) -> RestOfList:
    """The rest of the list that a cursor carries. Raises: BadCursorError."""
    try:
        packed = base64.b64decode(cursor, altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, _MOST_BYTES)
        if not unpacking.eof:
            raise BadCursorError(_NOT_OURS)
        made_of = orjson.loads(content)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise BadCursorError(_NOT_OURS) from error
    if not (isinstance(made_of, list) and len(made_of) == 5 and made_of[0] == _FORMAT and isinstance(made_of[1], str)):
        raise BadCursorError(_NOT_OURS)
    _, version, item_ids, scores, sources = made_of
    if not (_are(item_ids, _is_id) and _are(scores, _is_score) and _are(sources, _is_bit_set)):
        raise BadCursorError(_NOT_OURS)
    if not 0 < len(item_ids) == len(scores) == len(sources) <= _MOST_ITEMS:
        raise BadCursorError(_NOT_OURS)
    return RestOfList(version, item_ids, scores, sources)


_NOT_OURS: Final = "the cursor is not one that this API gave out"


def _are(values: Any, is_one: Any) -> bool:
    return isinstance(values, list) and all(map(is_one, values))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_bit_set(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32
