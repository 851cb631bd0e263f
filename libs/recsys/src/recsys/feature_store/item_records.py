"""What a change makes of an item's record, the same in both backends."""

from recsys.feature_store.interface import ItemChange, ItemRecord


def changed(before: ItemRecord | None, change: ItemChange, *, sequence: int, now_ms: int) -> ItemRecord:
    """The record after the change.

    A put forgets what was; a patch adds to it, and brings nothing back that was deleted but what a put would; a delete
    keeps nothing but the fact.
    """
    is_fresh = before is None or before.is_deleted
    kept = {} if before is None or is_fresh or change.kind == "put" else dict(before.fields)
    was_whole = before is not None and (before.is_whole or before.is_deleted)
    return ItemRecord(
        item_id=change.item_id,
        sequence=sequence,
        is_whole=change.kind == "put" or (change.kind == "patch" and was_whole),
        is_deleted=change.kind == "delete",
        fields={} if change.kind == "delete" else kept | dict(change.fields),
        created_ms=before.created_ms if before is not None and not before.is_deleted else now_ms,
        updated_ms=now_ms,
    )
