"""How lists are spread over the catalogue: counts of shown items in, shares out."""

from collections.abc import Sequence
from math import ceil
from typing import Final

import polars as pl

from event_sink.week import Counts
from recsys.activity import Coverage, Shown

_TOP: Final = 0.01  # of the shown items


def coverage(counts: Counts, on_sale: pl.Series | None) -> Coverage:
    """What was shown of the items on sale; `on_sale`: their ids, none where the catalogue is not known."""
    return Coverage(
        catalogue=None if on_sale is None else len(on_sale),
        yesterday=_shown(counts.yesterday, on_sale),
        week=_shown(counts.shown, on_sale),
    )


def items_on_sale(items: pl.DataFrame, records: pl.DataFrame) -> pl.Series:
    """Ids of the items that are on sale by now.

    Args:
        items: item_id, available: of the live version.
        records: columns of `recsys.lake.ITEMS`: what the API said since, of new items too.
    """
    said = pl.col("fields").str.json_path_match("$.available")
    changed = records.select("item_id", "is_whole", "is_deleted", is_on=said == "true")
    whole = pl.when("is_whole").then(pl.lit(True))  # nothing said: what an item is by itself
    now = items.join(changed, on="item_id", how="full", coalesce=True)
    is_on_sale = ~pl.col("is_deleted").fill_null(False) & pl.coalesce("is_on", whole, "available", pl.lit(True))
    return now.filter(is_on_sale)["item_id"]


def gini(ascending: Sequence[int]) -> float:
    """Of positive counts, the least first; 0 where there are none."""
    n, total = len(ascending), sum(ascending)
    if total == 0:
        return 0.0
    weighted = sum(place * count for place, count in enumerate(ascending, start=1))
    return 2 * weighted / (n * total) - (n + 1) / n


def _shown(places: pl.DataFrame, on_sale: pl.Series | None) -> Shown:
    counts = places["places"].sort().to_list()
    top = counts[len(counts) - ceil(_TOP * len(counts)) :]
    return Shown(
        items=len(counts),
        on_sale=None if on_sale is None else places["item_id"].is_in(on_sale.implode()).sum(),
        gini=gini(counts),
        top_share=sum(top) / sum(counts) if counts else 0.0,
    )
