"""An item of the wire as the public JSON has it."""

from recsys.v1.item_pb2 import Item

Json = dict[str, object]


def item_json(message: Item) -> Json:
    """JSON of `answers.Item`."""
    return {
        "item_id": message.item_id,
        "title": message.title if message.HasField("title") else None,
        "category": message.category if message.HasField("category") else None,
        "price": message.price if message.HasField("price") else None,
        "image_url": message.image_url if message.HasField("image_url") else None,
        "available": message.available,
        "attributes": dict(message.attributes),
    }
