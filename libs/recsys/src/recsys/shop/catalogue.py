"""One artifact version's catalogue as the shop has it now.

Masks are kept for each condition and corrected when records change; what is returned is shared and not to be changed.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.reader import Artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.filter import ON_SALE, Condition
from recsys.shop.item import Item, ItemRecord, JsonScalar
from recsys.shop.item_wire import description
from recsys.shop.overlay import EMPTY, NewItem, Overlay
from recsys.shop.search import ItemPage, Wanted, search

NO_CATEGORY: Final = -1
_MOST_MASKS_HELD: Final = 32  # a byte for each item
_MOST_ITEMS_HELD: Final = (
    20_000  # items that were described lately; reading one from the file takes tens of microseconds
)
_MOST_IDS_HELD: Final = 1_000  # of items that rules name


class Moment(NamedTuple):
    """The shop's changes at one moment. A change puts another in its place, whole; masks are only added to it."""

    overlay: Overlay
    masks: dict[Condition, NDArray[np.bool_]]
    categories: NDArray[np.int32] | None = None  # [n_items], the code of each; none: nobody asked for one yet


class LiveCatalogue:
    """The trained catalogue and the overlay of item records. Safe to ask from several threads.

    A change is taken in by the thread that follows the store, in proportion to what changed; a request does none of it.
    """

    def __init__(self, artifact: Artifact, live: LiveState | None = None) -> None:
        """Without live items, the catalogue stays as it was trained."""
        self.artifact = artifact
        self.row_of = lru_cache(_MOST_IDS_HELD)(artifact.items.row_of)  # of the version, by the shop's own id
        self._trained_item = lru_cache(_MOST_ITEMS_HELD)(artifact.catalogue.item)
        # not of a method, which would hold this catalogue as long as a collection of garbage may take
        self._description = lru_cache(_MOST_ITEMS_HELD)(partial(_described, self._trained_item))
        self._lock = threading.RLock()  # for whoever changes what follows; readers need none
        self._now = Moment(EMPTY, {})
        if live is not None:
            with self._lock:  # a change that comes between waits, and is taken in after the state that it changes
                live.listen(self._take)
                self._take(live.items)

    def _take(self, changed: Mapping[str, ItemRecord]) -> None:
        if not changed:
            return
        with self._lock:
            overlay, rows = self._now.overlay.next(changed, row_of=self.artifact.items.row_of)
            held = self._now.masks.items()
            masks = {condition: self._corrected(condition, mask, rows, overlay) for condition, mask in held}
            categories = self._now.categories
            if categories is not None:
                categories = self._recoded(categories, rows, overlay)
            self._now = Moment(overlay, masks, categories)

    def available_mask(self) -> NDArray[np.bool_]:
        """bool [n_items]: which items of the version are on sale, and not deleted."""
        return self._mask(ON_SALE)

    def mask(self, conditions: Sequence[Condition]) -> NDArray[np.bool_]:
        """bool [n_items]: which items of the version meet all of these conditions, on sale or not."""
        if len(conditions) == 1:
            return self._mask(conditions[0])
        joint = np.ones(self.artifact.manifest.item_count, dtype=bool)
        with self._lock:  # all of one moment
            for condition in conditions:
                joint &= self._mask(condition)
        return joint

    def new_items(self, conditions: Sequence[Condition] = ()) -> list[NewItem]:
        """Items that the shop added since the version was trained, are on sale and meet all of these conditions; the
        latest first."""
        return self._now.overlay.new_passing(conditions)

    def new_item(self, item_id: str) -> NewItem | None:
        """An item that the shop added since, on sale or not; none for one of the version, or unknown, or deleted."""
        return self._now.overlay.made.get(item_id)

    def item(self, row: int) -> Item:
        """The item of a row; a deleted one is not available."""
        record = self._now.overlay.by_row.get(row)
        trained = self._trained_item(row)
        return trained if record is None else record.over(trained)

    def descriptions(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Items of the version, as `item_wire.description` has them; kept of those that were asked for lately."""
        record_of = self._now.overlay.by_row.get
        return [self._description(row, record_of(row)) for row in rows.tolist()]

    def categories(self) -> NDArray[np.int32]:
        """int32 [n_items]: the codes of the categories of the version's items, as they are now."""
        categories = self._now.categories
        if categories is None:
            with self._lock:
                texts, count = self.artifact.catalogue.texts("category"), self.artifact.manifest.item_count
                trained = np.full(count, NO_CATEGORY, np.int32) if texts is None else texts.codes
                categories = self._recoded(trained, self._now.overlay.by_row, self._now.overlay)
                self._now = self._now._replace(categories=categories)
        return categories

    def category_code(self, category: str | None) -> int:
        """The number by which this process knows a category, for as long as it holds the version."""
        if category is None:
            return NO_CATEGORY
        code = self._category_codes.get(category)
        if code is None:
            with self._lock:
                code = self._category_codes.setdefault(category, len(self._category_codes))
        return code

    @cached_property
    def _category_codes(self) -> dict[str, int]:
        """The version's codes; those of categories that came after it are added."""
        texts = self.artifact.catalogue.texts("category")
        return {} if texts is None else dict(texts.code_of)

    def find(self, item_id: str) -> Item | None:
        """The item of this id; none for an unknown or deleted one."""
        row = self.row_of(item_id)
        if row is None:
            new = self.new_item(item_id)
            return new.item if new is not None else None
        return None if self._is_deleted(row) else self.item(row)

    def has(self, item_id: str) -> bool:
        """Whether there is an item of this id, on sale or not."""
        row = self.row_of(item_id)
        return self.new_item(item_id) is not None if row is None else not self._is_deleted(row)

    def search(self, wanted: Wanted, *, page_size: int) -> ItemPage:
        """The first items by id that are wanted, as they are now."""
        return search(self.artifact, self._now.overlay, wanted, page_size=page_size, item_of=self._trained_item)

    def _is_deleted(self, row: int) -> bool:
        record = self._now.overlay.by_row.get(row)
        return record is not None and record.is_deleted

    def _mask(self, condition: Condition) -> NDArray[np.bool_]:
        mask = self._now.masks.get(condition)
        if mask is not None:
            return mask
        with self._lock:
            overlay, masks, _ = self._now
            rows = overlay.rows_saying(condition.field)
            mask = self._corrected(condition, condition.mask(self.artifact.catalogue), rows, overlay)
            if len(masks) >= _MOST_MASKS_HELD:
                masks.pop(next(iter(masks)))
            masks[condition] = mask
            return mask

    def _corrected(
        self, condition: Condition, mask: NDArray[np.bool_], rows: Iterable[int], overlay: Overlay
    ) -> NDArray[np.bool_]:
        """The mask, right in these rows: a copy where it was not."""
        rows = list(rows)
        accepted = [condition.accepts(self._value(condition.field, row, overlay)) for row in rows]
        if not np.array_equal(mask[rows], accepted):
            mask = mask.copy()
            mask[rows] = accepted
        mask.flags.writeable = False
        return mask

    def _value(self, name: str, row: int, overlay: Overlay) -> JsonScalar:
        record = overlay.by_row.get(row)
        if record is not None and record.says(name):
            return record.value(name)
        return self.artifact.catalogue.value(name, row)

    def _recoded(self, categories: NDArray[np.int32], rows: Iterable[int], overlay: Overlay) -> NDArray[np.int32]:
        """Codes of categories that are right in these rows, which have records: a copy where they were not."""
        said = [row for row in rows if overlay.by_row[row].says("category")]
        codes = [self.category_code(cast("str | None", overlay.by_row[row].value("category"))) for row in said]
        if np.array_equal(categories[said], codes):
            return categories
        correct = categories.copy()
        correct[said] = codes
        return correct


def _described(trained_item: Callable[[int], Item], row: int, record: ItemRecord | None) -> bytes:
    trained = trained_item(row)
    return description(trained if record is None else record.over(trained))
