"""A Gorse's users, items and feedback in; events, a catalogue and a mapping of ours out, and what was left behind.

Gorse keeps one feedback of a type for a user and an item, with the times of the first and of the last: both become
events. Its feedback types stay as they are in the events file; the mapping says what each means.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recsys.errors import DataError, InvalidArgumentError
from recsys.ids import MAX_ID_LENGTH
from recsys.shop.events import DEFAULT_WEIGHTS, REMOVE
from trainer.importing.gorse_dump import NO_TIME, Record, records
from trainer.importing.gorse_items import Items
from trainer.publishing.outputs import must_be_writable, replacing_text

EVENTS, ITEMS, MAPPING = "events.csv", "items.csv", "mapping.toml"

_OWN_WEIGHT: Final = 2.0  # of a type that is none of ours: between a view and a cart
_MEANINGS: Final = {
    "view": ("view", "read", "click", "open", "visit", "browse", "detail", "pageview", "clickthrough"),
    "cart": ("cart", "addtocart", "basket", "addtobasket"),
    "purchase": ("purchase", "buy", "bought", "order", "pay", "paid", "transaction"),
    "ignore": (
        "impression",
        "exposure",
        "show",
        "shown",
        "dislike",
        "unlike",
        "block",
        "report",
        "hide",
        "notinterested",
    ),
    REMOVE: ("return", "refund", "cancel"),
}
_POSITIVE: Final = re.compile(r"(.+?)\s*(>=|>)\s*(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class LeftBehind:
    """Something of the Gorse that did not come over."""

    what: str
    count: int
    why: str


@dataclass(frozen=True)
class Imported:
    """What came over, and where it is."""

    out: Path
    users: int  # with at least one event
    items: int
    hidden_items: int
    events: int
    types: dict[str, str]  # Gorse's feedback type → what the mapping takes it for
    is_mapping_kept: bool  # there was one already, which may have been changed
    left_behind: tuple[LeftBehind, ...]

    def render(self) -> str:
        """As lines for a terminal, with the command that comes next."""
        taken = ", ".join(f"{theirs} as {ours}" for theirs, ours in self.types.items()) or "none"
        says = "was there already, and stays as it is" if self.is_mapping_kept else "says so, and may be changed"
        return "\n".join(
            [
                f"{self.out}: {self.events:,} events of {self.users:,} users, {self.items:,} items "
                f"({self.hidden_items:,} hidden: not available)",
                f"feedback types: {taken}; {MAPPING} {says}",
                *(f"left behind: {one.count:,} {one.what}: {one.why}" for one in self.left_behind),
                f"next: trainer train --events {self.out / EVENTS} --catalogue {self.out / ITEMS} "
                f"--mapping {self.out / MAPPING}",
            ]
        )


@dataclass
class _Found:
    """What was seen so far of users and feedback."""

    users: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    user_labels: int = 0
    events: int = 0
    types: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)  # what, why
    values: Counter[str] = field(default_factory=Counter)  # type → feedback with a value beyond 0 and 1


def import_gorse(paths: Iterable[Path], out: Path, *, positive: Iterable[str] = ()) -> Imported:
    """Write what a Gorse has of a shop as files that the trainer reads.

    Args:
        paths: its binary dump, files of its bulk export, or folders of such.
        out: the folder to write `EVENTS`, `ITEMS` and `MAPPING` to.
        positive: conditions as in Gorse's own `positive_feedback_types`, such as `star>=3`: feedback of that type with
            another value is left behind.

    Raises:
        DataError: a file is none of Gorse's, or `out` cannot be written.
        InvalidArgumentError: a condition cannot be read.
    """
    conditions = dict(_condition(text) for text in positive)
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    if not files:
        raise DataError("expected a dump of Gorse or files of its bulk export, found no file")
    must_be_writable(out)
    found, items = _Found(), Items()
    with replacing_text(out / EVENTS) as file:
        events = csv.writer(file)
        events.writerow(["user_id", "item_id", "event_type", "timestamp"])
        for record in (one for file in files for one in records(file)):
            match record.kind:
                case "user":
                    found.users.add(record.id("userid"))
                    found.user_labels += bool(record.fields.get("labels"))
                case "item":
                    items.add(record)
                case "feedback":
                    events.writerows(_events_of(record, found, conditions))
    items.write(out / ITEMS)
    types = {theirs: _meaning(theirs) for theirs in sorted(found.types)}
    if not (is_kept := (out / MAPPING).exists()):
        _write_mapping(out / MAPPING, types)
    return Imported(
        out=out,
        users=len(found.active),
        items=len(items.rows),
        hidden_items=items.hidden,
        events=found.events,
        types=types,
        is_mapping_kept=is_kept,
        left_behind=tuple(_left_behind(found, items, conditions)),
    )


def _condition(text: str) -> tuple[str, tuple[str, float]]:
    read = _POSITIVE.fullmatch(text.strip())
    if read is None:
        raise InvalidArgumentError(f"positive: expected a condition such as star>=3, found {text[:80]!r}")
    return read[1], (read[2], float(read[3]))


def _events_of(
    record: Record, found: _Found, conditions: Mapping[str, tuple[str, float]]
) -> list[tuple[str, str, str, str]]:
    """One for the first time, and one for the last where that is later."""
    user, item, type_of = (record.id(name) for name in ("userid", "itemid", "feedbacktype"))
    if not all(0 < len(one) <= MAX_ID_LENGTH for one in (user, item)) or not 0 < len(type_of) <= 64:
        found.left["feedback", "an id or type that is empty or too long"] += 1
        return []
    value = record.fields.get("value")
    number = float(value) if isinstance(value, int | float) else None
    if number not in (None, 0.0, 1.0):
        found.values[type_of] += 1
    if type_of in conditions and not _holds(number, conditions[type_of]):
        found.left[f"feedback {type_of}", "not positive by the condition that was given"] += 1
        return []
    times = dict.fromkeys(
        str(time)
        for time in (record.fields.get("timestamp"), record.fields.get("updated"))
        if time and not str(time).startswith(NO_TIME)
    )
    if not times:
        found.left["feedback", "no time, and what comes first and last is not known without"] += 1
        return []
    found.active.add(user)
    found.types[type_of] += 1
    found.events += len(times)
    return [(user, item, type_of, time) for time in times]


def _holds(value: float | None, condition: tuple[str, float]) -> bool:
    sign, least = condition
    return value is not None and (value > least or (sign == ">=" and value == least))


def _meaning(feedback_type: str) -> str:
    """One of our types, `ignore`, or the type itself, which then gets a weight of its own."""
    plain = re.sub(r"[\s_-]", "", feedback_type).lower()
    return next((ours for ours, words in _MEANINGS.items() if plain in words), feedback_type)


def _write_mapping(path: Path, types: Mapping[str, str]) -> None:
    named = {theirs: ours for theirs, ours in types.items() if ours != theirs}
    own = [theirs for theirs, ours in types.items() if ours == theirs and ours not in (*DEFAULT_WEIGHTS, REMOVE)]
    lines = ["# Written by `trainer import-gorse`: what Gorse's feedback types mean here. Yours to change."]
    if named:
        lines += ["", "[event_type.names]", *(f"{_key(theirs)} = {_key(ours)}" for theirs, ours in named.items())]
    if own:
        lines += [
            "",
            "[weights]  # ours: view 1, cart 3, purchase 5",
            *(f"{_key(one)} = {_OWN_WEIGHT:g}" for one in own),
        ]
    with replacing_text(path) as file:
        file.write("\n".join(lines) + "\n")


def _key(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _left_behind(found: _Found, items: Items, conditions: Mapping[str, object]) -> Iterable[LeftBehind]:
    if silent := len(found.users - found.active):
        yield LeftBehind("users without feedback", silent, "a user is known here by what they did")
    if found.user_labels:
        yield LeftBehind("users' labels", found.user_labels, "no model of ours learns from them")
    if items.with_time:
        yield LeftBehind("items' timestamps", items.with_time, "an item is new here from its first event")
    for type_of, count in found.values.items():
        is_own = _meaning(type_of) == type_of and type_of not in DEFAULT_WEIGHTS and type_of not in conditions
        more = "" if not is_own else f"; --positive '{type_of}>=3' leaves out those below 3"
        yield LeftBehind(f"values of {type_of}", count, f"every feedback of a type weighs the same{more}")
    for (what, why), count in (found.left + items.left).items():
        yield LeftBehind(what, count, why)
