"""The candidates that may be shown, and what is known of them; each fact is fetched when a stage first asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.item import Item
from recsys.shop.overlay import NewItem
from recsys.shop.sources import Source
from reranker.request import Proposed


@dataclass(frozen=True)
class Candidates:
    """Items on sale, each once, by index 0 to n - 1."""

    catalogue: LiveCatalogue
    rows: NDArray[np.int64]  # [n]; n_items or more: no item of the model
    scores: NDArray[np.float32]  # [n] of the source that proposed the item first
    sources: NDArray[np.uint32]  # [n] bit 1 << source
    new_items: Mapping[int, NewItem]  # row → item, for the rows of n_items or more

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def is_in_model(self) -> NDArray[np.bool_]:
        """bool [n]: whether the version has the item."""
        return self.rows < self.catalogue.artifact.manifest.item_count

    @cached_property
    def vectors(self) -> NDArray[np.float64]:
        """[n, dim] embeddings, zero for what the version does not have.

        In double precision, so that equal vectors score equally wherever they stand in the array.
        """
        return self.of_model(self.catalogue.artifact.item_embeddings).astype(np.float64)

    @cached_property
    def categories(self) -> list[str | None]:
        """[n]"""
        if not self.new_items:
            return self.catalogue.categories(self.rows)
        known = iter(self.catalogue.categories(self.rows[self.is_in_model]))
        new = self.new_items
        return [new[row].item.category if row in new else next(known) for row in self.rows.tolist()]

    def of_model(self, values: NDArray[Any]) -> NDArray[Any]:
        """Each candidate's part of an array by row of the version; 0 for what the version does not have."""
        plain = np.asarray(values)  # indexing a memory map costs more
        if not self.new_items:
            return plain[self.rows]
        part = np.zeros((len(self.rows), *plain.shape[1:]), plain.dtype)
        part[self.is_in_model] = plain[self.rows[self.is_in_model]]
        return part

    def item(self, index: int) -> Item:
        """The item as the shop describes it now."""
        row = int(self.rows[index])
        return self.new_items[row].item if row in self.new_items else self.catalogue.item(row)

    def item_id(self, index: int) -> str:
        """The shop's own id."""
        row = int(self.rows[index])
        return self.new_items[row].item.item_id if row in self.new_items else self.catalogue.artifact.items.id_of(row)

    def index_of(self, item_id: str) -> int | None:
        """Where an item stands; none where it is no candidate."""
        row = self.catalogue.artifact.items.row_of(item_id)
        if row is None:
            row = next((new_row for new_row, new in self.new_items.items() if new.item.item_id == item_id), None)
        found = [] if row is None else np.flatnonzero(self.rows == row).tolist()
        return found[0] if found else None


def on_sale(proposed: Proposed, catalogue: LiveCatalogue, *, pinned_item_ids: Sequence[str] = ()) -> Candidates:
    """The proposed items that may be shown, in their order, and after them the pinned ones that nobody proposed.

    Raises:
        InvalidArgumentError: a row that the version does not have, or an item twice.
    """
    _check(proposed, catalogue)
    rows, new_ids = _with_pinned(proposed, catalogue, pinned_item_ids)
    n_items, pinned = catalogue.artifact.manifest.item_count, len(rows) - len(proposed.rows)
    added = {row: catalogue.new_item(item_id) for row, item_id in enumerate(new_ids, n_items)}
    new_items = {row: new for row, new in added.items() if new is not None and new.item.available}
    if added:
        is_known = rows < n_items
        is_on_sale = np.isin(rows, list(new_items))
        is_on_sale[is_known] = catalogue.available_mask()[rows[is_known]]
    else:
        is_on_sale = catalogue.available_mask()[rows]
    scores, sources = proposed.scores, proposed.sources
    if pinned:
        scores = np.append(scores, np.zeros(pinned, np.float32))
        sources = np.append(sources, np.full(pinned, 1 << Source.RULE, np.uint32))
    return Candidates(
        catalogue=catalogue,
        rows=rows[is_on_sale],
        scores=scores[is_on_sale],
        sources=sources[is_on_sale],
        new_items=new_items,
    )


def _with_pinned(
    proposed: Proposed, catalogue: LiveCatalogue, item_ids: Sequence[str]
) -> tuple[NDArray[np.int64], Sequence[str]]:
    """The proposed rows and after them those of the pinned items, each once; ids of the items without a row of ours."""
    if not item_ids:
        return proposed.rows, proposed.new_item_ids
    new_ids = list(proposed.new_item_ids)
    rows = dict.fromkeys(proposed.rows.tolist())
    for item_id in item_ids:
        row = catalogue.artifact.items.row_of(item_id)
        if row is None and item_id not in new_ids:
            new_ids.append(item_id)
        rows[catalogue.artifact.manifest.item_count + new_ids.index(item_id) if row is None else row] = None
    return np.array(list(rows), np.int64), new_ids


def _check(proposed: Proposed, catalogue: LiveCatalogue) -> None:
    rows, manifest = proposed.rows, catalogue.artifact.manifest
    if len(rows) == 0:
        return
    limit = manifest.item_count + len(proposed.new_item_ids)
    highest = int(rows.max())
    if highest >= limit:
        raise InvalidArgumentError(
            f"candidates.rows: expected rows below {limit} in version {manifest.version}, found {highest}"
        )
    distinct = set(rows.tolist())
    if len(distinct) < len(rows):
        twice = next(row for row in distinct if np.count_nonzero(rows == row) > 1)
        raise InvalidArgumentError(f"candidates.rows: expected each row once, found {twice} more than once")
    if len(set(proposed.new_item_ids)) < len(proposed.new_item_ids):
        raise InvalidArgumentError("candidates.new_item_ids: expected each id once, found one more than once")
