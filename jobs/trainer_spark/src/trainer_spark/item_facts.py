"""What events say of their items, as `item_table.ItemFacts` has it: the most frequent text, the latest price."""

from collections.abc import Sequence

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn


def ids(events: DataFrame) -> pl.Series:
    """The items that have events, each once: str."""
    return polars(events.select("item_id").distinct())["item_id"]


def collect(events: DataFrame, *, texts: Sequence[str], named: Sequence[str], has_price: bool) -> pl.DataFrame:
    """item_id and the facts, one row an item that has any.

    Args:
        texts: names of the columns of text.
        named: those of them that the shop's files have.
    """
    schema = {"item_id": pl.String, "price": pl.Float64}
    facts = polars(_latest_price(events)) if has_price else pl.DataFrame(schema=schema)
    for name in texts:
        found = pl.DataFrame(schema={"item_id": pl.String, name: pl.String})
        if name in named:
            found = polars(_most_frequent(events, name))
        facts = facts.join(found, on="item_id", how="full", coalesce=True)
    return facts


def polars(frame: DataFrame) -> pl.DataFrame:
    """A DataFrame of few rows, on the driver."""
    found = pl.from_arrow(frame.toArrow())
    assert isinstance(found, pl.DataFrame)
    return found


def _most_frequent(events: DataFrame, name: str) -> DataFrame:
    """Of texts that are equally frequent, the first by its bytes."""
    text = fn.col(f"`{name}`")
    counted = events.where(text.isNotNull()).groupBy("item_id", text.alias("text")).count()
    best = fn.min(fn.struct(-fn.col("count"), fn.col("text"))).getField("text")
    return counted.groupBy("item_id").agg(best.alias(name))


def _latest_price(events: DataFrame) -> DataFrame:
    """Of prices of one moment, the last in the files."""
    latest = fn.max(fn.struct("timestamp", "file", "row", "price")).getField("price")
    return events.where(fn.col("price").isNotNull()).groupBy("item_id").agg(latest.alias("price"))
