"""A page is written by hand, and read as the library reads and writes it field by field."""

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from recsys.shop.item import Item
from recsys.shop.item_wire import description, item_from_wire, item_to_wire
from recsys.v1.item_pb2 import Explanation as WireExplanation
from recsys.v1.item_pb2 import RankedItem as WireRankedItem
from recsys.v1.reranker_service_pb2 import RerankResponse
from reranker.explanation import Contribution, Explanation, SourceRank, TermValue
from reranker.ranker import RankedItem
from reranker.wire import page_to_wire

finite = st.floats(allow_nan=False, allow_infinity=False)
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
items = st.builds(
    Item,
    st.text(min_size=1),
    title=st.none() | st.text(max_size=300),  # lengths of one byte and of two
    category=st.none() | st.text(),
    price=st.none() | finite,
    image_url=st.none() | st.text(),
    available=st.booleans(),
    attributes=st.dictionaries(st.text(), st.text(), max_size=1),  # the order of more is not fixed
)
explanations = st.builds(
    Explanation,
    personal_score=float32,
    terms=st.lists(st.builds(TermValue, st.text(), float32, float32), max_size=2),
    sources=st.lists(st.builds(SourceRank, st.integers(1, 7), st.integers(1, 300), float32), max_size=2),
    rank_by_score=st.integers(1, 1000),
    contributions=st.lists(st.builds(Contribution, st.text(), float32), max_size=2),
    rules=st.lists(st.text(), max_size=2),
)
ranked_items = st.tuples(items, finite, st.integers(0, 2**9 - 1), st.floats(0, 1), st.none() | explanations)


@given(st.lists(ranked_items, max_size=4))
def test_a_page_says_what_was_ranked(
    page: list[tuple[Item, float, int, float, Explanation | None]],
) -> None:
    expected = RerankResponse(
        items=[
            WireRankedItem(
                item=item_to_wire(item),
                score=score,
                sources=[number for number in range(1, 9) if sources >> number & 1],
                propensity=propensity,
                explanation=WireExplanation(**asdict(why)) if why is not None else None,
            )
            for item, score, sources, propensity, why in page
        ]
    )
    written = page_to_wire([RankedItem(description(item), *rest) for item, *rest in page])
    assert RerankResponse.FromString(written).SerializeToString() == expected.SerializeToString()


@given(items)
def test_an_item_comes_back_from_the_wire_as_it_was(item: Item) -> None:
    assert item_from_wire(item_to_wire(item)) == item


def test_an_item_as_long_as_three_bytes_of_length_comes_back() -> None:
    item = Item("long", title="x" * 100_000)
    [message] = RerankResponse.FromString(page_to_wire([RankedItem(description(item), 1.0, 2, 1.0, None)])).items
    assert item_from_wire(message.item) == item
