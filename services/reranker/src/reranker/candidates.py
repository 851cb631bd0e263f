"""The candidates that may be shown, and what is known of them; each fact is fetched when a stage first asks for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.item import Item
from recsys.shop.item_wire import description
from recsys.shop.overlay import NewItem
from recsys.shop.sources import Source
from reranker.request import Proposed

Value = TypeVar("Value", bound=np.generic)
Fact = TypeVar("Fact")

BY_RULE: Final = 1 << Source.RULE


@dataclass(frozen=True)
class Candidates:
    """Items on sale, each once, by index 0 to n - 1."""

    catalogue: LiveCatalogue
    rows: NDArray[np.int64]  # [n]; n_items or more: no item of the model
    scores: NDArray[np.float32]  # [n] of the source that proposed the item first
    sources: NDArray[np.uint32]  # [n] bit 1 << source
    transitions: NDArray[np.float32]  # [n] how much the last items of the history lead to each
    new_at: NDArray[np.int64]  # candidates that are no items of the model, ascending
    new_items: Mapping[int, NewItem]  # the same by index

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def vectors(self) -> NDArray[np.float64]:
        """[n, dim] embeddings; of what the model knows nothing of, those of its facts, or zero without a map or facts.

        In double precision, so that equal vectors score equally wherever they stand in the array.
        """
        return self._embedded[0]

    @cached_property
    def _embedded(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The vectors, and of which candidates the model knows nothing."""
        artifact = self.catalogue.artifact
        vectors = self.of_model(artifact.item_embeddings, np.float64)
        may_be: NDArray[np.int64] = (vectors[:, 0] == 0).nonzero()[0]  # few: only those are looked at whole
        unknown = may_be[~vectors[may_be].any(axis=1)]
        if artifact.item_content is not None and len(unknown):
            vectors[unknown] = artifact.item_content.vectors(map(self._item, unknown.tolist()))
        return vectors, unknown

    def _item(self, index: int) -> Item:
        new = self.new_items.get(index)
        return self.catalogue.item(int(self.rows[index])) if new is None else new.item

    @cached_property
    def categories(self) -> NDArray[np.int32]:
        """[n] by the catalogue's codes."""
        categories, code_of = _at(self.rows, self.catalogue.categories()), self.catalogue.category_code
        categories[self.new_at] = [code_of(new.item.category) for new in self.new_items.values()]
        return categories

    def without_vector(self) -> NDArray[np.int64]:
        """Candidates of which the model knows nothing, ascending."""
        return self._embedded[1]

    def of_model(self, values: NDArray[Any], dtype: type[Value]) -> NDArray[Value]:
        """Each candidate's part of an array by row of the version; 0 for what the version does not have."""
        part = _at(self.rows, values).astype(dtype)
        part[self.new_at] = 0
        return part

    def part(self, indices: NDArray[np.int64]) -> "Candidates":
        """Some of them, all of the model."""
        return replace(
            self,
            rows=self.rows[indices],
            scores=self.scores[indices],
            sources=self.sources[indices],
            transitions=self.transitions[indices],
            new_at=np.empty(0, np.int64),
            new_items={},
        )

    def descriptions(self, indices: Sequence[int]) -> list[bytes]:
        """These items as the shop describes them now; see `recsys.shop.item_wire.description`."""
        return self._of_items(indices, self.catalogue.descriptions, description)

    def item_ids(self, indices: Sequence[int]) -> list[str]:
        """The shop's own ids."""
        return self._of_items(indices, self.catalogue.artifact.items.ids_of, lambda item: item.item_id)

    def _of_items(
        self,
        indices: Sequence[int],
        of_model: Callable[[NDArray[np.int64]], list[Fact]],
        of_new: Callable[[Item], Fact],
    ) -> list[Fact]:
        """What is known of these items, of those of the model by their rows."""
        new = {index: of_new(self.new_items[index].item) for index in indices if index in self.new_items}
        known = iter(of_model(self.rows[[index for index in indices if index not in new]]))
        return [new[index] if index in new else next(known) for index in indices]

    def indices_of(self, item_id: str) -> NDArray[np.int64]:
        """Where an item stands: [1], or [0] where it is no candidate."""
        row = self.catalogue.row_of(item_id)
        if row is None:
            return np.array([at for at, new in self.new_items.items() if new.item.item_id == item_id], np.int64)
        found: NDArray[np.int64] = (self.rows == row).nonzero()[0]
        return found


