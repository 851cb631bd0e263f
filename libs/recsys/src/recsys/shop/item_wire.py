"""Items, candidates and sources as the wire has them; what the shop did not give stays absent.

The services read and write candidates as arrays. What follows is for whoever needs them as plain numbers.
"""

import struct
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, cast

from recsys.shop.item import Item
from recsys.v1 import item_pb2

_MOST_SETS: Final = 256
_FIELDS: Final = [field.name for field in fields(Item) if field.name != "vector"]  # the message's are called alike


def item_to_wire(item: Item) -> item_pb2.Item:
    """The message of an item."""
    return item_pb2.Item(**{name: getattr(item, name) for name in _FIELDS})  # none is as good as not given


def description(item: Item) -> bytes:
    """What a `RankedItem` says of its item, serialized."""
    return item_pb2.RankedItem(item=item_to_wire(item)).SerializeToString()


def item_from_wire(message: item_pb2.Item) -> Item:
    """The item of a message."""
    given: dict[str, Any] = {name.name: value for name, value in message.ListFields()}
    return Item(**{**given, "available": message.available, "attributes": dict(message.attributes)})


def scores_of(candidates: item_pb2.CandidateSet) -> tuple[float, ...]:
    """The scores of the candidates, in their order."""
    return struct.unpack(f"<{len(candidates.scores) // 4}f", candidates.scores)


def sources_of(candidates: item_pb2.CandidateSet) -> tuple[int, ...]:
    """The sources of each candidate as a set of bits, in their order."""
    return struct.unpack(f"<{len(candidates.sources) // 4}I", candidates.sources)


@lru_cache(_MOST_SETS)
def sources_to_wire(bits: int) -> Sequence[item_pb2.CandidateSource]:
    """The sources of a set; also those that this process does not know, which another one may."""
    numbers = tuple(number for number in range(1, bits.bit_length()) if bits >> number & 1)
    return cast("Sequence[item_pb2.CandidateSource]", numbers)
