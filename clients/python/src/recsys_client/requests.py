"""What bodies are made of. What stands at its default is not sent, so the API's own default holds."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Literal


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Of a patch: this field stays as it is. None takes it away."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that somebody did with an item. One of user_id and session_id is needed.

    Attributes:
        event_id: made here, so that an event that is sent twice counts once.
        timestamp: with a zone; none: when it arrives.
        quantity: pieces of the item, from 1.
        value: money, of one piece.
        list_id, position: of the list that it answers, and the item's place there from 1: that makes it a click.
    """

    item_id: str
    type: str
    user_id: str | None = None
    session_id: str | None = None
    list_id: str | None = None
    position: int | None = None
    quantity: int = 1
    value: float | None = None
    timestamp: datetime | float | None = None
    event_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What items may be answers: every condition must hold. Only items on sale pass in any case."""

    categories: Sequence[str] = ()
    exclude_categories: Sequence[str] = ()
    min_price: float | None = None
    max_price: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    exclude_item_ids: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class WantedList:
    """A list of a page.

    Attributes:
        name: of this list in the answer.
        item_id: of similar and bought together items, which need it.
        item_ids: a cart, of recommended items only.
    """

    name: str
    kind: Literal["recommended", "similar", "bought_together", "popular", "trending"] = "recommended"
    item_id: str | None = None
    item_ids: Sequence[str] = ()
    count: int = 10
    filter: Filter = Filter()


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Weights of the parts of a score."""

    personal: float = 1.0
    popularity: float = 0.0
    recency: float = 0.0
    transitions: float = 0.0  # what others took up after, or along with, the same items


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """How the list is kept from being all alike; `mmr_lambda`: 1 is relevance alone, 0 difference alone."""

    mmr_lambda: float | None = None
    max_per_category: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the shop wants seen: one of category and item_id, one of boost (a factor) and pin_position (from 1)."""

    name: str
    category: str | None = None
    item_id: str | None = None
    boost: float | None = None
    pin_position: int | None = None


@dataclass(frozen=True, kw_only=True)
class ItemPut:
    """All that there is to say of an item: what is not given is none."""

    title: str | None = None
    category: str | None = None
    price: float | None = None
    image_url: str | None = None
    available: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    vector: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True)
class ItemPatch:
    """What changes of an item: `UNSET` stays, none takes away."""

    title: str | Unset | None = UNSET
    category: str | Unset | None = UNSET
    price: float | Unset | None = UNSET
    image_url: str | Unset | None = UNSET
    available: bool | Unset = UNSET
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    vector: Sequence[float] | Unset | None = UNSET


@dataclass(frozen=True, kw_only=True)
class PutChange(ItemPut):
    """An item as a whole, among other changes."""

    item_id: str
    op: Literal["put"] = field(default="put", init=False)


@dataclass(frozen=True, kw_only=True)
class PatchChange(ItemPatch):
    """A part of an item, among other changes."""

    item_id: str
    op: Literal["patch"] = field(default="patch", init=False)


@dataclass(frozen=True, kw_only=True)
class DeleteChange:
    """An item that is no more, among other changes."""

    item_id: str
    op: Literal["delete"] = field(default="delete", init=False)
