"""Lines of JSON in; the keys that their objects have, and which of them hold half of a character, out."""

import json
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import DataError
from trainer.shop_data.records import Records

HALF_CHARACTER: Final = "half of a character (a lone surrogate)"

_SHOWN_CHARACTERS: Final = 60
# In JSON, what stands for itself, a character beyond the basic plane as two escapes, and (kept) half of such a pair.
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def keys(path: Path, lines: list[str]) -> list[str]:
    """Those of all objects. Raises: DataError (there is none)."""
    found: dict[str, None] = {}
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue  # found again, counted and set aside when the rows are read
        found |= dict.fromkeys(value if isinstance(value, dict) else ())
    if not found:  # an object over several lines, or something else
        raise DataError(
            f"{path}: expected a JSON object on each line, or an array of them, found {lines[0][:_SHOWN_CHARACTERS]!r}"
        )
    return list(found)


def whole_characters(lines: Records) -> NDArray[np.bool_]:
    """bool [n]: no escape of the line is half a character. polars would make another one of it."""
    whole = np.ones(len(lines), dtype=bool)
    halves = [match.start() for match in _ESCAPES.finditer(lines.data.data) if match[1] is not None]
    of_line = np.searchsorted(lines.ends, halves, side="right")
    whole[of_line[of_line < len(lines)]] = False
    return whole
