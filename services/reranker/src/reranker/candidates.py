"""The candidates that may be shown, and what is known of them; each fact is fetched when a stage first asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.item import Item
from recsys.shop.overlay import NewItem
from recsys.shop.sources import Source
from reranker.request import Proposed

Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Candidates:
    """Items on sale, each once, by index 0 to n - 1."""

    catalogue: LiveCatalogue
    rows: NDArray[np.int64]  # [n]; n_items or more: no item of the model
    scores: NDArray[np.float32]  # [n] of the source that proposed the item first
    sources: NDArray[np.uint32]  # [n] bit 1 << source
    transitions: NDArray[np.float32]  # [n] how often each comes after the last items of the history
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
        return self.of_model(self.catalogue.artifact.item_embeddings, np.float64)

    @cached_property
    def categories(self) -> NDArray[np.int32]:
        """[n] by the catalogue's codes."""
        if not self.new_items:
            return self.catalogue.categories(self.rows)
        code, new = self.catalogue.category_code, self.new_items
        categories = np.empty(len(self.rows), np.int32)
        categories[self.is_in_model] = self.catalogue.categories(self.rows[self.is_in_model])
        categories[~self.is_in_model] = [code(new[row].item.category) for row in self.rows[~self.is_in_model].tolist()]
        return categories

    def without_vector(self) -> NDArray[np.int64]:
        """Candidates of which the model knows nothing, ascending."""
        return np.flatnonzero(~self.vectors.any(axis=1))

    def of_model(self, values: NDArray[Any], dtype: type[Value]) -> NDArray[Value]:
        """Each candidate's part of an array by row of the version; 0 for what the version does not have."""
        if not self.new_items:
            return values.take(self.rows, axis=0).astype(dtype)
        part = np.zeros((len(self.rows), *values.shape[1:]), dtype)
        part[self.is_in_model] = values.take(self.rows[self.is_in_model], axis=0)
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
    scores, sources, transitions = proposed.scores, proposed.sources, proposed.transitions
    if transitions is None:
        transitions = np.zeros(len(proposed.rows), np.float32)
    if pinned:
        scores = np.append(scores, np.zeros(pinned, np.float32))
        transitions = np.append(transitions, np.zeros(pinned, np.float32))
        sources = np.append(sources, np.full(pinned, 1 << Source.RULE, np.uint32))
    kept = _is_on_sale(rows, new_items, catalogue).nonzero()[0]
    return Candidates(
        catalogue=catalogue,
        rows=rows[kept],
        scores=scores[kept],
        sources=sources[kept],
        transitions=transitions[kept],
        new_items=new_items,
    )


def _is_on_sale(
    rows: NDArray[np.int64], new_items: Mapping[int, NewItem], catalogue: LiveCatalogue
) -> NDArray[np.bool_]:
    """bool [len(rows)]"""
    mask = catalogue.available_mask()
    is_new = rows >= len(mask)
    if not is_new.any():
        return mask[rows]
    is_on_sale = np.empty(len(rows), bool)
    is_on_sale[is_new] = [row in new_items for row in rows[is_new].tolist()]
    is_on_sale[~is_new] = mask[rows[~is_new]]
    return is_on_sale


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
    ordered = np.sort(rows)
    if ordered[-1] >= limit:
        raise InvalidArgumentError(
            f"candidates.rows: expected rows below {limit} in version {manifest.version}, found {ordered[-1]}"
        )
    again = (ordered[1:] == ordered[:-1]).nonzero()[0]
    if len(again):
        raise InvalidArgumentError(f"candidates.rows: expected each row once, found {ordered[again[0]]} more than once")
    if len(set(proposed.new_item_ids)) < len(proposed.new_item_ids):
        raise InvalidArgumentError("candidates.new_item_ids: expected each id once, found one more than once")
