"""The items as they are at one moment: those of the version, by row, and after them those that the shop added since.

A row of `n_items` or more is no item of the model but `new_ids[row - n_items]`, in this moment and all later ones. Sets
of items that may be answers come out, one for each filter. The next moment is made out of this one, with all its sets,
in proportion to what changed; a request makes only the set of a filter that nobody asked for lately.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from threading import Lock
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from candidate_gen.content_vectors import ContentVectors
from candidate_gen.search.item_index import NONE, Neighbours
from candidate_gen.search.item_set import ItemSet, RowSet
from recsys.layered import Layered
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.filter import ON_SALE, Filter, passes
from recsys.shop.item import Item, ItemRecord

# Of sets that were asked for lately: each is corrected with every change, and takes a bit for each item.
_MOST_SETS_HELD: Final = 512
_MOST_BYTES_HELD: Final = 64 * 2**20


class _Wanted(NamedTuple):
    """What a set is of: the items on sale that pass a filter."""

    filter: Filter
    only_trained: bool  # and of which the model knows something


@dataclass(frozen=True, kw_only=True)
class EligibleItems:
    """Items of one version and one state of the shop; as long as nobody changed anything, those of the version."""

    catalogue: LiveCatalogue
    is_trained: NDArray[np.bool_]  # [n_items], whether an event of its training touched the item
    few: int  # up to so many items, a set knows its rows
    new_ids: Sequence[str] = ()
    row_of_new: Layered[str, int] = field(default_factory=Layered)
    unknown_to_model: NDArray[np.int64]  # rows: of the added items on sale, the latest first; then of the untrained
    by_content: ContentVectors  # of the latest of those; of none in a version without a map
    trending: Neighbours = NONE  # the heaviest first
    _sets: dict[_Wanted, ItemSet] = field(default_factory=dict)  # requests add to them
    _holding: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, catalogue: LiveCatalogue, is_trained: NDArray[np.bool_], *, few: int) -> "EligibleItems":
        """Those of the version, before the shop changed anything."""
        began = cls(
            catalogue=catalogue,
            is_trained=is_trained,
            few=few,
            unknown_to_model=np.flatnonzero(~is_trained),
            by_content=ContentVectors.none(catalogue.artifact.manifest.dim),
        )
        return replace(began, by_content=began._by_content_after(()))

    @property
    def n_items(self) -> int:
        """How many items the version has."""
        return len(self.is_trained)

    def after(self, changed: Mapping[str, ItemRecord]) -> "EligibleItems":
        """The items after these records changed, which the catalogue has taken in already."""
        row_of_trained = self.catalogue.artifact.items.row_of
        row_of = {item_id: self.row_of_new.get(item_id, row_of_trained(item_id)) for item_id in changed}
        fresh = [item_id for item_id, row in row_of.items() if row is None]
        row_of_fresh = {item_id: row for row, item_id in enumerate(fresh, self.n_items + len(self.new_ids))}
        row_of_new = self.row_of_new.after(row_of_fresh)
        rows = np.array(list((row_of | row_of_fresh).values()), np.int64)
        unknown = self.unknown_to_model
        if (rows >= self.n_items).any():
            on_sale = (new.item.item_id for new in self.catalogue.new_items())
            latest = [row_of_new[item_id] for item_id in on_sale if item_id in row_of_new]
            unknown = np.concatenate([np.array(latest, np.int64), np.flatnonzero(~self.is_trained)])
        new_ids = [*self.new_ids, *fresh] if fresh else self.new_ids
        now = replace(self, new_ids=new_ids, row_of_new=row_of_new, unknown_to_model=unknown, _sets={})
        with self._holding:
            held = self._sets.copy()
        if (unknown is not self.unknown_to_model) or not now.is_trained[rows].all():
            now = replace(now, by_content=now._by_content_after(rows.tolist()))
        items = [self.catalogue.find(item_id) for item_id in changed] if held else []
        for wanted, before in held.items():
            now._sets[wanted] = now._corrected(before, wanted, rows, items)
        return now

    def _by_content_after(self, changed: Collection[int]) -> ContentVectors:
        content = self.catalogue.artifact.item_content
        if content is None:
            return self.by_content
        return self.by_content.after(self.unknown_to_model, changed, content=content, item_of=self._item)

    def _item(self, row: int) -> Item | None:
        if row < self.n_items:
            return self.catalogue.item(row)
        return self.catalogue.find(self.new_ids[row - self.n_items])

    def matching(self, wanted: Filter, *, only_trained: bool = False) -> ItemSet:
        """The items on sale that pass a filter; or of those, the items of which the model knows something."""
        return self._set(_Wanted(wanted, only_trained))

    def dropped(self, wanted: Filter) -> dict[str, int]:
        """How many items each condition alone lets not pass, by the name of the field; attributes count as one."""
        counts = {"unavailable": int(np.count_nonzero(~self.catalogue.available_mask()))}
        for name, group in groupby(wanted.conditions, key=lambda condition: condition.field.partition(".")[0]):
            conditions = tuple(group)
            failing_new = len(self.catalogue.new_items()) - len(self.catalogue.new_items(conditions))
            counts[name] = int(np.count_nonzero(~self.catalogue.mask(conditions))) + failing_new
        return counts

    def _set(self, wanted: _Wanted) -> ItemSet:
        with self._holding:
            items = self._sets.pop(wanted, None)
            if items is not None:
                self._sets[wanted] = items  # the last one: it was asked for now
        if items is None:
            items = self._made(wanted)
            with self._holding:
                if len(self._sets) >= min(_MOST_SETS_HELD, 1 + 8 * _MOST_BYTES_HELD // max(self.n_items, 1)):
                    del self._sets[next(iter(self._sets))]
                self._sets[wanted] = items
        return items

    def _made(self, wanted: _Wanted) -> ItemSet:
        mask = np.zeros(self.n_items + len(self.new_ids), bool)
        conditions = wanted.filter.conditions
        mask[: self.n_items] = self.catalogue.mask((ON_SALE, *conditions))
        if wanted.only_trained:
            mask[: self.n_items] &= self.is_trained
        else:
            passing = (new.item.item_id for new in self.catalogue.new_items(conditions))
            mask[[self.row_of_new[item_id] for item_id in passing if item_id in self.row_of_new]] = True
        return self._item_set(RowSet.of(mask))

    def _corrected(
        self, before: ItemSet, wanted: _Wanted, rows: NDArray[np.int64], items: list[Item | None]
    ) -> ItemSet:
        """A set of the moment before, with these items as they are now in these rows."""
        conditions = (ON_SALE, *wanted.filter.conditions)
        is_in = np.array([item is not None and passes(item, conditions) for item in items], bool)
        if wanted.only_trained:
            is_in[rows >= self.n_items] = False
            of_version = np.flatnonzero(rows < self.n_items)
            is_in[of_version] &= self.is_trained[rows[of_version]]
        after = before.rows.changed(rows, is_in, n_rows=self.n_items + len(self.new_ids))
        return before if after is before.rows else self._item_set(after)

    def _item_set(self, rows: RowSet) -> ItemSet:
        return ItemSet.of(rows, n_items=self.n_items, most_few=self.few)
