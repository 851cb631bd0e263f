"""Rows that hold JSON in, columns of what stands inside it out: fields by their path, one row an element of a list.

A path is a column and what follows in it: `customer.id`, `images[0].src`, and `params[page].value` for the element of a
list whose `key` or `name` is `page`. A column that has the whole path as its name is that column.
"""

import json
import re
from collections.abc import Collection, Iterable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

_STEP: Final = re.compile(r"""\.([^.\[\]'"\\]+)|\[([^\[\]'"\\]+)\]""")
_STEPS: Final = re.compile(rf"(?:{_STEP.pattern})+")


def column_of(name: str, columns: Collection[str]) -> str | None:
    """Of these columns, the one that a name means or that its path leads into: the longest. None: there is none."""
    if name in columns:
        return name
    starts = [place for place, character in enumerate(name) if character in ".["]
    return next((name[:n] for n in reversed(starts) if name[:n] in columns and _STEPS.fullmatch(name, n)), None)


def first_of(name: str) -> str:
    """The column of a path of which nothing but the path is known."""
    return re.split(r"[.\[]", name, maxsplit=1)[0] or name


def with_fields(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The frame, and a column of text for each name that is a path into a column of it; null where nothing is there."""
    distinct = dict.fromkeys(names)
    paths = [(name, column) for name in distinct if (column := column_of(name, frame.columns)) not in (name, None)]
    return frame.with_columns(_field(column, name[len(column) :]).alias(name) for name, column in paths if column)


def with_each(frame: pl.DataFrame, rows: NDArray[np.int64], name: str) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """A row for each element of the lists in a column, which then holds it; a row without any stays, with null.

    Args:
        rows: [frame.height], numbers that go with the rows.
    """
    elements = [_elements(text) for text in frame[name].cast(pl.String)]
    exploded = frame.with_columns(pl.Series(name, elements, dtype=pl.List(pl.String))).explode(name)
    return exploded, np.repeat(rows, [len(one) for one in elements])


def _elements(text: str | None) -> list[str | None]:
    """At least one. What is no list is the only element of one."""
    if not text:
        return [None]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    if not isinstance(value, list):
        return [text]
    return [_text(one) for one in value] or [None]


def _text(element: object) -> str | None:
    if element is None or isinstance(element, str):
        return element
    return json.dumps(element, ensure_ascii=False)


def _field(column: str, steps: str) -> pl.Expr:
    """What stands in a column at the end of a path; a word in brackets is an element's `key`, or its `name`."""
    queries = ["$"]
    for field, inside in _STEP.findall(steps):
        if field:
            queries = [f"{query}['{field}']" for query in queries]
        elif inside.isdecimal():
            queries = [f"{query}[{inside}]" for query in queries]
        else:
            queries = [f"{query}[?(@['{word}']=='{inside}')]" for query in queries for word in ("key", "name")]
    text = pl.col(column).cast(pl.String)
    return pl.coalesce(text.str.json_path_match(query) for query in queries)
