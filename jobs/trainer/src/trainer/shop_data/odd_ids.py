"""Ids that a spreadsheet or pandas has changed on the way: found by their looks, told with what mends them."""

import json
import re
from dataclasses import dataclass
from typing import Final

import polars as pl

WHOLE_IDS: Final = "whole_ids = true in the mapping reads 12748.0 as 12748"
NOBODY: Final = (
    "NA",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "NULL",
    "Null",
    "null",
    "None",
    "none",
    "\\N",
    "(not set)",
    "undefined",
)
"""What programs write where there is no id."""


def decimals_pattern(decimal: str) -> str:
    """What a whole number with decimals looks like; its group is the number. `decimal` parts whole and fraction.

    A program's own .0 is one beside a decimal comma too: ids are often written without regard to it.
    """
    return rf"^(-?\d+)(?:{re.escape(decimal)}0+|\.0)$"


def rounded_pattern(decimal: str) -> str:
    """What a number looks like that a spreadsheet has rounded."""
    return rf"^\d{re.escape(decimal)}\d+[eE]\+\d+$"


@dataclass(frozen=True)
class OddIds:
    """How many ids of a column look changed."""

    column: str  # as we name it
    ids: int
    decimals: int  # whole numbers with decimals, as 12748.0
    twice: int  # of those, ids that are there without them too: one customer, or item, counted as two
    rounded: int  # 1.23457E+12: what the digits were is lost
    nobody: tuple[str, ...] = ()  # those of NOBODY that are there

    @classmethod
    def among(cls, column: str, ids: pl.Series, *, decimal: str) -> "OddIds":
        """Of distinct ids; `decimal` is what parts whole and fraction in this file."""
        whole = ids.str.extract(decimals_pattern(decimal)).drop_nulls()
        rounded = ids.str.contains(rounded_pattern(decimal))
        nobody = tuple(sorted(ids.filter(ids.is_in(NOBODY))))
        return cls(column, ids.len(), whole.len(), int(whole.is_in(ids.implode()).sum()), int(rounded.sum()), nobody)

    @property
    def are_like_floats(self) -> bool:
        """Whether every id has decimals."""
        return self.decimals == self.ids > 0

    def lines(self) -> list[str]:
        """What to tell of them where some do; of a few among many, which may be meant so, nothing."""
        text = []
        also = f", {self.twice:,} of them also without" if self.twice else ""
        if not self.are_like_floats and (self.twice or self.decimals > self.ids / 2):
            text.append(
                f"{self.column}: {self.decimals:,} of {self.ids:,} are whole numbers that end in .0{also}. "
                f"hint: {WHOLE_IDS}"
            )
        if self.rounded:
            text.append(
                f"{self.column}: {self.rounded:,} of {self.ids:,} look like 1.23457E+12: a spreadsheet has "
                "rounded them, and their digits are lost. hint: export them as text"
            )
        if self.nobody:
            quoted = ", ".join(json.dumps(one) for one in self.nobody)
            text.append(
                f"{self.column}: {quoted} is read as any other id. hint: missing_ids = [{quoted}] in the mapping, "
                "if it stands for none"
            )
        return text
