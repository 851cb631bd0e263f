"""Catalogue items as the wire has them."""

from recsys.artifact.catalogue import CatalogueItem
from recsys.v1.item_pb2 import Item


def item_to_wire(item: CatalogueItem) -> Item:
    """What the shop did not give stays absent."""
    return Item(
        item_id=item.item_id,
        title=item.title,
        category=item.category,
        price=item.price,
        image_url=item.image_url,
        available=item.available,
    )
