"""The catalogue of one artifact version: what an item is called and costs, and which items are wanted."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.shop.item import ATTRIBUTES, Item, JsonScalar

Number = TypeVar("Number", bound=np.generic)

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

VECTOR: Final = "vector"
"""A column of this name (large_string) after those of `SCHEMA` holds vectors of items as `recsys.item_vector` has them:
of items that the model knows nothing of, since of others nobody asks."""

NO_TEXT: Final = -1
"""The code of no text."""

# Rows that a search looks at in one go: large enough for columnar speed, small enough to stop early on a full page.
_SEARCH_BLOCK: Final = 65_536


def schema_with(columns: Iterable[str]) -> pa.Schema:
    """`SCHEMA`, and after it vectors and attributes as far as they are among these, in their order."""
    more = [name for name in columns if name == VECTOR or name.startswith(ATTRIBUTE)]
    return pa.schema([*SCHEMA, *(pa.field(name, pa.large_string()) for name in more)])


@dataclass(frozen=True)
class Texts:
    """A column of text, each distinct text a code."""

    codes: NDArray[np.int32]  # [n_items], `NO_TEXT`: null
    code_of: dict[str, int]

    def equal_any(self, wanted: Collection[str]) -> NDArray[np.bool_]:
        """bool [n_items]: of which items the text is one of these."""
        codes = [self.code_of[text] for text in wanted if text in self.code_of]
        if not codes:
            return np.zeros(len(self.codes), dtype=bool)
        if len(codes) == 1:
            return np.equal(self.codes, codes[0])
        is_wanted = np.zeros(len(self.code_of) + 1, dtype=bool)  # the last one is asked by `NO_TEXT`
        is_wanted[codes] = True
        return is_wanted[self.codes]


class Catalogue:
    """Item data by row, over a memory-mapped record batch of `SCHEMA` and attribute columns.

    A field is named as records name it: `category`, or `attributes.NAME`. What is made of a whole column is made when
    something first asks for it: a version of a million items opens without, and each costs some ten milliseconds once.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self._facts = [batch.column(name) for name in SCHEMA.names]
        self._attributes = {
            name.removeprefix(ATTRIBUTE): batch.column(name)
            for name in batch.schema.names
            if name.startswith(ATTRIBUTE)
        }
        self._vectors = batch.column(VECTOR) if VECTOR in batch.schema.names else None
        self._columns = dict(zip(SCHEMA.names, self._facts, strict=True))
        self._columns |= {f"{ATTRIBUTES}{name}": column for name, column in self._attributes.items()}
        self._texts: dict[str, Texts] = {}
        self.available: NDArray[np.bool_] = as_mask(batch.column("available"))

    def item(self, row: int) -> Item:
        """The item of a row."""
        told = ((name, column[row].as_py()) for name, column in self._attributes.items())
        facts: list[Any] = [column[row].as_py() for column in self._facts]
        facts.append({name: value for name, value in told if value is not None})
        facts.append(None if self._vectors is None else self._vectors[row].as_py())
        return Item(*facts)

    def value(self, field: str, row: int) -> JsonScalar:
        """A field of a row; none where the version does not have it."""
        column = self._columns.get(field)
        value: JsonScalar = None if column is None else column[row].as_py()
        return value

    def texts(self, field: str) -> Texts:
        """A field of text, of every item; an attribute that the version does not have is null everywhere."""
        if field not in self._texts:
            column = self._columns.get(field)
            self._texts[field] = _no_texts(self._batch.num_rows) if column is None else _encoded(column)
        return self._texts[field]

    @cached_property
    def prices(self) -> NDArray[np.float64]:
        """float64 [n_items], NaN where there is none."""
        return _numbers(self._columns["price"], np.dtype(np.float64), missing=nan)

    def search(
        self, *, query: str, category: str, start_row: int, check_time: Callable[[], None] = lambda: None
    ) -> Iterator[int]:
        """Rows whose title holds every word of `query`, whatever the case, and whose category is `category`.

        An empty `query` or `category` accepts every item. From `start_row` on, ascending, block by block as they are
        asked for. `check_time` is called before each block, and ends the search by raising.
        """
        words = sorted(set(query.split()), key=len, reverse=True)  # a long word is in few titles
        # a comparison in arrow would import pandas for the text, as `pa.array` does for rows
        of_category = self.texts("category").equal_any([category]) if category else np.ones_like(self.available)
        for start in range(start_row, self._batch.num_rows, _SEARCH_BLOCK):
            check_time()
            rows = np.flatnonzero(of_category[start : start + _SEARCH_BLOCK])
            titles = self._columns["title"].slice(start, _SEARCH_BLOCK)
            for word in words:  # each looks only at the titles that hold the words before it
                if len(rows):
                    among = titles if len(rows) == len(titles) else titles.take(_indices(rows))
                    rows = rows[as_mask(pc.match_substring(among, word, ignore_case=True))]
            yield from (start + rows).tolist()


def _no_texts(n_items: int) -> Texts:
    return Texts(np.full(n_items, NO_TEXT, np.int32), {})


def _encoded(column: pa.Array) -> Texts:
    encoded = pc.dictionary_encode(column)
    codes = _numbers(encoded.indices, np.dtype(np.int32), missing=NO_TEXT)
    return Texts(codes, {text: code for code, text in enumerate(encoded.dictionary.to_pylist())})


def _numbers(column: pa.Array, dtype: np.dtype[Number], *, missing: float) -> NDArray[Number]:
    """A column of numbers; a copy with `missing` for each null, where there are any."""
    _, values = column.buffers()
    numbers = np.frombuffer(values, dtype, count=len(column), offset=column.offset * dtype.itemsize)
    return np.where(as_mask(column.is_valid()), numbers, dtype.type(missing)) if column.null_count else numbers


def _indices(rows: NDArray[np.int64]) -> pa.Int64Array:
    """The rows as arrow has them, not copied."""
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])


def as_mask(matches: pa.BooleanArray) -> NDArray[np.bool_]:
    """A byte for each bit; no value is no match."""
    # `to_numpy` and `fill_null` import pandas where it is installed, a second in the middle of a request
    _, bits = matches.buffers()
    end = matches.offset + len(matches)
    mask = np.unpackbits(np.frombuffer(bits, np.uint8), count=end, bitorder="little")[matches.offset :].view(np.bool_)
    return mask & as_mask(matches.is_valid()) if matches.null_count else mask
