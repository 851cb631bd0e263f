"""Items, candidates and sources as the wire has them; what the shop did not give stays absent.

The services read and write candidates as arrays. What follows is for whoever needs them as plain numbers.
"""

import struct
from typing import Any, cast

from recsys.shop.item import Item
from recsys.v1 import item_pb2


def item_to_wire(item: Item) -> item_pb2.Item:
    """The message of an item."""
    return item_pb2.Item(
        item_id=item.item_id,
        title=item.title,
        category=item.category,
        price=item.price,
        image_url=item.image_url,
        available=item.available,
        attributes=item.attributes,
    )


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


def sources_to_wire(bits: int) -> list[item_pb2.CandidateSource]:
    """The sources of a set; also those that this process does not know, which another one may."""
    numbers = [number for number in range(1, bits.bit_length()) if bits >> number & 1]
    return cast("list[item_pb2.CandidateSource]", numbers)
