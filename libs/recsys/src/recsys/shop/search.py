"""Items by words of the title and by category, in the order of their ids, as they are now."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Final

from recsys.artifact.reader import Artifact
from recsys.shop.item import Item
from recsys.shop.overlay import Overlay

_CHECKED_EVERY: Final = 1024  # changed items


@dataclass(frozen=True)
class ItemPage:
    """Items by id, and whether more follow."""

    items: list[Item]
    has_more: bool


@dataclass(frozen=True)
class Wanted:
    """What is searched; what is empty does not restrict."""

    query: str  # every word is in the title, whatever the case
    category: str
    after_item_id: str  # the item's own id is greater
    check_time: Callable[[], None] = lambda: None  # called again and again; ends the search by raising

    def matches(self, item: Item) -> bool:
        title = (item.title or "").lower()
        return (not self.category or item.category == self.category) and all(
            word in title for word in self.query.lower().split()
        )


def search(
    artifact: Artifact, overlay: Overlay, wanted: Wanted, *, page_size: int, item_of: Callable[[int], Item]
) -> ItemPage:
    """The first items that match. `item_of` gives the item of a row as it was trained."""
    trained = ((item_id, item_of(row)) for item_id, row in _unchanged(artifact, overlay, wanted))
    found = merge(trained, _changed(overlay, wanted, item_of=item_of), key=lambda pair: pair[0])
    # one more than the page holds tells whether there is another page
    items = [item for _, item in islice(found, page_size + 1)]
    return ItemPage(items=items[:page_size], has_more=len(items) > page_size)


def _unchanged(artifact: Artifact, overlay: Overlay, wanted: Wanted) -> Iterator[tuple[bytes, int]]:
    """Ids and rows of the matching items that no record speaks of."""
    rows = artifact.catalogue.search(
        query=wanted.query,
        category=wanted.category,
        start_row=artifact.items.first_row_after(wanted.after_item_id) if wanted.after_item_id else 0,
        check_time=wanted.check_time,
    )
    return ((artifact.items[row], row) for row in rows if row not in overlay.by_row)


def _changed(overlay: Overlay, wanted: Wanted, *, item_of: Callable[[int], Item]) -> Iterator[tuple[bytes, Item]]:
    """Ids and items with a record that match, and are not deleted."""
    for at, (item_id, row) in enumerate(overlay.sorted_rows(after_item_id=wanted.after_item_id)):
        if at % _CHECKED_EVERY == 0:
            wanted.check_time()
        record = overlay.added[item_id.decode()] if row is None else overlay.by_row[row]
        if record.is_deleted or (row is None and not record.makes_item):
            continue
        item = record.over(None if row is None else item_of(row))
        if wanted.matches(item):
            yield item_id, item
