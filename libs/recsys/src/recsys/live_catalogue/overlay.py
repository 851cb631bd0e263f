"""What the shop said of items since the version was trained: records of one moment, sorted by what they change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from recsys.artifact.catalogue import CatalogueItem
from recsys.feature_store.interface import ItemRecord, JsonScalar
from recsys.live_catalogue.columns import ATTRIBUTES


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that the shop added since the version was trained."""

    item: CatalogueItem
    created_ms: int  # Unix milliseconds of the first record


@dataclass(frozen=True)
class Overlay:
    """Records of one moment. Never changed: the next moment has an overlay of its own."""

    records: Mapping[str, ItemRecord]
    by_row: Mapping[int, ItemRecord]  # of items of the version
    added: Mapping[str, ItemRecord]  # of any others, by id

    @cached_property
    def new_items(self) -> list[NewItem]:
        """Added items on sale, the latest first, ties by id."""
        found = [NewItem(item_under(record), record.created_ms) for record in self.added.values() if exists(record)]
        on_sale = [new for new in found if new.item.available]
        return sorted(on_sale, key=lambda new: (-new.created_ms, new.item.item_id.encode()))

    @cached_property
    def sorted_rows(self) -> list[tuple[bytes, int | None]]:
        """Every item with a record, by id: its id, and its row where the version has it."""
        of_version = [(record.item_id.encode(), row) for row, record in self.by_row.items()]
        return sorted([*of_version, *((item_id.encode(), None) for item_id in self.added)])

    def next(
        self, records: Mapping[str, ItemRecord], *, row_of: Callable[[str], int | None]
    ) -> tuple["Overlay", list[int]]:
        """The overlay of a later moment, and the rows that changed on the way there."""
        before = self.records
        changed = [record for item_id, record in records.items() if before.get(item_id) is not record]
        by_row, added = dict(self.by_row), dict(self.added)
        rows: list[int] = []
        for record in changed:
            row = row_of(record.item_id)
            if row is None:
                added[record.item_id] = record
            else:
                by_row[row] = record
                rows.append(row)
        return Overlay(records, by_row, added), rows


EMPTY = Overlay({}, {}, {})


def exists(record: ItemRecord) -> bool:
    """Whether an item that the version does not have exists by this record. A patch of nothing makes no item."""
    return record.is_whole and not record.is_deleted


def says(record: ItemRecord, field: str) -> bool:
    """Whether the record decides this field, and the version does not."""
    return record.is_whole or record.is_deleted or field in record.fields


def value_in(record: ItemRecord, field: str) -> JsonScalar:
    """The value of a field that the record decides."""
    if field == "available" and record.is_deleted:
        return False
    return record.fields.get(field)


def item_under(record: ItemRecord, trained: CatalogueItem | None = None) -> CatalogueItem:
    """The item as it is now; of `trained` remains what the record does not say."""
    if trained is None or record.is_whole:
        trained = CatalogueItem(record.item_id, None, None, None, None, available=True)
    attributes = dict(trained.attributes)
    changes: dict[str, Any] = {}
    for name, value in record.fields.items():
        if not name.startswith(ATTRIBUTES):
            changes[name] = value
        elif value is None:
            attributes.pop(name.removeprefix(ATTRIBUTES), None)
        else:
            attributes[name.removeprefix(ATTRIBUTES)] = str(value)
    if changes.get("available", False) is None:
        changes["available"] = True
    if record.is_deleted:
        changes["available"] = False
    return replace(trained, attributes=attributes, **changes)
