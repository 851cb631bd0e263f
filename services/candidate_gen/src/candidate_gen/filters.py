"""What an answer must be: the conditions of a request, and a check of one item against them."""

import math
from dataclasses import dataclass
from typing import Final

from recsys.artifact.catalogue import CatalogueItem
from recsys.errors import InvalidArgumentError
from recsys.live_catalogue.conditions import conditions_of, passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Every condition that is given must hold; the empty filter lets every item on sale pass."""

    categories: tuple[str, ...] = ()  # any of these
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
    def is_empty(self) -> bool:
        """Whether it asks for nothing but items on sale."""
        return self == NO_FILTER

    @property
    def conditions(self) -> dict[str, "Filter"]:
        """Each condition that is given, alone, by the name that the wire has for it."""
        alone = {
            "category": Filter(categories=self.categories),
            "price": Filter(min_price=self.min_price, max_price=self.max_price),
            "attributes": Filter(attributes=self.attributes),
        }
        return {name: condition for name, condition in alone.items() if not condition.is_empty}

    def passes(self, item: CatalogueItem) -> bool:
        """Whether one item is what the filter asks for; whether it is on sale is another question."""
        conditions = conditions_of(
            categories=self.categories,
            min_price=self.min_price,
            max_price=self.max_price,
            attributes=dict(self.attributes),
        )
        return passes(item, conditions)


NO_FILTER: Final = Filter()
