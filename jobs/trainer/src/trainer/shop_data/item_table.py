"""What the shop's files say of its items in, one row an item out.

Item facts come from a separate catalogue file, or from columns of the events file that repeat with every event
(then: the most frequent text, the latest price). Where both speak, the catalogue file is right. A shop's own
attributes are columns `attr:NAME` of text behind those of `SCHEMA`; `vector`, where a file has any, is one as
`recsys.item_vector` has it.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate
from typing import Literal

import polars as pl

from recsys.artifact.catalogue import ATTRIBUTE, VECTOR
from trainer.shop_data import item_vectors, not_rows, shaping
from trainer.shop_data.checks import (
    Checked,
    Numbers,
    columns_in,
    first_reason,
    identifier,
    numbers_of,
    text,
    too_long,
)
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import REASON, Quarantine, Tally
from trainer.shop_data.rows import Source
from trainer.shop_data.timestamps import UTC_MICROSECONDS

SCHEMA = pl.Schema(
    {
        "item_id": pl.String,
        "title": pl.String,
        "category": pl.String,
        "price": pl.Float64,
        "image_url": pl.String,
        "available": pl.Boolean,
    }
)
_TEXTS = ("title", "category", "image_url")
_TRUE = ("true", "1", "yes", "y", "available", "instock", "backorder", "onbackorder", "preorder")
_FALSE = ("false", "0", "no", "n", "unavailable", "outofstock", "discontinued", "soldout")


class ItemFacts:
    """Gathers, batch by batch, what events say of their items. Holds one row a distinct value, not one an event."""

    def __init__(self, attributes: Iterable[str] = ()) -> None:
        """`attributes`: names of the columns `attr:NAME` that events have."""
        counted = {"len": pl.get_index_type(), "first": UTC_MICROSECONDS}
        self._texts = {
            name: [pl.DataFrame(schema={"item_id": pl.String, name: pl.String, **counted})]
            for name in (*_TEXTS, *attributes)
        }
        self._prices = [pl.DataFrame(schema={"item_id": pl.String, "timestamp": UTC_MICROSECONDS, "price": pl.Float64})]
        self._first_prices = self._prices.copy()

    def add(self, events: pl.DataFrame) -> None:
        """`events`: item_id, timestamp, title, category, price, image_url, attributes; null where not known."""
        for name, parts in self._texts.items():
            known = events.filter(pl.col(name).is_not_null())
            parts.append(known.group_by("item_id", name).agg(pl.len(), first=pl.col("timestamp").min()))
        prices = events.select("item_id", "timestamp", "price").drop_nulls("price")
        self._prices.append(_one_each(prices, keep="last"))
        self._first_prices.append(_one_each(prices, keep="first"))

    def frame(self) -> pl.DataFrame:
        """item_id and the facts as they are now, one row an item that has any."""
        prices = _one_each(pl.concat(self._prices), keep="last")
        return self._with_texts(prices, by="len", descending=True)

    def as_first_told(self) -> pl.DataFrame:
        """The same as each item's earliest events had it: what was known on its first day, and at any time since."""
        prices = _one_each(pl.concat(self._first_prices), keep="first")
        return self._with_texts(prices, by="first", descending=False)

    def _with_texts(self, prices: pl.DataFrame, *, by: str, descending: bool) -> pl.DataFrame:
        facts = prices.select("item_id", "price")
        for name, parts in self._texts.items():
            counted = pl.concat(parts).group_by("item_id", name).agg(pl.col("len").sum(), pl.col("first").min())
            ranked = counted.sort(by, name, descending=[descending, False])
            chosen = ranked.unique("item_id", keep="first", maintain_order=True).select("item_id", name)
            facts = facts.join(chosen, on="item_id", how="full", coalesce=True)
        return facts


def _one_each(prices: pl.DataFrame, *, keep: Literal["first", "last"]) -> pl.DataFrame:
    return prices.sort("timestamp", maintain_order=True).unique("item_id", keep=keep, maintain_order=True)


