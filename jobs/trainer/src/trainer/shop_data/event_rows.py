"""Rows of an events file in, as the shop has them; events in our terms out, each with the reason to reject it.

Pure functions of a frame: what reads files a batch at a time, or rows of a cluster, checks them alike.
"""

import polars as pl

from recsys.shop.events import REMOVE
from trainer.shop_data import not_rows, timestamps
from trainer.shop_data.checks import Numbers, Times, first_reason, identifier, text, too_long
from trainer.shop_data.hints import NO_PIECES, UNKNOWN_TYPE
from trainer.shop_data.mapping import IGNORE, ColumnMapping, EventType
from trainer.shop_data.quarantine import REASON

_TEXTS = ("quantity", "value", "title", "category", "price", "image_url")


def checked(
    frame: pl.DataFrame,
    columns: dict[str, str],
    *,
    mapping: ColumnMapping,
    numbers: Numbers,
    times: Times,
    attributes: list[str],
) -> pl.DataFrame:
    """The events of some rows.

    Args:
        frame: the shop's columns, as `shaping` makes them of a file's rows.
        columns: our names → the shop's.
        attributes: names of the columns `attr:NAME` to have.

    Returns:
        As high as the frame: user_id or session_id, item_id, event_type, timestamp, quantity, value, what is said of
        the item, the attributes, and REASON: why the row is rejected or ignored, else null.
    """
    ids = {
        name: identifier(columns.get(name), numbers, whole=mapping.whole_ids, missing=mapping.missing_ids)
        for name in ("user_id", "item_id", "session_id")
    }
    raw = frame.select(
        *(expression.alias(name) for name, expression in ids.items()),
        *(text(columns.get(name)).alias(name) for name in (*_TEXTS, *attributes)),
        timestamps.parse(
            frame[columns["timestamp"]], format=mapping.timestamp.format, timezone=mapping.timestamp.timezone
        ).alias("timestamp"),
        _event_type(columns.get("event_type"), mapping.event_type).alias("event_type"),
        _is_no_event(frame, columns, mapping).alias(REASON),
    )
    return _in_our_terms(raw, attributes, mapping=mapping, numbers=numbers, times=times)


def _is_no_event(frame: pl.DataFrame, columns: dict[str, str], mapping: ColumnMapping) -> pl.Series:
    """Why a row is none, whatever its fields say; else null."""
    needed = ["item_id", "timestamp"] if "session_id" in columns else ["user_id", "item_id", "timestamp"]
    reason = not_rows.reasons(frame, [columns[name] for name in needed])
    if mapping.each is None:
        return reason
    empty = frame[mapping.each].is_null()
    return frame.select(pl.when(empty).then(pl.lit(not_rows.EMPTY_LIST)).otherwise(reason).alias(REASON))[REASON]


def _event_type(column: str | None, said: EventType) -> pl.Expr:
    event_type = text(column).replace(said.names).fill_null(said.default)
    for rule in reversed(said.rules):
        field = pl.col(rule.column).cast(pl.String)
        holds = field == rule.equals if rule.starts_with is None else field.str.starts_with(rule.starts_with)
        event_type = pl.when(holds).then(pl.lit(rule.type)).otherwise(event_type)
    return event_type


def _in_our_terms(
    raw: pl.DataFrame, attributes: list[str], *, mapping: ColumnMapping, numbers: Numbers, times: Times
) -> pl.DataFrame:
    """Numbers out of text, and the reason to reject each row. A removal's quantity counts whatever its sign."""
    known_type = pl.col("event_type").is_in(mapping.event_types)
    is_ignored = ~known_type if mapping.event_type.others == "ignore" else pl.col("event_type") == IGNORE
    quantity, value, price = (numbers.read(pl.col(name)) for name in ("quantity", "value", "price"))
    quantity = pl.when(pl.col("event_type") == REMOVE).then(quantity.abs()).otherwise(quantity)
    return raw.select(
        "user_id",
        "session_id",
        "item_id",
        pl.when(known_type).then("event_type").cast(pl.Categorical).alias("event_type"),
        "timestamp",
        quantity.alias("quantity"),
        value.alias("value"),
        "title",
        "category",
        price.alias("price"),
        "image_url",
        *attributes,
        first_reason(
            (is_ignored, not_rows.IGNORED_TYPE),
            (pl.col("user_id").is_null() & pl.col("session_id").is_null(), "missing user_id"),
            (pl.col("item_id").is_null(), "missing item_id"),
            too_long("user_id"),
            too_long("session_id"),
            too_long("item_id"),
            *times.reasons(),
            (~known_type, UNKNOWN_TYPE),
            (pl.col("quantity").is_not_null() & quantity.is_null(), "unreadable quantity"),
            (quantity <= 0, NO_PIECES),
            (pl.col("value").is_not_null() & value.is_null(), "unreadable value"),
            (pl.col("price").is_not_null() & price.is_null(), "unreadable price"),
            also=pl.col(REASON),
        ),
    )
