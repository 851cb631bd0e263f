"""Ids that a spreadsheet or pandas has changed on the way: found by their looks, told with what mends them."""

import re
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class OddIds:
    """How many ids of a column look changed."""

    column: str  # as we name it
    ids: int
    decimals: int  # whole numbers with decimals, as 12748.0
    twice: int  # of those, ids that are there without them too: one customer, or item, counted as two
    rounded: int  # 1.23457E+12: what the digits were is lost

    @classmethod
    def among(cls, column: str, ids: pl.Series, *, decimal: str) -> "OddIds":
        """Of distinct ids; `decimal` is what parts whole and fraction in this file."""
        mark = re.escape(decimal)
        whole = ids.str.extract(rf"^(-?\d+){mark}0+$").drop_nulls()
        rounded = ids.str.contains(rf"^\d{mark}\d+[eE]\+\d+$")
        return cls(column, ids.len(), whole.len(), whole.is_in(ids.implode()).sum(), int(rounded.sum()))

    def lines(self) -> list[str]:
        """What to tell of them; of a few among many, which may be meant so, nothing."""
        text = []
        if self.decimals == self.ids > 0:
            text.append(
                f"{self.column}: all end in .0, as pandas writes whole numbers beside missing ones; the API knows them "
                "only so. hint: whole_ids = true in the mapping reads 12748.0 as 12748"
            )
        elif self.twice or self.decimals > self.ids / 2:
            also = f", {self.twice:,} of them also without" if self.twice else ""
            text.append(
                f"{self.column}: {self.decimals:,} of {self.ids:,} are whole numbers that end in .0{also}. "
                "hint: whole_ids = true in the mapping reads 12748.0 as 12748"
            )
        if self.rounded:
            text.append(
                f"{self.column}: {self.rounded:,} of {self.ids:,} look like 1.23457E+12: a spreadsheet has rounded them, "
                "and their digits are lost. hint: export them as text"
            )
        return text