def merge(item_ids: pl.Series, *, from_events: pl.DataFrame, from_file: pl.DataFrame) -> pl.DataFrame:
    """The catalogue: one row for each of `item_ids` and each item of the file, sorted by id (UTF-8 bytes).

    Args:
        item_ids: str, the items that have events; repeats allowed.
        from_events: what `ItemFacts.frame` returns.
        from_file: columns of `SCHEMA` and attributes, one row an item; may be empty.

    Returns:
        Columns of `SCHEMA`, then the attributes of both, the file's first, among them its vectors.
    """
    named = [name for name in (*from_file.columns, *from_events.columns) if name not in SCHEMA]
    attributes = list(dict.fromkeys(named))
    from_file, from_events = (  # with the columns of the other
        pl.concat([one, other.clear()], how="diagonal")
        for one, other in ((from_file, from_events), (from_events, from_file))
    )
    ids = pl.concat([item_ids, from_file["item_id"]]).unique().sort().alias("item_id").to_frame()
    told = ids.join(from_file, on="item_id", how="left").join(
        from_events, on="item_id", how="left", suffix="_of_events"
    )
    return told.select(
        "item_id",
        *(pl.coalesce(name, f"{name}_of_events") for name in (*_TEXTS, "price", *attributes)),
        pl.col("available").fill_null(True),
    ).select(*SCHEMA.names(), *attributes)


def load(files: list[Source], *, mapping: ColumnMapping, tally: Tally, quarantine: Quarantine) -> pl.DataFrame:
    """Read the separate catalogue. Of an item that stands there several times, the last row counts.

    Returns:
        Columns of `SCHEMA` and the files' attributes and vectors, one row an item; empty without files.

    Raises:
        DataError: a file cannot be read or lacks a column that the mapping names.
    """
    named = [columns_in(source, mapping.catalogue, required=("item_id",)) for source in files]
    found = (name for one in named for name in one)
    attributes = list(dict.fromkeys(name for name in found if name == VECTOR or name.startswith(ATTRIBUTE)))
    checked = []
    for source, theirs in zip(files, named, strict=True):
        numbers = numbers_of(source, mapping)
        for batch in shaping.shaped(source, list(theirs.values())):
            ours = checked_items(
                batch.frame, theirs, attributes=attributes, numbers=numbers, whole_ids=mapping.whole_ids
            )
            if VECTOR in theirs:  # as text it takes more room than all else
                batch = replace(batch, frame=batch.frame.drop(theirs[VECTOR]))
            checked.append(Checked(source, theirs, batch, ours))
    if not checked:
        return SCHEMA.to_frame()
    everything = pl.concat(part.ours for part in checked)
    if VECTOR in attributes:
        everything = everything.with_columns(pl.coalesce(REASON, item_vectors.other_length()).alias(REASON))
    kept = pl.col(REASON).is_null()
    overruled = kept & ~pl.col("item_id").is_last_distinct().over(kept)
    judged = everything.with_columns(
        pl.when(overruled).then(pl.lit("repeated item_id, a later row counts")).otherwise(REASON).alias(REASON)
    )
    for part, start in zip(checked, accumulate((one.ours.height for one in checked), initial=0), strict=False):
        replace(part, ours=judged.slice(start, part.ours.height)).set_aside(tally, quarantine)
    return judged.filter(kept).drop(REASON)


def checked_items(
    frame: pl.DataFrame, columns: dict[str, str], *, attributes: list[str], numbers: Numbers, whole_ids: bool
) -> pl.DataFrame:
    """Rows of a catalogue in our terms, each with the REASON to reject it, or null.

    Args:
        frame: the shop's columns.
        columns: our names → the shop's.
        attributes: names of the columns `attr:NAME`, and VECTOR, to have.
    """
    raw = frame.select(
        identifier(columns["item_id"], numbers, whole=whole_ids).alias("item_id"),
        *(text(columns.get(name)).alias(name) for name in (*SCHEMA.names()[1:], "hidden", *attributes)),
        not_rows.reasons(frame, [columns["item_id"]]).alias(REASON),
    )
    if VECTOR in attributes:
        vectors = item_vectors.taken(raw[VECTOR], numbers)
        raw = raw.with_columns(vectors[VECTOR], pl.coalesce(REASON, vectors[REASON]).alias(REASON))
    says = _yes_or_no("available")
    available = pl.when(_yes_or_no("hidden")).then(False).otherwise(says)
    price = numbers.read(pl.col("price"))
    return raw.select(
        "item_id",
        "title",
        "category",
        price.alias("price"),
        "image_url",
        available.alias("available"),
        *attributes,
        first_reason(
            (pl.col("item_id").is_null(), "missing item_id"),
            too_long("item_id"),
            (pl.col("price").is_not_null() & price.is_null(), "unreadable price"),
            (pl.col("available").is_not_null() & says.is_null(), "unreadable available"),
            (pl.col("hidden").is_not_null() & _yes_or_no("hidden").is_null(), "unreadable hidden"),
            also=pl.col(REASON),
        ),
    )


def _yes_or_no(name: str) -> pl.Expr:
    """Null where it says neither."""
    word = pl.col(name).str.to_lowercase().str.replace_all(r"[\s_-]", "")
    return pl.when(word.is_in(_TRUE)).then(True).when(word.is_in(_FALSE)).then(False)
