"""The columns of a version's catalogue as numpy arrays, made when something first asks for them.

A version of a million items opens without them; each costs some ten milliseconds once.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import nan
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.artifact.catalogue import Catalogue, as_mask
from recsys.shop.item import ATTRIBUTES, JsonScalar

Made = TypeVar("Made")
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Texts:
    """A column of text, each distinct text a code."""

    codes: NDArray[np.int32]  # [n_items], -1: null
    code_of: dict[str, int]
    texts: list[str | None]  # by code; the last one, asked by -1, is none

    def at(self, rows: NDArray[np.int64]) -> list[str | None]:
        """The texts of these rows."""
        return [self.texts[code] for code in self.codes[rows].tolist()]

    def equal_any(self, wanted: Collection[str]) -> NDArray[np.bool_]:
        """bool [n_items]: which are one of these texts."""
        codes = [self.code_of[text] for text in wanted if text in self.code_of]
        if len(codes) == 1:
            return np.equal(self.codes, codes[0])
        is_wanted = np.zeros(len(self.code_of) + 1, dtype=bool)  # the last one is asked by -1
        is_wanted[codes] = True
        return is_wanted[self.codes]


class Columns:
    """Arrays by the name that a record gives to the field."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lock = threading.RLock()
        self._texts: dict[str, Texts | None] = {}
        self._prices: dict[str, NDArray[np.float64]] = {}

    @property
    def available(self) -> NDArray[np.bool_]:
        """bool [n_items]"""
        return self._catalogue.available

    def texts(self, field: str) -> Texts | None:
        """`category` or `attributes.NAME`; none for an attribute that the version does not have."""
        return self._once(self._texts, field, lambda: self._encoded(field))

    def equal_any(self, field: str, wanted: Collection[str]) -> NDArray[np.bool_]:
        """bool [n_items]: of which items a text is one of these."""
        texts = self.texts(field)
        return np.zeros(len(self.available), dtype=bool) if texts is None else texts.equal_any(wanted)

    def price_between(self, lowest: float, highest: float) -> NDArray[np.bool_]:
        """bool [n_items]: which prices are known and within these bounds."""
        prices = self.prices()
        return (prices >= lowest) & (prices <= highest)  # NaN is neither

    def prices(self) -> NDArray[np.float64]:
        """float64 [n_items], NaN where there is none."""
        prices = self._catalogue.column("price")
        return self._once(self._prices, "price", lambda: _numbers(prices, np.dtype(np.float64), missing=nan))

    def value(self, field: str, row: int) -> JsonScalar:
        """`category`, `price`, `available` or `attributes.NAME` of a row."""
        column = self._column(field)
        value: JsonScalar = None if column is None else column[row].as_py()
        return value

    def _once(self, made: dict[str, Made], name: str, make: Callable[[], Made]) -> Made:
        if name not in made:
            with self._lock:
                if name not in made:  # another thread may have made it meanwhile
                    made[name] = make()
        return made[name]

    def _column(self, field: str) -> pa.Array | None:
        if field.startswith(ATTRIBUTES):
            return self._catalogue.attributes(field.removeprefix(ATTRIBUTES))
        return self._catalogue.column(field)

    def _encoded(self, field: str) -> Texts | None:
        column = self._column(field)
        if column is None:
            return None
        encoded = pc.dictionary_encode(column)
        codes = _numbers(encoded.indices, np.dtype(np.int32), missing=-1)
        texts = encoded.dictionary.to_pylist()
        return Texts(
            codes=codes,
            code_of={text: code for code, text in enumerate(texts)},
            texts=[*texts, None],
        )


def _numbers(column: pa.Array, dtype: np.dtype[Number], *, missing: float) -> NDArray[Number]:
    """A column of numbers; a copy with `missing` for each null, where there are any."""
    # `to_numpy` and `fill_null` import pandas where it is installed, half a second in the middle of a request
    _, values = column.buffers()
    numbers = np.frombuffer(values, dtype, count=len(column), offset=column.offset * dtype.itemsize)
    return np.where(as_mask(column.is_valid()), numbers, dtype.type(missing)) if column.null_count else numbers
