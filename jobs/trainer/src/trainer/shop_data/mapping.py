"""How a shop's columns and words become ours.

In: a small TOML file, or nothing (the columns already have our names). Out: a frozen `ColumnMapping`, for
`event_files.load` and `interactions.build`. Every error is a `DataError` that names file, key, what was expected and
what was found.
"""

import codecs
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from recsys import settings_file
from recsys.shop.events import PURCHASE, REMOVE, Weights, refuse_weight_of_removals, weighted
from trainer.shop_data import timestamps

ColumnName = Annotated[str, Field(min_length=1)]
"""A column, or the path of a field inside one that holds JSON: see `nesting`."""

IGNORE: Final = "ignore"
"""Stands for a type where rows are no events to learn from: they are counted, and not rejected."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class EventColumns(_Table):
    """The shop's names of the columns of the events file.

    The last four, where the file does not name them, are used if a column of our own name is there.
    """

    user_id: ColumnName = "user_id"
    item_id: ColumnName = "item_id"
    # several, such as a date and a time, are read as one text with a space between them
    timestamp: Annotated[tuple[ColumnName, ...], BeforeValidator(_one_or_more), Field(min_length=1)] = ("timestamp",)
    event_type: ColumnName = "event_type"
    quantity: ColumnName = "quantity"
    value: ColumnName = "value"
    session_id: ColumnName = "session_id"  # whose events are a user's, where the row names no user


class Attribute(_Table):
    """An attribute of items: our name, and the shop's column."""

    name: ColumnName
    column: ColumnName


def _named_attributes(value: object) -> object:
    """`["colour"]` keeps the columns' names, `{colour = "labels.colour"}` gives names of ours."""
    if isinstance(value, dict):
        return [{"name": name, "column": column} for name, column in value.items()]
    if isinstance(value, list):
        return [{"name": one, "column": one} if isinstance(one, str) else one for one in value]
    return value


class ItemColumns(_Table):
    """The shop's names of the columns that describe items and stand in the events file itself; each may be missing.

    Attributes that are named here must be there.
    """

    title: ColumnName = "title"
    category: ColumnName = "category"
    price: ColumnName = "price"
    image_url: ColumnName = "image_url"
    attributes: Annotated[tuple[Attribute, ...], BeforeValidator(_named_attributes)] = ()

    @field_validator("attributes")
    @classmethod
    def _named_once(cls, attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
        if len({one.name for one in attributes}) < len(attributes):
            raise ValueError("expected every attribute once")
        return attributes


class CatalogueColumns(ItemColumns):
    """The shop's names of the columns of the separate catalogue file; only the item id must be there."""

    item_id: ColumnName = "item_id"
    available: ColumnName = "available"
    hidden: ColumnName | None = None  # a column that says the opposite of available, and counts beside it
    vector: ColumnName = "vector"  # of numbers that the shop made of the item's text or picture


class TypeRule(_Table):
    """Rows whose `column` starts with, or equals, a text are events of this type."""

    column: ColumnName
    type: str
    starts_with: Annotated[str, Field(min_length=1)] | None = None
    equals: str | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if (self.starts_with is None) == (self.equals is None):
            raise ValueError("expected either starts_with or equals")
        return self


class EventType(_Table):
    """What decides an event's type: the first rule that holds, else the type column, else the default."""

    default: str = PURCHASE
    names: dict[str, str] = {}  # the shop's word → ours
    rules: tuple[TypeRule, ...] = ()
    others: Literal["reject", "ignore"] = "reject"  # rows of a type that has no weight


class Timestamp(_Table):
    """How timestamps are written: auto (ISO 8601 or Unix), unix_seconds, unix_milliseconds or a strptime format.

    A row is set aside that lies further before the first 1 % of all than `farthest` times the span of the middle 98 %
    (30 days at the least); 0: none is.
    """

    farthest: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5.0
    format: Literal["auto", "unix_seconds", "unix_milliseconds"] | Annotated[str, Field(pattern="%")] = "auto"
    timezone: str = "UTC"  # of timestamps that name none

    @field_validator("format")
    @classmethod
    def _readable(cls, format: str) -> str:
        if "%" in format:
            timestamps.refuse_format(format)
        return format

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("expected an IANA time zone such as Europe/London") from error
        return name


class FillDown(_Table):
    """Of rows in a row that are the same order, an empty field is that of the row above."""

    same: ColumnName  # the column that says which order it is
    columns: Annotated[tuple[ColumnName, ...], Field(min_length=1)]


class ColumnMapping(_Table):
    """A shop's files in our terms. `ColumnMapping()` fits files whose columns already have our names."""

    separator: Annotated[str, Field(pattern=r'^[^"\r\n\x80-\U0010ffff]$')] = ","
    encoding: str = "utf-8"  # of text files
    header: tuple[str, ...] = ()  # of events in CSV whose first line is a row: what their columns are called
    decimal: Annotated[str, Field(pattern=r"^[.,]$")] = "."  # of numbers in CSV
    thousands: Annotated[str, Field(pattern=r"^[^\w+-]?$")] = ""  # what parts groups of three digits; empty: nothing
    whole_ids: bool = False  # 12748.0 is 12748: what spreadsheets and pandas make of whole numbers
    missing_ids: tuple[str, ...] = ()  # texts in the place of a user, item or session that stand for none
    each: ColumnName | None = None  # a list inside the row: an event for each element of it
    fill_down: FillDown | None = None
    columns: EventColumns = EventColumns()
    item_columns: ItemColumns = ItemColumns()
    event_type: EventType = EventType()
    timestamp: Timestamp = Timestamp()
    weights: Weights = {}  # the gateway reads this table too
    catalogue: CatalogueColumns = CatalogueColumns()

    @field_validator("encoding")
    @classmethod
    def _of_text(cls, name: str) -> str:
        try:
            if "a,1\n".encode(name).decode(name) == "a,1\n":
                return codecs.lookup(name).name
        except (LookupError, ValueError):
            pass
        raise ValueError("expected an encoding of text such as utf-8, utf-16, cp1252 or latin-1")

    @model_validator(mode="after")
    def _numbers_can_be_read(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"thousands: expected another character than decimal, found {self.thousands!r}")
        return self

    @property
    def event_weights(self) -> dict[str, float]:
        """Weight of every event type that adds interest: ours, overridden and extended by the shop's."""
        return weighted(self.weights)

    @property
    def event_types(self) -> list[str]:
        """Every event type that may occur."""
        return [*self.event_weights, REMOVE]

    @model_validator(mode="after")
    def _types_have_weights(self) -> Self:
        refuse_weight_of_removals(self.weights)
        if IGNORE in self.weights:
            raise ValueError(f"weights.{IGNORE}: expected another name, rows of this one are not learnt from")
        named = {
            "event_type.default": self.event_type.default,
            **{f"event_type.names.{word}": ours for word, ours in self.event_type.names.items()},
            **{f"event_type.rules.{n}.type": rule.type for n, rule in enumerate(self.event_type.rules)},
        }
        for key, event_type in named.items():
            if event_type not in (*self.event_types, IGNORE):
                known = ", ".join(self.event_types)
                raise ValueError(f"{key}: type {event_type!r} has no weight under [weights]; known types: {known}")
        return self


def read(path: Path | None) -> ColumnMapping:
    """What a mapping file says; without one, columns already have our names.

    Raises:
        DataError: the file cannot be read, is not TOML, or says something that a mapping does not have.
    """
    return settings_file.read(path, ColumnMapping, form="TOML") if path else ColumnMapping()
