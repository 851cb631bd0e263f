"""Words of the demo shop: what it sells, by category, with the price that is usual there."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Category:
    """One department: its products, what they are made of, their median price, and its best month."""

    name: str
    products: tuple[str, ...]
    materials: tuple[str, ...]
    median_price: float
    peak_month: int  # 1–12


CATEGORIES: Final = (
    Category("Kitchen", ("Teapot", "Mixing Bowl", "Chopping Board", "Storage Jar"), ("Steel", "Oak", "Glass"), 18, 11),
    Category("Tableware", ("Plate", "Mug", "Carafe", "Serving Dish"), ("Stoneware", "Porcelain", "Glass"), 14, 12),
    Category("Lighting", ("Table Lamp", "Lantern", "Pendant", "Floor Lamp"), ("Brass", "Paper", "Rattan"), 62, 10),
    Category("Bedroom", ("Duvet Cover", "Pillowcase", "Throw", "Blanket"), ("Linen", "Cotton", "Wool"), 48, 1),
    Category("Bathroom", ("Towel", "Soap Dish", "Bath Mat", "Laundry Basket"), ("Cotton", "Bamboo", "Marble"), 22, 2),
    Category("Garden", ("Planter", "Watering Can", "Bird House", "Trowel"), ("Zinc", "Terracotta", "Cedar"), 27, 5),
    Category("Stationery", ("Notebook", "Desk Tray", "Pen Case", "Calendar"), ("Leather", "Cork", "Recycled"), 11, 9),
    Category("Toys", ("Puzzle", "Building Set", "Kite", "Marionette"), ("Wooden", "Felt", "Tin"), 19, 12),
    Category("Travel", ("Weekend Bag", "Passport Cover", "Flask", "Wash Bag"), ("Canvas", "Leather", "Nylon"), 39, 6),
    Category("Candles", ("Candle", "Diffuser", "Candle Holder", "Incense Set"), ("Beeswax", "Soy", "Brass"), 16, 11),
    Category("Prints", ("Poster", "Picture Frame", "Map", "Wall Hanging"), ("Framed", "Letterpress", "Woven"), 33, 3),
    Category("Outdoor", ("Picnic Rug", "Hammock", "Fire Bowl", "Deck Chair"), ("Canvas", "Wool", "Iron"), 71, 7),
)

ADJECTIVES: Final = ("Classic", "Nordic", "Botanical", "Vintage", "Minimal", "Coastal")  # one for each style
SERIES: Final = (
    *("Alder", "Birch", "Cove", "Dune", "Elm", "Fjord", "Grove", "Haven", "Isle", "Juniper"),
    *("Kestrel", "Lark", "Meadow", "North", "Orchard", "Pine", "Quay", "Rowan", "Sable", "Tarn"),
)
