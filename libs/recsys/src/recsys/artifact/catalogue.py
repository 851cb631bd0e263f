"""The catalogue of one artifact version: what an item is called and costs, and a search by words of its title."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.shop.item import Item

SCHEMA: Final = pa.schema(
    [
        pa.field("item_id", pa.large_string(), nullable=False),
        pa.field("title", pa.large_string()),
        pa.field("category", pa.large_string()),
        pa.field("price", pa.float64()),
        pa.field("image_url", pa.large_string()),
        pa.field("available", pa.bool_(), nullable=False),
    ]
)

ATTRIBUTE: Final = "attr:"
"""A column `attr:NAME` (large_string) after those of `SCHEMA` holds the items' attribute NAME, null where none."""

# Rows that a search looks at in one go: large enough for columnar speed, small enough to stop early on a full page.
_SEARCH_BLOCK: Final = 65_536


def schema_with(columns: Iterable[str]) -> pa.Schema:
    """`SCHEMA`, and after it the attribute columns among these, in their order."""
    attributes = [pa.field(name, pa.large_string()) for name in columns if name.startswith(ATTRIBUTE)]
    return pa.schema([*SCHEMA, *attributes])


class Catalogue:
    """Item data by row, over a memory-mapped record batch of `SCHEMA` and attribute columns."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self._columns = [batch.column(name) for name in SCHEMA.names]
        self._attributes: dict[str, pa.LargeStringArray] = {
            name.removeprefix(ATTRIBUTE): batch.column(name)
            for name in batch.schema.names
            if name.startswith(ATTRIBUTE)
        }
        self.available: NDArray[np.bool_] = as_mask(batch.column("available"))

    def item(self, row: int) -> Item:
        """The item of a row."""
        told = ((name, column[row].as_py()) for name, column in self._attributes.items())
        facts: list[Any] = [column[row].as_py() for column in self._columns]
        facts.append({name: value for name, value in told if value is not None})
        return Item(*facts)

    def column(self, name: str) -> pa.Array:
        """A column of `SCHEMA`, of every item."""
        return self._batch.column(name)

    def attributes(self, name: str) -> pa.LargeStringArray | None:
        """An attribute of every item, null where an item has none; none where the version has no such attribute."""
        return self._attributes.get(name)

    def search(
        self,
        *,
        query: str,
        category: str,
        start_row: int,
        limit: int,
        check_time: Callable[[], None] = lambda: None,
    ) -> list[int]:
        """Rows whose title holds every word of `query`, whatever the case, and whose category is `category`.

        An empty `query` or `category` accepts every item. At most `limit` rows from `start_row` on, ascending.
        `check_time` is called before each block, and ends the search by raising.
        """
        found: list[int] = []
        words = sorted(set(query.split()), key=len, reverse=True)  # a long word is in few titles
        for start in range(start_row, self._batch.num_rows, _SEARCH_BLOCK):
            check_time()
            found.extend((start + self._matching(start, words, category)).tolist())
            if len(found) >= limit:
                break
        return found[:limit]

    def _matching(self, start: int, words: Sequence[str], category: str) -> NDArray[np.int64]:
        """The matching rows of one block, from its start; each condition looks only at what passed those before it."""
        block = self._batch.slice(start, _SEARCH_BLOCK)
        rows = np.arange(block.num_rows)
        if category:
            rows = rows[as_mask(pc.equal(block.column("category"), category))]
        titles = block.column("title")
        if len(rows) < len(titles):
            titles = titles.take(pa.array(rows))
        for word in words:
            if not len(rows):
                break
            keep = as_mask(pc.match_substring(titles, word, ignore_case=True))
            rows = rows[keep]
            titles = titles.filter(pa.array(keep))
        return rows


def as_mask(matches: pa.BooleanArray) -> NDArray[np.bool_]:
    """A byte for each bit; no value is no match."""
    # `to_numpy` and `fill_null` import pandas where it is installed: a service does not need it to start
    known = pc.fill_null(matches, False) if matches.null_count else matches
    _, bits = known.buffers()
    end = known.offset + len(known)
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=end, bitorder="little")[known.offset :].view(np.bool_)
