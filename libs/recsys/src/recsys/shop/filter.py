"""What an answer must be: each condition holds of a single value, or of a whole column at once.

A new condition is a field of the wire's message and of the REST request, and here: a field, what it asks, and its
reading from the wire.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from recsys.errors import InvalidArgumentError
from recsys.shop.item import ATTRIBUTES, Item, JsonScalar
from recsys.v1 import item_pb2

if TYPE_CHECKING:  # the gateway checks single items, and starts without numpy
    import numpy as np
    from numpy.typing import NDArray

    from recsys.artifact.catalogue import Texts


class Columns(Protocol):
    """The items of a version as they are now, a column for each field: [n_items]."""

    def available_mask(self) -> "NDArray[np.bool_]": ...

    def texts(self, field: str) -> "Texts": ...

    def prices(self) -> "NDArray[np.float64]": ...


class Condition(Protocol):
    """Hashable, so that what it holds of can be kept."""

    @property
    def field(self) -> str:
        """The one field of an item that decides, as records name it."""
        ...

    def accepts(self, value: JsonScalar) -> bool:
        """Whether it holds of an item with this value."""
        ...

    def mask(self, now: "Columns") -> "NDArray[np.bool_]":
        """bool [n_items]: of which items of the version it holds. A new array, or one not to be changed."""
        ...


@dataclass(frozen=True, slots=True)
class OnSale:
    """The item is available."""

    field: str = "available"

    def accepts(self, value: JsonScalar) -> bool:
        return value is not False  # not said is on sale

    def mask(self, now: "Columns") -> "NDArray[np.bool_]":
        return now.available_mask()


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text is one of these."""

    field: str
    wanted: frozenset[str]

    def accepts(self, value: JsonScalar) -> bool:
        return value in self.wanted

    def mask(self, now: "Columns") -> "NDArray[np.bool_]":
        return now.texts(self.field).equal_any(self.wanted)


@dataclass(frozen=True, slots=True)
class NoneOf:
    """A text is none of these, or there is none."""

    field: str
    unwanted: frozenset[str]

    def accepts(self, value: JsonScalar) -> bool:
        return value not in self.unwanted

    def mask(self, now: "Columns") -> "NDArray[np.bool_]":
        return ~now.texts(self.field).equal_any(self.unwanted)


@dataclass(frozen=True, slots=True)
class PriceBetween:
    """The price is known, and within these bounds."""

    lowest: float
    highest: float
    field: str = "price"

    def accepts(self, value: JsonScalar) -> bool:
        return isinstance(value, int | float) and self.lowest <= value <= self.highest

    def mask(self, now: "Columns") -> "NDArray[np.bool_]":
        prices = now.prices()
        return (prices >= self.lowest) & (prices <= self.highest)  # NaN is neither


ON_SALE: Final = OnSale()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Every condition that is given must hold; the empty filter lets every item pass."""

    categories: tuple[str, ...] = ()  # any of these
    exclude_categories: tuple[str, ...] = ()  # none of these
    min_price: float | None = None
    max_price: float | None = None
    attributes: tuple[tuple[str, str], ...] = ()  # name and value, all of them

    def __post_init__(self) -> None:
        """Raises: InvalidArgumentError (the bounds exclude each other, or are no numbers)."""
        for name, bound in (("min_price", self.min_price), ("max_price", self.max_price)):
            if bound is not None and math.isnan(bound):
                raise InvalidArgumentError(f"filter.{name}: expected a number, found NaN")
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise InvalidArgumentError(
                f"filter: expected min_price of at most max_price, found {self.min_price:g} and {self.max_price:g}"
            )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One for each field of an item that is restricted."""
        conditions: list[Condition] = []
        if self.categories:
            conditions.append(OneOf("category", frozenset(self.categories)))
        if self.exclude_categories:
            conditions.append(NoneOf("category", frozenset(self.exclude_categories)))
        if self.min_price is not None or self.max_price is not None:
            lowest = -inf if self.min_price is None else self.min_price
            conditions.append(PriceBetween(lowest, inf if self.max_price is None else self.max_price))
        conditions += [OneOf(f"{ATTRIBUTES}{name}", frozenset([value])) for name, value in self.attributes]
        return tuple(conditions)

    def passes(self, item: Item) -> bool:
        """Whether one item is what the filter asks for; whether it is on sale is another question."""
        return passes(item, self.conditions)


NO_FILTER: Final = Filter()


def passes(item: Item, conditions: Iterable[Condition]) -> bool:
    """Whether all of them hold of one item."""
    return all(condition.accepts(item.value(condition.field)) for condition in conditions)


def filter_from_wire(wire: item_pb2.Filter) -> Filter:
    """The conditions of a message, but for `exclude_item_ids`. Raises: InvalidArgumentError, as `Filter` does."""
    return Filter(
        categories=tuple(sorted(wire.categories)),
        exclude_categories=tuple(sorted(wire.exclude_categories)),
        min_price=wire.min_price if wire.HasField("min_price") else None,
        max_price=wire.max_price if wire.HasField("max_price") else None,
        attributes=tuple(sorted(wire.attributes.items())),
    )
