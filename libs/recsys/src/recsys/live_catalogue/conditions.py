"""Conditions on an item: each holds of a single value, or of a whole column at once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.catalogue import CatalogueItem
from recsys.feature_store.interface import JsonScalar
from recsys.live_catalogue.columns import ATTRIBUTES, Columns


class Condition(Protocol):
    """Hashable, so that what it holds of can be kept."""

    @property
    def field(self) -> str:
        """The one field of an item that decides, as records name it."""
        ...

    def accepts(self, value: JsonScalar) -> bool:
        """Whether it holds of an item with this value."""
        ...

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        """bool [n_items]: of which items of the version it holds. A new array, or one not to be changed."""
        ...


@dataclass(frozen=True, slots=True)
class OnSale:
    """The item is available."""

    field: str = "available"

    def accepts(self, value: JsonScalar) -> bool:
        return value is not False  # not said is on sale

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        return columns.available


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text is one of these."""

    field: str
    wanted: frozenset[str]

    def accepts(self, value: JsonScalar) -> bool:
        return value in self.wanted

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        texts = columns.texts(self.field)
        return np.zeros(len(columns.available), dtype=bool) if texts is None else texts.equal_any(self.wanted)


@dataclass(frozen=True, slots=True)
class PriceBetween:
    """The price is known, and within these bounds."""

    lowest: float
    highest: float
    field: str = "price"

    def accepts(self, value: JsonScalar) -> bool:
        return isinstance(value, int | float) and self.lowest <= value <= self.highest

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        prices = columns.prices()
        return (prices >= self.lowest) & (prices <= self.highest)  # NaN is neither


ON_SALE: Final = OnSale()


def conditions_of(
    *, categories: Collection[str], min_price: float | None, max_price: float | None, attributes: Mapping[str, str]
) -> tuple[Condition, ...]:
    """One condition for each field that is restricted."""
    conditions: list[Condition] = []
    if categories:
        conditions.append(OneOf("category", frozenset(categories)))
    if min_price is not None or max_price is not None:
        lowest = -inf if min_price is None else min_price
        conditions.append(PriceBetween(lowest, inf if max_price is None else max_price))
    conditions += [OneOf(f"{ATTRIBUTES}{name}", frozenset([attributes[name]])) for name in sorted(attributes)]
    return tuple(conditions)


def passes(item: CatalogueItem, conditions: Iterable[Condition]) -> bool:
    """Whether all of them hold of one item."""
    return all(condition.accepts(value_of(item, condition.field)) for condition in conditions)


def value_of(item: CatalogueItem, field: str) -> JsonScalar:
    """What an item says of a field, as records name it; none: nothing."""
    if field.startswith(ATTRIBUTES):
        return item.attributes.get(field.removeprefix(ATTRIBUTES))
    return cast("JsonScalar", getattr(item, field))
