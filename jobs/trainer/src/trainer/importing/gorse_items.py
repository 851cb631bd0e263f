"""Items of a Gorse in, the rows of a catalogue of ours out.

A hidden item is not available. The first category is the item's; labels become attributes, and so does each word of a
label that is a list, and each category of an item that has several: `attr:tags.new` is `yes`.
"""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from recsys.artifact.catalogue import ATTRIBUTE
from recsys.ids import MAX_ID_LENGTH
from trainer.importing.gorse_dump import NO_TIME, Record
from trainer.publishing.outputs import replacing_text

_MOST_VALUES: Final = 100  # different words of a label that is a list
_TITLES, _IMAGES = ("title", "name"), ("image_url", "image", "thumbnail")


@dataclass
class Items:
    """Those that were seen so far."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)  # item_id → facts of ours
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)  # item_id → the rest
    hidden: int = 0
    with_time: int = 0
    left: Counter[tuple[str, str]] = field(default_factory=Counter)  # what, why

    def add(self, record: Record) -> None:
        """One more; an item that comes again replaces what was there. Raises: DataError."""
        item_id, said = record.id("itemid"), record.fields
        if not 0 < len(item_id) <= MAX_ID_LENGTH:
            self.left["items", "an id that is empty or too long"] += 1
            return
        categories = [str(one) for one in said.get("categories") or [] if one != ""]
        labels = said.get("labels")
        facts = _flat(labels if isinstance(labels, dict) else {"labels": labels})
        if len(categories) > 1:
            facts["categories"] = categories
        is_hidden = str(said.get("ishidden")).lower() in ("true", "1")
        self.hidden += is_hidden
        self.with_time += not str(said.get("timestamp") or NO_TIME).startswith(NO_TIME)
        price = facts.pop("price", None)
        self.rows[item_id] = {
            "item_id": item_id,
            "title": _first(facts, _TITLES) or said.get("comment") or "",
            "category": categories[0] if categories else "",
            "price": price if isinstance(price, int | float) and not isinstance(price, bool) else "",
            "image_url": _first(facts, _IMAGES) or "",
            "available": "false" if is_hidden else "true",
        }
        self.labels[item_id] = facts

    def write(self, path: Path) -> None:
        """As CSV, with a column for each attribute. Raises: DataError."""
        words: defaultdict[str, set[str]] = defaultdict(set)
        for facts in self.labels.values():
            for name, value in facts.items():
                if isinstance(value, list):
                    words[name] |= {one for one in value if isinstance(one, str)}
        few = {name for name, values in words.items() if len(values) <= _MOST_VALUES}
        rows = [row | self._attributes(self.labels[item_id], few) for item_id, row in self.rows.items()]
        columns = dict.fromkeys(name for row in rows for name in row)
        with replacing_text(path) as file:
            writer = csv.DictWriter(file, columns or ["item_id"])
            writer.writeheader()
            writer.writerows(rows)

    def _attributes(self, facts: Mapping[str, Any], few: set[str]) -> dict[str, str]:
        """`few`: labels that are lists of so few different words that each becomes an attribute."""
        attributes: dict[str, str] = {}
        for name, value in facts.items():
            if not isinstance(value, list):
                attributes[f"{ATTRIBUTE}{name}"] = value if isinstance(value, str) else json.dumps(value)
            elif name in few and all(isinstance(one, str) for one in value):
                attributes |= {f"{ATTRIBUTE}{name}.{one}": "yes" for one in value}
            else:
                why = f"lists of numbers, or of more than {_MOST_VALUES} different words, are no attributes"
                self.left[f"labels {name!r} of items", why] += 1
        return attributes


def _first(facts: dict[str, Any], names: tuple[str, ...]) -> str | None:
    found = [facts.pop(name) for name in names if isinstance(facts.get(name), str)]
    return found[0] if found else None


def _flat(labels: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Objects inside objects by their path."""
    flat: dict[str, Any] = {}
    for name, value in labels.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif value is not None and value != "":
            flat[f"{prefix}{name}"] = value
    return flat
