"""Vectors of a catalogue file in, as `recsys.item_vector` keeps them out; or why one cannot be taken.

A vector is text here: a JSON array, which lists of Parquet and JSON have become, or numbers between which stand spaces,
semicolons or, where these do not part whole and fraction, commas.
"""

import re
from collections.abc import Iterable

import polars as pl

from recsys import item_vector
from recsys.artifact.catalogue import VECTOR
from trainer.shop_data.checks import Numbers
from trainer.shop_data.quarantine import REASON

_LENGTH = pl.col(VECTOR).str.strip_chars_end("=").str.len_chars() * 3 // 8  # as `item_vector.length`


def taken(texts: Iterable[str | None], numbers: Numbers) -> pl.DataFrame:
    """VECTOR, and REASON where there is one not to take it: a row for each text, null where there is nothing."""
    between = re.compile(r"[\s;]+" if numbers.decimal == "," else r"[\s;,]+")
    rows = [(None, None) if text is None else _taken(text, between, decimal=numbers.decimal) for text in texts]
    return pl.DataFrame(rows, schema={VECTOR: pl.String, REASON: pl.String}, orient="row")


def other_length() -> pl.Expr:
    """Why to reject a row among others that have no reason yet (REASON): its vector is shorter or longer than most."""
    usual = _LENGTH.filter(pl.col(REASON).is_null()).drop_nulls().mode().min()
    told = pl.format("vector of {} numbers, expected {} as most have", _LENGTH, usual)
    return pl.when(usual != _LENGTH).then(told)


def _taken(text: str, between: re.Pattern[str], *, decimal: str) -> tuple[str | None, str | None]:
    written = [each for each in between.split(text.strip().strip("[]()")) if each]
    try:
        values = [float(each.replace(decimal, ".")) for each in written]
    except ValueError:
        return None, "unreadable vector: expected numbers"
    try:
        return item_vector.packed(values), None
    except ValueError as error:
        return None, f"unreadable vector: {error}"
