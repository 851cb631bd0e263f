"""Conditions of a request."""

import math

import pytest

from recsys.errors import InvalidArgumentError
from recsys.shop.filter import NO_FILTER, Filter
from recsys.shop.item import Item


def item(**told: object) -> Item:
    facts = {"title": None, "category": None, "price": None, "image_url": None, "available": True, **told}
    return Item("item", **facts)  # type: ignore[arg-type] # each test tells what it needs


@pytest.mark.parametrize(
    ("wanted", "passing", "failing"),
    [
        (Filter(categories=("hats", "coats")), item(category="coats"), item(category="boots")),
        (Filter(categories=("hats",)), item(category="hats"), item()),
        (Filter(exclude_categories=("hats", "coats")), item(category="boots"), item(category="coats")),
        (Filter(exclude_categories=("hats",)), item(), item(category="hats")),
        (Filter(min_price=2), item(price=2.0), item(price=1.99)),
        (Filter(max_price=2), item(price=2.0), item(price=2.01)),
        (Filter(min_price=0), item(price=0.0), item()),
        (Filter(max_price=9), item(price=9.0), item()),
        (Filter(attributes=(("colour", "red"),)), item(attributes={"colour": "red"}), item(attributes={"size": "red"})),
        (
            Filter(attributes=(("colour", "red"), ("size", "L"))),
            item(attributes={"colour": "red", "size": "L"}),
            item(attributes={"colour": "red", "size": "M"}),
        ),
        (Filter(categories=("hats",), max_price=2), item(category="hats", price=1.0), item(category="hats", price=3.0)),
    ],
)
def test_an_item_passes_by_every_condition_that_is_given(wanted: Filter, passing: Item, failing: Item) -> None:
    assert wanted.passes(passing)
    assert not wanted.passes(failing)
    assert NO_FILTER.passes(failing)


def test_each_field_that_is_restricted_has_a_condition() -> None:
    wanted = Filter(categories=("hats",), max_price=2, attributes=(("size", "L"),))
    assert [condition.field for condition in wanted.conditions] == ["category", "price", "attributes.size"]
    assert NO_FILTER.conditions == ()


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (3.0, 2.5, "filter: expected min_price of at most max_price, found 3 and 2.5"),
        (math.nan, None, "filter.min_price: expected a number, found NaN"),
        (1.0, math.nan, "filter.max_price: expected a number, found NaN"),
    ],
)
def test_bounds_that_exclude_each_other_or_are_no_numbers_are_refused(
    low: float | None, high: float | None, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^{message}$"):
        Filter(min_price=low, max_price=high)
