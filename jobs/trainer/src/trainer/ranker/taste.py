"""What users took up last, and what it is a taste of: interactions and a catalogue in, histories and a shelf out."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from recsys.ranking_features import CATEGORY_FEATURES, HISTORY_ITEMS, PRICE_FEATURES, USER_FEATURES, Shelf, TakenUp
from trainer.shop_data.interactions import Interactions


def shelf_of(known: Interactions, catalogue: pl.DataFrame | None) -> Shelf:
    """Categories and prices of the known items, as the catalogue (none: nobody knows) says."""
    facts = pl.DataFrame(schema={"item_id": pl.String, "category": pl.String, "price": pl.Float64})
    if catalogue is not None:
        told = catalogue.select("item_id", cs.by_name("category", "price", require_all=False))
        facts = pl.concat([facts, told], how="diagonal_relaxed")
    known_items = pl.DataFrame({"item_id": pl.Series(known.item_ids, dtype=pl.String)})
    items = known_items.join(facts, on="item_id", how="left", maintain_order="left")
    codes = items["category"].rank("dense").cast(pl.Int32) - 1
    return Shelf(codes.fill_null(-1).to_numpy(), items["price"].fill_null(np.nan).to_numpy())


def names_of(shelf: Shelf) -> list[str]:
    """The features that there are facts for."""
    of_category = CATEGORY_FEATURES if (shelf.categories >= 0).any() else ()
    of_price = PRICE_FEATURES if (shelf.prices > 0).any() else ()
    return [*of_category, *of_price, *USER_FEATURES]


def histories(known: Interactions, user_rows: NDArray[np.int64]) -> Iterator[TakenUp]:
    """The last items of each of these users."""
    indptr, items = known.weights.indptr, known.weights.indices
    for row in user_rows.tolist():
        part = slice(indptr[row], indptr[row + 1])
        latest = np.lexsort((items[part], -known.last_seen[part]))[:HISTORY_ITEMS]
        yield TakenUp(items[part][latest].astype(np.int64), known.last_seen[part][latest])
