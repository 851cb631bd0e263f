"""The use-case of items that change: changes into the store, and the catalogue with them laid over.

The services learn of a change within a quarter of a second. What this process wrote itself it knows at once.
"""

from collections.abc import Iterable, Sequence

import grpc

from gateway.clients import Clients
from gateway.requests import DeleteChange, ItemPatch, ItemPut, PatchChange, PutChange
from gateway.shop.live_shop import LiveShop, now_ms
from recsys.feature_store.interface import FeatureStore
from recsys.shop.item import ATTRIBUTES, ItemChange, ItemRecord, JsonScalar
from recsys.shop.item_wire import item_from_wire, item_to_wire
from recsys.v1 import item_pb2


def change_of(item_id: str, body: ItemPut | ItemPatch) -> ItemChange:
    """What was given, in the feature store's names; of a patch, no more than that."""
    given: dict[str, JsonScalar] = body.model_dump(exclude={"op", "item_id", "attributes"}, exclude_unset=True)
    fields = given | {f"{ATTRIBUTES}{name}": value for name, value in body.attributes.items()}
    return ItemChange(item_id, "put" if isinstance(body, ItemPut) else "patch", fields)


def changes_of(bodies: Iterable[PutChange | PatchChange | DeleteChange]) -> list[ItemChange]:
    """The same for many."""
    return [
        ItemChange(body.item_id, "delete") if isinstance(body, DeleteChange) else change_of(body.item_id, body)
        for body in bodies
    ]


async def change(changes: Sequence[ItemChange], *, store: FeatureStore, live: LiveShop) -> list[ItemRecord]:
    """Make changes durable, all or none. From now on this process answers by them. Raises: StoreUnavailableError."""
    records = await store.change_items(changes, now_ms=now_ms())
    live.take(records)
    return records


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


async def items_of(
    item_ids: Sequence[str], *, live: LiveShop, clients: Clients, timeout_s: float
) -> tuple[str, list[item_pb2.Item]]:
    """The artifact version that answered, and those of the items that exist now, in the order asked for."""
    found = await clients.reranker.get_items(item_ids, timeout_s=timeout_s)
    described = {item.item_id: item for item in found.items}
    now = (as_now(item_id, described.get(item_id), live) for item_id in item_ids)
    return found.artifact_version, [item for item in now if item is not None]


def as_now(item_id: str, described: item_pb2.Item | None, live: LiveShop) -> item_pb2.Item | None:
    """An item as the catalogue describes it, with what this process knows put over it; none: it does not exist."""
    record = live.record(item_id)
    if record is None:
        return described
    if record.is_deleted or (described is None and not record.makes_item):
        return None
    return item_to_wire(record.over(None if described is None else item_from_wire(described)))
