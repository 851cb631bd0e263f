"""Cards: the shop's text never becomes markup, and what the shop did not say is not there."""

import pytest

from ui import cards, shop_text
from ui.models import Item, RankedItem

HOSTILE = '<img src=x onerror="alert(1)">'
BAD_ADDRESSES = [
    "https://[cdn]/1.jpg",
    "https://",
    "https:///1.jpg",
    "http://a:port/",
    "https:\\\\a",
    "https://a/\n1",
    "h\0",
]
BARE = Item(item_id="a-1", title=None, category=None, price=None, image_url=None, available=True)


def ranked(*, score: float, sources: tuple[str, ...] = ("ann",)) -> RankedItem:
    return RankedItem(**BARE.model_dump(), score=score, sources=sources, propensity=1.0, explanation=None)


def test_no_text_of_the_shop_becomes_markup() -> None:
    item = RankedItem(
        item_id=HOSTILE,
        title=HOSTILE,
        category=HOSTILE,
        price=1.0,
        image_url="https://shop.example/" + HOSTILE,
        available=True,
        score=1.0,
        sources=(HOSTILE,),
        propensity=1.0,
        explanation=None,
    )
    html = cards.tile_html(item) + cards.facts_html(item) + cards.score_html(item, best=1.0)
    assert "<img src=x" not in html
    assert "onerror=&quot;" in html


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//shop.example/x", *BAD_ADDRESSES]
)
def test_only_web_addresses_are_loaded_as_pictures(url: str) -> None:
    assert "<img" not in cards.tile_html(BARE.model_copy(update={"image_url": url}))


def test_a_picture_lies_over_the_tile() -> None:
    html = cards.tile_html(BARE.model_copy(update={"image_url": "https://shop.example/x.jpg?a=1&b=2"}))
    assert 'src="https://shop.example/x.jpg?a=1&amp;b=2"' in html


@pytest.mark.parametrize(
    ("text", "span"),
    [("Cake stand", "` Cake stand `"), ("a `tick`", "`` a `tick` ``"), ("``", "``` `` ```")],
)
def test_a_label_is_a_code_span_with_a_fence_longer_than_any_inside(text: str, span: str) -> None:
    assert shop_text.label(text) == span


def test_an_item_without_a_title_goes_by_its_id() -> None:
    assert cards.name_of(BARE) == "a-1"
    assert cards.name_of(BARE.model_copy(update={"title": "  "})) == "a-1"


def test_items_of_one_category_share_a_colour() -> None:
    def colour(item_id: str, category: str) -> str:
        item = BARE.model_copy(update={"item_id": item_id, "category": category, "title": "Same"})
        return cards.tile_html(item)

    assert colour("1", "Home") == colour("2", "Home")
    assert colour("1", "Home") != colour("1", "Garden")


def test_facts_show_only_what_the_shop_said() -> None:
    assert cards.facts_html(BARE) == '<p class="facts"></p>'
    full = BARE.model_copy(update={"category": "Home", "price": 1234.5, "available": False})
    assert "Home · " in cards.facts_html(full)
    assert "1,234.50" in cards.facts_html(full)
    assert "not on sale" in cards.facts_html(full)


@pytest.mark.parametrize(
    ("score", "best", "share"),
    [(1.0, 2.0, "50%"), (2.0, 2.0, "100%"), (-1.0, 2.0, "0%"), (-1.0, -1.0, "0%"), (0.0, 0.0, "0%")],
)
def test_the_bar_is_the_share_of_the_best_score(score: float, best: float, share: str) -> None:
    assert f"--share:{share}" in cards.score_html(ranked(score=score), best=best)


def test_every_source_has_its_badge_and_a_new_one_shows_its_own_name() -> None:
    html = cards.score_html(ranked(score=1.0, sources=("ann", "popular", "clairvoyant")), best=1.0)
    assert [label in html for label in (">for you<", ">popular<", ">clairvoyant<")] == [True, True, True]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Lamp\n\n![x](https://foreign.example/x.png)", "Lamp ![x](https://foreign.example/x.png)"),
        ("a\0b\r\n\tc\u2028d", "a b c d"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("x" * 10_000, "x" * 299 + "…"),
    ],
)
def test_a_text_is_one_line_of_bounded_length_without_control_characters(text: str, shown: str) -> None:
    assert shop_text.plain(text) == shown


@pytest.mark.parametrize(
    ("text", "place"),
    [("3", 3), ("0", 0), ("", 0), (None, 0), ("-1", 0), ("²", 0), ("٣", 0), ("9" * 5_000, 0), ("1000000", 0)],
)
def test_a_position_in_an_address_is_a_number_that_the_gateway_takes_or_none(text: str | None, place: int) -> None:
    assert shop_text.position(text) == place
