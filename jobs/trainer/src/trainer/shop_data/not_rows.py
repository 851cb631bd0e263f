"""Lines that stand around a table and not in it: totals, footers, the header again. Rows in, reasons out.

And rows of a file that are no events to learn from, which are ignored and not rejected: the file is right.
"""

from typing import Final

import polars as pl

WRONG_FIELDS: Final = "wrong number of fields"
TOTALS: Final = "a totals line, not a row"
NO_FIELDS: Final = "a line of text, not a row"
HEADER: Final = "the header again, not a row"

IGNORED_TYPE: Final = "of a type that the mapping ignores"
EMPTY_LIST: Final = "nothing in the list that the mapping reads each element of"
SINGLE_ITEM: Final = "anonymous, of a session with a single item"
IGNORED: Final = frozenset({IGNORED_TYPE, EMPTY_LIST, SINGLE_ITEM})

_A_TOTAL: Final = (
    r"(?i)^\W*(grand[ -]?|sub[ -]?|gesamt|end)?(total|totals|sum|sums|summe|gesamt|totaal|totale|suma|somme|summa|"
    r"razem|yhteensä|totalt|celkem|összesen|toplam|итого|合計|总计)\b"
)


def named(malformed: pl.DataFrame, *, separator: str) -> pl.DataFrame:
    """Lines of CSV with another number of fields than the header, `reason` and `raw`: called what they seem to be."""
    raw = pl.col("raw")
    reason = (
        pl.when(pl.col("reason") != WRONG_FIELDS)
        .then("reason")
        .when(raw.str.contains(_A_TOTAL))
        .then(pl.lit(TOTALS))
        .when(~raw.str.contains(separator, literal=True))
        .then(pl.lit(NO_FIELDS))
        .otherwise("reason")
    )
    return malformed.with_columns(reason.alias("reason"))


def reasons(frame: pl.DataFrame, needed: list[str]) -> pl.Series:
    """Why rows of the right width are none, else null: [frame.height].

    A totals line begins like one, or has the word where an id should be, and lacks one of the columns that a row needs.

    Args:
        frame: the shop's columns.
        needed: those of them that every row needs.
    """
    fields = frame.select(pl.col(name).cast(pl.String) for name in dict.fromkeys([*frame.columns[:1], *needed]))
    lacks = pl.any_horizontal(*(pl.col(name).fill_null("") == "" for name in needed))
    is_header = pl.all_horizontal(*(pl.col(name) == name for name in needed))
    suspects = fields.select(is_one=lacks | is_header)["is_one"].fill_null(value=False)
    reason = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, frame.height)
    if not suspects.any():
        return reason
    says_total = pl.any_horizontal(*(pl.col(name).str.contains(_A_TOTAL) for name in fields.columns))
    named = pl.when(is_header).then(pl.lit(HEADER)).when(says_total).then(pl.lit(TOTALS))
    return reason.scatter(suspects.arg_true(), fields.filter(suspects).select(reason=named)["reason"])
