"""What the shop said of items since the version was trained: records of one moment, sorted by what they change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

from recsys.shop.filter import Condition
from recsys.shop.item import Item, ItemRecord, JsonScalar


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that the shop added since the version was trained."""

    item: Item
    created_ms: int  # Unix milliseconds of the first record


@dataclass(frozen=True)
class Overlay:
    """Records of one moment. Never changed: the next moment has an overlay of its own."""

    by_row: Mapping[int, ItemRecord]  # of items of the version
    added: Mapping[str, ItemRecord]  # of any others, by id

    made: Mapping[str, NewItem]  # what those make, on sale or not, by id
    new_items: list[NewItem]  # added items on sale, the latest first, ties by id
    sorted_rows: Sequence[tuple[bytes, int | None]]  # every item with a record, by id, and its row in the version
    _saying: dict[str, set[int]] = field(default_factory=dict)  # by field, as far as somebody asked
    _of_new: dict[str, list[JsonScalar]] = field(default_factory=dict)  # the same

    def new_passing(self, conditions: Iterable[Condition]) -> list[NewItem]:
        """Those of `new_items` of which all conditions hold."""
        accepted = [map(condition.accepts, self._values_of_new(condition.field)) for condition in conditions]
        return list(compress(self.new_items, map(all, zip(*accepted, strict=True)))) if accepted else self.new_items

    def _values_of_new(self, name: str) -> list[JsonScalar]:
        """A field of each of `new_items`: read once, whatever is asked of it."""
        column = self._of_new.get(name)
        if column is None:
            column = self._of_new[name] = [new.item.value(name) for new in self.new_items]
        return column

    def rows_saying(self, name: str) -> set[int]:
        """Rows of the version whose records say something of a field."""
        rows = self._saying.get(name)
        if rows is None:
            rows = self._saying[name] = {row for row, record in self.by_row.items() if record.says(name)}
        return rows

    def next(
        self, changed: Mapping[str, ItemRecord], *, row_of: Callable[[str], int | None]
    ) -> tuple["Overlay", list[int]]:
        """The overlay after a change of these records, and the rows of the version that it touches."""
        by_row, added, made = dict(self.by_row), dict(self.added), dict(self.made)
        rows: list[int] = []
        fresh: list[tuple[bytes, int | None]] = []
        new: list[NewItem] = []
        for item_id, record in changed.items():
            row = row_of(item_id)
            if item_id not in added if row is None else row not in by_row:
                fresh.append((item_id.encode(), row))
            if row is not None:
                by_row[row] = record
                rows.append(row)
                continue
            added[item_id] = record
            made.pop(item_id, None)
            if record.makes_item:
                made[item_id] = NewItem(record.over(None), record.created_ms)
                new.append(made[item_id])
        sorted_rows = sorted([*self.sorted_rows, *fresh]) if fresh else self.sorted_rows
        saying = {
            name: before.difference(rows).union(row for row in rows if by_row[row].says(name))
            for name, before in self._saying.items()
        }
        new_items = self._with_new(new, changed)
        of_new = self._of_new if new_items is self.new_items else {}
        return Overlay(by_row, added, made, new_items, sorted_rows, saying, of_new), rows

    def _with_new(self, new: list[NewItem], changed: Mapping[str, ItemRecord]) -> list[NewItem]:
        kept = [each for each in self.new_items if each.item.item_id not in changed]
        if not new and len(kept) == len(self.new_items):
            return self.new_items
        on_sale = [each for each in new if each.item.available]
        return sorted([*kept, *on_sale], key=lambda each: (-each.created_ms, each.item.item_id.encode()))


EMPTY = Overlay({}, {}, {}, [], [])
