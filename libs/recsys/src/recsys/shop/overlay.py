"""What the shop said of items since the version was trained: records of one moment, sorted by what they change."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import compress, islice

from recsys.layered import Layered
from recsys.shop.filter import Condition
from recsys.shop.item import Item, ItemRecord, JsonScalar

IdAndRow = tuple[bytes, int | None]


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that the shop added since the version was trained."""

    item: Item
    created_ms: int  # Unix milliseconds of the first record


@dataclass(frozen=True)
class Overlay:
    """Records of one moment. Never changed: the next moment has an overlay of its own."""

    by_row: Layered[int, ItemRecord] = field(default_factory=Layered)  # of items of the version
    added: Layered[str, ItemRecord] = field(default_factory=Layered)  # of any others, by id

    made: Layered[str, NewItem | None] = field(default_factory=Layered)  # what those make, on sale or not, by id
    new_items: list[NewItem] = field(default_factory=list)  # added items on sale, the latest first, ties by id
    _sorted: Sequence[Sequence[IdAndRow]] = ((), ())  # all with a record, by id: those of old, and those of late
    _of_new: dict[str, list[JsonScalar]] = field(default_factory=dict)  # by field, as far as somebody asked

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

    def next(
        self, changed: Mapping[str, ItemRecord], *, row_of: Callable[[str], int | None]
    ) -> tuple["Overlay", list[int]]:
        """The overlay after a change of these records, and the rows of the version that it touches."""
        of_version: dict[int, ItemRecord] = {}
        added: dict[str, ItemRecord] = {}
        fresh: list[IdAndRow] = []
        for item_id, record in changed.items():
            row = row_of(item_id)
            if item_id not in self.added if row is None else row not in self.by_row:
                fresh.append((item_id.encode(), row))
            if row is None:
                added[item_id] = record
            else:
                of_version[row] = record
        made = {
            item_id: NewItem(record.over(None), record.created_ms) if record.makes_item else None
            for item_id, record in added.items()
        }
        overlay = Overlay(
            by_row=self.by_row.after(of_version),
            added=self.added.after(added),
            made=self.made.after(made),
            new_items=self._with_new(made) if made else self.new_items,
            _sorted=self._with_fresh(fresh),
            _of_new={} if made else self._of_new,
        )
        return overlay, list(of_version)

    def sorted_rows(self, *, after_item_id: str) -> Iterator[IdAndRow]:
        """Items with a record whose ids are greater, by id, and their rows in the version."""
        key = after_item_id.encode()
        starts = (bisect_right(listed, key, key=lambda pair: pair[0]) for listed in self._sorted)
        return merge(*(islice(listed, start, None) for listed, start in zip(self._sorted, starts, strict=True)))

    def _with_new(self, made: Mapping[str, NewItem | None]) -> list[NewItem]:
        kept = [each for each in self.new_items if each.item.item_id not in made]
        on_sale = [each for each in made.values() if each is not None and each.item.available]
        return sorted([*kept, *on_sale], key=lambda each: (-each.created_ms, each.item.item_id.encode()))

    def _with_fresh(self, fresh: Sequence[IdAndRow]) -> Sequence[Sequence[IdAndRow]]:
        if not fresh:
            return self._sorted
        old, recent = self._sorted
        recent = sorted([*recent, *fresh])
        return (sorted([*old, *recent]), ()) if len(recent) ** 2 > len(old) else (old, recent)


EMPTY = Overlay()
