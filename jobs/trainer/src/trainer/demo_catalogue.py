"""What the demo shop sells: a homeware assortment whose titles, prices and lifetimes follow from a seed.

A title is series + adjective + material + product. Series and adjective belong to a style, material and product to a
category, so that items which the same people like read alike.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainer import catalogue


@dataclass(frozen=True)
class Category:
    """A shelf of the shop."""

    name: str
    median_price: float
    companions: tuple[str, ...]  # categories looked at in the same session
    peak_month: int | None  # of demand; none: the same all year
    materials: tuple[str, ...]
    products: tuple[str, ...]


@dataclass(frozen=True)
class Style:
    """A look that runs through all categories."""

    series: tuple[str, ...]
    adjectives: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _category(name: str, price: float, companions: str, peak: int | None, materials: str, products: str) -> Category:
    return Category(name, price, _words(companions), peak, _words(materials), _words(products))


CATEGORIES = (
    _category(
        "Tableware", 16, "Table linen, Kitchen", None,
        "Stoneware, Porcelain, Earthenware, Enamel, Bone China",
        "Mug, Dinner Plate, Cereal Bowl, Teapot, Milk Jug, Serving Platter, Egg Cup, Butter Dish, Cake Stand, Ramekin",
    ),
    _category(
        "Table linen", 19, "Tableware, Candles", None,
        "Linen, Cotton, Hemp, Jacquard, Organic Cotton",
        "Tablecloth, Napkin Set, Table Runner, Placemat Set, Tea Towel, Apron, Oven Glove, Bread Bag, Coaster Set",
    ),
    _category(
        "Cookware", 48, "Kitchen, Tableware", 11,
        "Cast-Iron, Stainless Steel, Copper, Carbon Steel, Aluminium",
        "Frying Pan, Saucepan, Casserole, Grill Pan, Stockpot, Roasting Tin, Milk Pan, Kettle, Sauté Pan, Wok",
    ),
    _category(
        "Kitchen", 24, "Cookware, Tableware", None,
        "Oak, Acacia, Bamboo, Beech, Olive Wood",
        "Chopping Board, Spoon Set, Bread Bin, Spice Rack, Salad Bowl, Rolling Pin, Knife Block, Tray, Pepper Mill",
    ),
    _category(
        "Bedding", 62, "Soft furnishings, Bathroom", 1,
        "Cotton, Linen, Bamboo, Flannel, Sateen",
        "Duvet Cover, Pillowcase, Fitted Sheet, Bedspread, Quilt, Flat Sheet, Bolster, Mattress Topper, Eiderdown",
    ),
    _category(
        "Bathroom", 21, "Bedding, Candles", None,
        "Terry, Waffle, Organic Cotton, Turkish Cotton, Bamboo",
        "Bath Towel, Hand Towel, Bath Mat, Bathrobe, Face Cloth, Bath Sheet, Shower Curtain, Wash Bag, Guest Towel",
    ),
    _category(
        "Soft furnishings", 39, "Lighting, Furniture", 10,
        "Wool, Velvet, Jute, Bouclé, Cotton",
        "Cushion, Rug, Throw, Floor Cushion, Curtain Pair, Pouffe, Doorstop, Hall Runner, Bench Pad, Blanket",
    ),
    _category(
        "Lighting", 74, "Furniture, Soft furnishings", 11,
        "Brass, Rattan, Ceramic, Glass, Steel",
        "Table Lamp, Floor Lamp, Pendant Light, Wall Light, Lantern, Desk Lamp, Lampshade, Night Light, Clip Lamp",
    ),
    _category(
        "Furniture", 165, "Lighting, Storage", None,
        "Oak, Ash, Walnut, Pine, Rattan",
        "Stool, Side Table, Bench, Bookcase, Armchair, Coffee Table, Console, Bedside Table, Dining Chair, Desk",
    ),
    _category(
        "Storage", 27, "Furniture, Stationery", 1,
        "Seagrass, Felt, Wire, Canvas, Wicker",
        "Basket, Laundry Hamper, Storage Box, Magazine Rack, Drawer Organiser, Log Carrier, Shelf Bin, Crate",
    ),
    _category(
        "Candles", 14, "Bathroom, Christmas", 12,
        "Soy Wax, Beeswax, Rapeseed Wax, Olive Wax, Coconut Wax",
        "Pillar Candle, Scented Candle, Tealight Set, Dinner Candles, Votive, Travel Candle, Candle Trio",
    ),
    _category(
        "Wall decor", 33, "Soft furnishings, Stationery", None,
        "Walnut, Metal, Paper, Canvas, Clay",
        "Picture Frame, Mirror, Wall Clock, Art Print, Hook Rail, Wall Hanging, Plaque, Key Rack, Shelf, Photo Ledge",
    ),
    _category(
        "Garden", 29, "Outdoor dining, Storage", 5,
        "Terracotta, Zinc, Fibreclay, Galvanised, Wicker",
        "Planter, Watering Can, Bird Feeder, Window Box, Trug, Plant Stand, Bird Bath, Hanging Pot, Seed Tray",
    ),
    _category(
        "Outdoor dining", 35, "Garden, Tableware", 7,
        "Bamboo, Acrylic, Melamine, Enamel, Canvas",
        "Picnic Basket, Pitcher, Tumbler Set, Cool Bag, Picnic Rug, Lunch Box, Flask, Serving Bowl, Parasol, Deckchair",
    ),
    _category(
        "Stationery", 11, "Wall decor, Storage", 9,
        "Recycled Paper, Kraft, Cotton Paper, Leather, Linen",
        "Notebook, Card Set, Desk Planner, Pencil Case, Photo Album, Gift Wrap, Wall Calendar, Letter Set, Journal",
    ),
    _category(
        "Christmas", 13, "Candles, Table linen", 12,
        "Glass, Felt, Paper, Wooden, Brass",
        "Bauble Set, Wreath, Garland, Stocking, Advent Calendar, Tree Topper, Star, Cracker Set, Nativity, Tree Skirt",
    ),
)  # fmt: skip

STYLES = tuple(
    Style(_words(series), _words(adjectives))
    for series, adjectives in (
        ("Fjell, Lumi, Norrby, Aske, Havn", "Pale, Matte, Slim, Simple, Dove-Grey, Rounded"),
        ("Barley, Hollow Oak, Millbrook, Tansy, Old Forge", "Weathered, Chunky, Natural, Washed, Rough-Hewn, Earthy"),
        ("Saltmarsh, Pebble Bay, Driftline, Lantic, Skerry", "Sea-Blue, Striped, Sandy, Wave-Etched, Shell, Faded"),
        ("Fernhill, Wild Meadow, Kew Lane, Briar, Petal & Stem", "Leaf-Green, Fern-Print, Floral, Sage, Trailing"),
        ("Odeon, Juke, Formica Road, Marmalade, Sixty-Two", "Mustard, Checked, Spotted, Teal, Two-Tone, Curvy"),
        ("Foundry, Gantry, Block 9, Smith & Rail, Carbon", "Black, Raw, Riveted, Charcoal, Angular, Brushed"),
        ("Ashbourne, Regency Row, Pemberton, Delphine, Chatsby", "Ivory, Fluted, Scalloped, Gilded, Monogrammed, Fine"),
        ("Confetti, Hullabaloo, Pip & Dot, Jellybean, Zigzag", "Rainbow, Coral, Polka-Dot, Bright, Zany, Jolly"),
    )
)  # fmt: skip

SERIES = tuple(series for style in STYLES for series in style.series)


@dataclass(frozen=True)
class Assortment:
    """The items and what drives the demand for them; every array is [n_items]."""

    item_ids: list[str]
    titles: list[str]
    category: NDArray[np.int64]  # into CATEGORIES
    style: NDArray[np.int64]  # into STYLES
    series: NDArray[np.int64]  # into SERIES
    price: NDArray[np.float64]
    price_level: NDArray[np.float64]  # standard deviations from the category's median, on a log scale
    appeal: NDArray[np.float64]  # log of a long-tailed base popularity
    launch_day: NDArray[np.int64]  # first day on sale; below 0: on sale before the data begin
    end_day: NDArray[np.int64]  # first day not on sale any more; the number of days or more: still on sale

    def frame(self, *, days: int) -> pl.DataFrame:
        """The catalogue as on the last day, in the columns of `catalogue.SCHEMA`, sorted by item id."""
        return pl.DataFrame(
            {
                "item_id": self.item_ids,
                "title": self.titles,
                "category": [CATEGORIES[one].name for one in self.category],
                "price": self.price,
                "image_url": [None] * len(self.item_ids),
                "available": self.end_day >= days,
            },
            schema=catalogue.SCHEMA,
        )


def assortment(*, seed: int, items: int, days: int) -> Assortment:
    """Draw `items` items: a third come new over the `days`, about an eighth are taken off sale."""
    rng = np.random.default_rng([seed, 1])
    category = rng.permutation(np.arange(items) % len(CATEGORIES))
    style = rng.integers(len(STYLES), size=items)
    series = style * len(STYLES[0].series) + rng.integers(len(STYLES[0].series), size=items)
    median = np.array([one.median_price for one in CATEGORIES])[category]
    price_level = rng.standard_normal(items)
    appeal = -1.2 * np.log(rng.permutation(items) + 0.01 * items)
    launch_day = np.where(rng.random(items) < 1 / 3, rng.integers(1, max(days - 10, 2), size=items), -1)
    on_sale = rng.integers(days // 4, days * 5 // 4 + 1, size=items)
    ends = rng.random(items) < 0.2
    return Assortment(
        item_ids=[f"item-{number:05}" for number in range(1, items + 1)],
        titles=_titles(rng, category, style, series),
        category=category,
        style=style,
        series=series,
        price=np.maximum(np.round(median * np.exp(0.45 * price_level)), 2.0) - 0.05,
        price_level=price_level,
        appeal=appeal,
        launch_day=launch_day,
        end_day=np.where(ends, np.maximum(launch_day, 0) + on_sale, days),
    )


def _titles(
    rng: np.random.Generator, category: NDArray[np.int64], style: NDArray[np.int64], series: NDArray[np.int64]
) -> list[str]:
    """A title for each item; one that came up before gets a number, as second colourways do."""
    titles: list[str] = []
    seen: dict[str, int] = {}
    for one_category, one_style, one_series in zip(category, style, series, strict=True):
        shelf, look = CATEGORIES[one_category], STYLES[one_style]
        words = (rng.choice(look.adjectives), rng.choice(shelf.materials), rng.choice(shelf.products))
        title = " ".join((SERIES[one_series], *words))
        seen[title] = seen.get(title, 0) + 1
        titles.append(title if seen[title] == 1 else f"{title} No. {seen[title]}")
    return titles
