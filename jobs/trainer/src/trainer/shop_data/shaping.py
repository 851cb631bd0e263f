"""Rows as a file has them in, rows as a mapping reads them out: filled down, one an element of a list, fields by path.

What a row lacks of these columns afterwards is null; a column that the mapping joins of several has their names joined.
"""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from trainer.shop_data import nesting, rows
from trainer.shop_data.mapping import FillDown
from trainer.shop_data.rows import RowBatch, Source


def joined_name(columns: tuple[str, ...]) -> str:
    """What a column is called that several are joined into."""
    return " + ".join(columns)


def shaped(
    source: Source,
    names: list[str],
    *,
    joined: tuple[str, ...] = (),
    each: str | None = None,
    fill_down: FillDown | None = None,
) -> Iterator[RowBatch]:
    """The rows of a file with a column for each of the names, columns or paths, that it may have.

    Args:
        joined: columns that become one, named by `joined_name`.
        each: a list of which each element becomes a row.

    Raises:
        DataError: the file cannot be read.
    """
    wanted = [*names, *joined, *([each] if each else []), *((fill_down.same, *fill_down.columns) if fill_down else ())]
    above: pl.DataFrame | None = None
    for batch in rows.batches(source, also=wanted):
        frame, numbers = batch.frame, batch.rows
        if fill_down is not None and frame.height:
            frame = filled_down(nesting.with_fields(frame, wanted), fill_down, above=above)
            above = frame.tail(1)
        if each is not None:
            frame, numbers = nesting.with_each(nesting.with_fields(frame, [each]), numbers, each)
        frame = nesting.with_fields(frame, [*names, *joined])
        if len(joined) > 1:
            frame = frame.with_columns(_joined(joined))
        yield replace(batch, frame=frame, rows=numbers)


def filled_down(frame: pl.DataFrame, rule: FillDown, *, above: pl.DataFrame | None = None) -> pl.DataFrame:
    """Empty fields of rows that are the same order as the row above become what stands there.

    Args:
        above: the row before the first, filled, with the same columns.
    """
    whole = frame if above is None else pl.concat([above, frame])
    same = pl.col(rule.same).cast(pl.String)
    order = (same != same.shift(1)).fill_null(value=True).cum_sum()
    fields = ((pl.col(name), pl.col(name).cast(pl.String)) for name in rule.columns)
    filled = whole.with_columns(pl.when(text != "").then(field).forward_fill().over(order) for field, text in fields)
    return filled if above is None else filled.slice(1)


def _joined(columns: tuple[str, ...]) -> pl.Expr:
    """Null where one of them is empty."""
    texts = [pl.col(name).cast(pl.String).str.strip_chars() for name in columns]
    return pl.concat_str(*(pl.when(text != "").then(text) for text in texts), separator=" ").alias(joined_name(columns))
