"""Look-ups in the catalogue of one artifact version: items by id, and a search by title and category."""

from collections.abc import Iterable
from dataclasses import dataclass

from recsys.artifact.catalogue import CatalogueItem
from recsys.artifact.reader import Artifact


@dataclass(frozen=True)
class ItemPage:
    """Items by id, and whether more follow."""

    items: list[CatalogueItem]
    has_more: bool


def find(artifact: Artifact, item_ids: Iterable[str]) -> list[CatalogueItem]:
    """The items of these ids, in this order; unknown ones are left out."""
    rows = (artifact.items.row_of(item_id) for item_id in item_ids)
    return [artifact.catalogue.item(row) for row in rows if row is not None]


def search(artifact: Artifact, *, query: str, category: str, after_item_id: str, page_size: int) -> ItemPage:
    """The first items that match and whose id is greater than `after_item_id`; what is empty does not restrict."""
    start_row = artifact.items.first_row_after(after_item_id) if after_item_id else 0
    # one more than the page holds tells whether there is another page
    rows = artifact.catalogue.search(query=query, category=category, start_row=start_row, limit=page_size + 1)
    return ItemPage(
        items=[artifact.catalogue.item(row) for row in rows[:page_size]],
        has_more=len(rows) > page_size,
    )