def on_sale(proposed: Proposed, catalogue: LiveCatalogue, *, pinned_item_ids: Sequence[str] = ()) -> Candidates:
    """The proposed items that may be shown, in their order, and after them the pinned ones that nobody proposed.

    Raises:
        InvalidArgumentError: a row that the version does not have, or an item twice.
    """
    _check(proposed, catalogue)
    rows, scores, sources, new_ids = proposed.rows, proposed.scores, proposed.sources, list(proposed.new_item_ids)
    transitions = np.zeros(len(rows), np.float32) if proposed.transitions is None else proposed.transitions
    pinned = [row for row in _rows_of(pinned_item_ids, new_ids, catalogue) if not np.count_nonzero(rows == row)]
    if pinned:
        rows = np.concatenate((rows, pinned))
        scores = np.concatenate((scores, np.zeros(len(pinned), np.float32)))
        transitions = np.concatenate((transitions, np.zeros(len(pinned), np.float32)))
        sources = np.concatenate((sources, np.full(len(pinned), BY_RULE, np.uint32)))
    n_items = catalogue.artifact.manifest.item_count
    new_at = (rows >= n_items).nonzero()[0]
    new_rows = rows[new_at].tolist()
    found = {row: catalogue.new_item(new_ids[row - n_items]) for row in new_rows}
    new_items = {row: new for row, new in found.items() if new is not None and new.item.available}
    is_on_sale = _at(rows, catalogue.available_mask())
    is_on_sale[new_at] = [row in new_items for row in new_rows]
    kept = is_on_sale.nonzero()[0]
    if len(kept) < len(rows):
        rows, scores, sources, transitions = rows[kept], scores[kept], sources[kept], transitions[kept]
        new_at = (rows >= n_items).nonzero()[0]
    return Candidates(
        catalogue=catalogue,
        rows=rows,
        scores=scores,
        sources=sources,
        transitions=transitions,
        new_at=new_at,
        new_items=dict(zip(new_at.tolist(), new_items.values(), strict=True)),
    )


def _rows_of(item_ids: Sequence[str], new_ids: list[str], catalogue: LiveCatalogue) -> list[int]:
    """The rows of items, each once; those that the version does not have become some of the new ones."""
    rows: dict[int, None] = {}
    for item_id in item_ids:
        row = catalogue.row_of(item_id)
        if row is None:
            if item_id not in new_ids:
                new_ids.append(item_id)
            row = catalogue.artifact.manifest.item_count + new_ids.index(item_id)
        rows[row] = None
    return list(rows)


def _at(rows: NDArray[np.int64], values: NDArray[Value]) -> NDArray[Value]:
    """Each row's part of an array by row of the version: a copy, with anything for a row that the version lacks."""
    if len(values) == 0:
        return np.zeros((len(rows), *values.shape[1:]), values.dtype)
    return values.take(rows, axis=0, mode="clip")


def _check(proposed: Proposed, catalogue: LiveCatalogue) -> None:
    rows, manifest = proposed.rows, catalogue.artifact.manifest
    if len(rows) == 0:
        return
    taken_up = proposed.history.rows
    if len(taken_up) and taken_up.max() >= manifest.item_count:
        raise InvalidArgumentError(
            f"candidates.history_rows: expected rows below {manifest.item_count} in version {manifest.version}, "
            f"found {taken_up.max()}"
        )
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
