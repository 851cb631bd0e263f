"""The use-case of items that change: changes into the store, and the catalogue's items with the changes put over them.

The services learn of a change within a quarter of a second. What this process wrote itself it knows at once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import grpc

from gateway.clients import Clients
from gateway.requests import DeleteChange, ItemPatch, ItemPut
from gateway.schemas import ChangedItem, ItemChangesDone
from gateway.shop.live_shop import LiveShop, now_ms
from recsys.feature_store.interface import FeatureStore
from recsys.item_vector import packed
from recsys.shop.item import ATTRIBUTES, ItemChange, ItemRecord, JsonScalar
from recsys.shop.item_wire import item_from_wire, item_to_wire
from recsys.v1 import item_pb2

Json = dict[str, object]


def change_of(item_id: str, body: ItemPut | ItemPatch | DeleteChange) -> ItemChange:
    """What was given, in the feature store's names; of a patch, no more than that."""
    if isinstance(body, DeleteChange):
        return ItemChange(item_id, "delete")
    told = {"op", "item_id", "attributes", "vector"}
    given: dict[str, JsonScalar] = body.model_dump(exclude=told, exclude_unset=True)
    if "vector" in body.model_fields_set:
        given["vector"] = None if body.vector is None else packed(body.vector)
    fields = given | {f"{ATTRIBUTES}{name}": value for name, value in body.attributes.items()}
    return ItemChange(item_id, "put" if isinstance(body, ItemPut) else "patch", fields)


async def change(changes: Sequence[ItemChange], *, store: FeatureStore, live: LiveShop) -> ItemChangesDone:
    """Make changes durable, all or none. From now on this process answers by them. Raises: StoreUnavailableError."""
    records = await store.change_items(changes, now_ms=now_ms())
    live.take(records)
    changed = [
        ChangedItem(
            item_id=record.item_id,
            deleted=record.is_deleted,
            updated_at=datetime.fromtimestamp(record.updated_ms / 1000, UTC),
        )
        for record in records
    ]
    return ItemChangesDone(changed=len(changed), items=changed)


async def missing(changes: Sequence[ItemChange], *, live: LiveShop, clients: Clients, timeout_s: float) -> list[str]:
    """Ids of items to be patched that do not exist.

    While the catalogue cannot be asked, an item passes for one that exists: taking it off sale must not depend on that.
    """
    exists: dict[str, bool | None] = {}  # none: the catalogue must say
    for each in changes:
        if each.kind != "patch":
            exists[each.item_id] = each.kind == "put"
        elif each.item_id not in exists:
            exists[each.item_id] = _exists(live.record(each.item_id))
        if each.kind == "patch" and exists[each.item_id] is False:
            return [each.item_id]
    unsure = [item_id for item_id, known in exists.items() if known is None]
    try:
        return await clients.reranker.find_unknown_items(unsure, timeout_s=timeout_s) if unsure else []
    except grpc.aio.AioRpcError:
        return []


def _exists(record: ItemRecord | None) -> bool | None:
    if record is None or not (record.is_whole or record.is_deleted):
        return None
    return not record.is_deleted


def as_now(item_id: str, described: item_pb2.Item | None, live: LiveShop) -> item_pb2.Item | None:
    """An item as the catalogue describes it, with what this process knows put over it; none: it does not exist."""
    record = live.record(item_id)
    if record is None:
        return described
    if record.is_deleted or (described is None and not record.makes_item):
        return None
    return item_to_wire(record.over(None if described is None else item_from_wire(described)))


def item_json(message: item_pb2.Item) -> Json:
    """JSON of `schemas.Item`."""
    return {
        "item_id": message.item_id,
        "title": message.title if message.HasField("title") else None,
        "category": message.category if message.HasField("category") else None,
        "price": message.price if message.HasField("price") else None,
        "image_url": message.image_url if message.HasField("image_url") else None,
        "available": message.available,
        "attributes": dict(message.attributes) if message.attributes else {},  # most have none, and a copy costs
    }
