"""An item of the shop, the record of what the shop changed of it since, and the one way to put both together."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, cast

JsonScalar = str | float | bool | None

ATTRIBUTES: Final = "attributes."
"""The field `attributes.NAME` of a record is the item's attribute NAME."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item; none where the shop gave nothing."""

    item_id: str
    title: str | None = None
    category: str | None = None
    price: float | None = None  # in the shop's currency
    image_url: str | None = None
    available: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    vector: str | None = None  # of its text or picture, as `recsys.item_vector` has it; in no answer

    def value(self, field: str) -> JsonScalar:
        """What it says of a field, as records name it; none: nothing."""
        if field.startswith(ATTRIBUTES):
            return self.attributes.get(field.removeprefix(ATTRIBUTES))
        return cast("JsonScalar", getattr(self, field))


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What the shop says of an item now. `fields` are those of `Item`, and `attributes.NAME` for each attribute."""

    item_id: str
    kind: Literal["put", "patch", "delete"]  # put: a field not given is null; patch: it stays as it is
    fields: Mapping[str, JsonScalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """All changes of an item so far, put together. It overrules what the trained catalogue says."""

    item_id: str
    sequence: int  # of the last change, in a count of its own; a record moves to the end when it changes
    is_whole: bool  # since the last put: the trained catalogue does not count
    is_deleted: bool
    fields: Mapping[str, JsonScalar]
    created_ms: int  # Unix milliseconds, of the first change
    updated_ms: int

    def __hash__(self) -> int:
        return hash((self.item_id, self.sequence))  # the fields have no hash

    @property
    def makes_item(self) -> bool:
        """Whether an item that the trained catalogue does not have exists by this record; a patch alone makes none."""
        return self.is_whole and not self.is_deleted

    def says(self, field: str) -> bool:
        """Whether the record decides this field, and the trained catalogue does not."""
        return self.is_whole or self.is_deleted or field in self.fields

    def value(self, field: str) -> JsonScalar:
        """The value of a field that the record decides."""
        if field == "available":
            return not self.is_deleted and self.fields.get(field) is not False  # not said is on sale
        return self.fields.get(field)

    def over(self, trained: Item | None) -> Item:
        """The item as it is now; of `trained` remains what the record does not say. A deleted one is not available."""
        base = Item(self.item_id) if trained is None or self.is_whole else trained
        attributes = dict(base.attributes)
        changes: dict[str, Any] = {}
        for name, value in self.fields.items():
            if not name.startswith(ATTRIBUTES):
                changes[name] = value
            elif value is None:
                attributes.pop(name.removeprefix(ATTRIBUTES), None)
            else:
                attributes[name.removeprefix(ATTRIBUTES)] = str(value)
        if self.says("available"):
            changes["available"] = self.value("available")
        return replace(base, attributes=attributes, **changes)


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
