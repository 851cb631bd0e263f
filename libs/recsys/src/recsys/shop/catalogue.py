"""One artifact version's catalogue as the shop has it now.

The columns that conditions ask of are kept, and corrected when records change; what is returned is shared and not to be
changed.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from math import nan
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.catalogue import NO_TEXT, Texts
from recsys.artifact.reader import Artifact
from recsys.feature_store.follower import LiveState
from recsys.shop.filter import Condition
from recsys.shop.item import Item, ItemRecord, JsonScalar
from recsys.shop.item_wire import description
from recsys.shop.overlay import EMPTY, NewItem, Overlay
from recsys.shop.search import ItemPage, Wanted, search

_MOST_ITEMS_HELD: Final = (
    20_000  # items that were described lately; reading one from the file takes tens of microseconds
)
_MOST_IDS_HELD: Final = 1_000  # of items that rules name


class Moment(NamedTuple):
    """The shop's changes at one moment. A change puts another in its place, whole; columns are only added to it."""

    overlay: Overlay
    columns: dict[str, NDArray[Any]]  # [n_items] each, by field: those that somebody asked for


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
        self._codes: dict[str, dict[str, int]] = {}  # by field
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
            held = self._now.columns.items()
            columns = {field: self._corrected(field, column, rows, overlay) for field, column in held}
            self._now = Moment(overlay, columns)

    def available_mask(self) -> NDArray[np.bool_]:
        """bool [n_items]: which items of the version are on sale, and not deleted."""
        return self._column("available")

    def texts(self, field: str) -> Texts:
        """A field of text of the version's items, as it is now. A text keeps its code while the version is held."""
        return Texts(self._column(field), self._code_of(field))

    def prices(self) -> NDArray[np.float64]:
        """float64 [n_items]: the prices of the version's items, as they are now; NaN where there is none."""
        return self._column("price")

    def mask(self, conditions: Sequence[Condition]) -> NDArray[np.bool_]:
        """bool [n_items]: which items of the version meet all of these conditions, on sale or not."""
        joint = np.ones(self.artifact.manifest.item_count, dtype=bool)
        with self._lock:  # all of one moment
            for condition in conditions:
                joint &= condition.mask(self)
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
        return self._column("category")

    def category_code(self, category: str | None) -> int:
        """The number by which this process knows a category, for as long as it holds the version."""
        return self._code("category", category)

    def category_counts(self) -> dict[str, int]:
        """How many items on sale each category has; only those that have any. Items without a category are in none."""
        with self._lock:  # all of one moment
            codes, code_of = self.categories(), self._code_of("category")
            counted = np.bincount(codes[self.available_mask() & (codes != NO_TEXT)], minlength=len(code_of))
            counts = Counter({name: int(counted[code]) for name, code in code_of.items()})
            counts.update(new.item.category for new in self.new_items() if new.item.category)
        return {name: count for name, count in counts.items() if name and count}

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

    def _column(self, field: str) -> NDArray[Any]:
        column = self._now.columns.get(field)
        if column is None:
            with self._lock:
                overlay, columns = self._now
                rows = [row for row, record in overlay.by_row.items() if record.says(field)]
                column = columns[field] = self._corrected(field, self._trained(field), rows, overlay)
        return column

    def _trained(self, field: str) -> NDArray[Any]:
        """[n_items]: whether available, prices, or codes of texts."""
        trained = self.artifact.catalogue
        if field == "available":
            return trained.available
        return trained.prices if field == "price" else trained.texts(field).codes

    def _corrected(self, field: str, column: NDArray[Any], rows: Sequence[int], overlay: Overlay) -> NDArray[Any]:
        """The column, right in these rows: a copy where it was not."""
        values = [self._in_column(field, self._value(field, row, overlay)) for row in rows]
        if not np.array_equal(column[rows], values, equal_nan=True):
            column = column.copy()
            column[rows] = values
        column.flags.writeable = False
        return column

    def _in_column(self, field: str, value: JsonScalar) -> float:
        """A value as its column has it."""
        if field == "available":
            return value is not False  # not said is on sale
        if field == "price":
            return value if isinstance(value, int | float) else nan
        return self._code(field, cast("str | None", value))

    def _code(self, field: str, text: str | None) -> int:
        if text is None:
            return NO_TEXT
        code = self._code_of(field).get(text)
        if code is None:
            with self._lock:
                code_of = self._code_of(field)
                code = code_of.setdefault(text, len(code_of))
        return code

    def _code_of(self, field: str) -> dict[str, int]:
        """The version's codes; those of texts that came after it are added."""
        code_of = self._codes.get(field)
        if code_of is None:
            with self._lock:
                code_of = self._codes.setdefault(field, dict(self.artifact.catalogue.texts(field).code_of))
        return code_of

    def _value(self, name: str, row: int, overlay: Overlay) -> JsonScalar:
        record = overlay.by_row.get(row)
        if record is not None and record.says(name):
            return record.value(name)
        return self.artifact.catalogue.value(name, row)


def _described(trained_item: Callable[[int], Item], row: int, record: ItemRecord | None) -> bytes:
    trained = trained_item(row)
    return description(trained if record is None else record.over(trained))
