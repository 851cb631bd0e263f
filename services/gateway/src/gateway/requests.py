"""What callers send in bodies, as the OpenAPI document shows it. Knows neither protobuf nor the feature store.

Strict: an unknown key, a number as text or a number that is not finite is refused, so that a slip is found at once.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from recsys.ids import MAX_ID_LENGTH
from recsys.item_vector import MOST_NUMBERS

MAX_COUNT: Final = 100
"""Of items in one answer. Part of the API, not a setting: callers read it in the OpenAPI document."""

MAX_LISTS: Final = 10
"""In one request. Each costs what a request for it alone costs."""

MAX_EVENTS: Final = 1000
MAX_ITEM_CHANGES: Final = 1000
MAX_QUANTITY: Final = 1_000_000
MAX_CURSOR_LENGTH: Final = 524_288

_NO_NUL: Final = r"^[^\x00]*$"

Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
"""Of a user, session, item or event: 1 to 512 characters of any kind."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_NO_NUL)]
Words = Annotated[str, StringConstraints(max_length=1000, pattern=_NO_NUL)]
Attributes = dict[Name, Words]
Vector = Annotated[
    list[Annotated[float, Field(allow_inf_nan=False)]],
    Field(
        min_length=1,
        max_length=MOST_NUMBERS,
        description="That the shop made of the item's text or picture, each of the same length. In no answer.",
    ),
]
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


def _expected(what: str) -> WrapValidator:
    """One sentence in place of what pydantic says of each way in which the value could have been right."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise ValueError(f"expected {what}") from None

    return WrapValidator(check)


Moment = Annotated[
    AwareDatetime,
    Field(strict=False, ge=datetime(1970, 1, 1, tzinfo=UTC)),
    _expected("ISO 8601 with a zone, such as 2026-11-29T12:00:00Z, or Unix seconds, from 1970 on"),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0}]}),
]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, val_temporal_unit="seconds")


class Filter(_Request):
    """What items may be answers. Every condition that is given must hold; only items on sale pass in any case."""

    categories: list[Words] = Field([], max_length=100, description="Any of these, exactly.")
    exclude_categories: list[Words] = Field([], max_length=100, description="None of these, exactly.")
    min_price: Price | None = Field(None, description="An item without a price does not pass.")
    max_price: Price | None = Field(None, description="An item without a price does not pass.")
    attributes: Attributes = Field({}, max_length=20, description="All of these, exactly.", examples=[{"brand": "A"}])
    exclude_item_ids: list[Id] = Field([], max_length=1000)

    @model_validator(mode="after")
    def _bounds_leave_something(self) -> "Filter":
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise ValueError(f"min_price {self.min_price} is more than max_price {self.max_price}")
        return self


class Blend(_Request):
    """score = personal × p + popularity × q + recency × r + transitions × t, each value 0…1 over the candidates."""

    personal: Weight = 1.0
    popularity: Weight = 0.0
    recency: Weight = 0.0
    transitions: Weight = 0.0

    @model_validator(mode="after")
    def _something_counts(self) -> "Blend":
        if self.personal == self.popularity == self.recency == self.transitions == 0:
            raise ValueError("one of personal, popularity, recency and transitions must be above 0")
        return self


class Diversity(_Request):
    """How the list is kept from being all alike."""

    mmr_lambda: Share | None = Field(
        None, description="Maximal marginal relevance: 1 is relevance alone, 0 difference alone; null: off."
    )
    max_per_category: int | None = Field(
        None, ge=1, le=MAX_COUNT, description="At most so many items of one category; null: no cap."
    )


class Rule(_Request):
    """What the shop wants seen, whatever the model says: one of category and item_id, one of boost and pin_position."""

    name: Name = Field(description="For explanations.", examples=["summer sale"])
    category: Words | None = Field(None, min_length=1, description="Items of this category, exactly.")
    item_id: Id | None = None
    boost: float | None = Field(None, gt=0, le=1000, allow_inf_nan=False, description="The score times this.")
    pin_position: int | None = Field(
        None, ge=1, le=MAX_COUNT, description="The best matching item stands here, counted from 1."
    )

    @model_validator(mode="after")
    def _says_what_and_how(self) -> "Rule":
        if (self.category is None) == (self.item_id is None):
            raise ValueError("give one of category and item_id")
        if (self.boost is None) == (self.pin_position is None):
            raise ValueError("give one of boost and pin_position")
        return self


class RecommendationRequest(_Request):
    """For whom, how many, out of what, and how ranked. Nobody in particular is fine too."""

    user_id: Id | None = None
    session_id: Id | None = Field(None, description="Of somebody who is not logged in; not together with user_id.")
    item_ids: list[Id] = Field([], max_length=MAX_COUNT, description="A cart: as if each had just been bought.")
    count: int = Field(10, ge=1, le=MAX_COUNT, description="How many to return at the most.")
    filter: Filter = Filter()
    exclude_seen: Annotated[
        bool | Annotated[list[Name], Field(min_length=1, max_length=20)],
        _expected("true, false, or 1 to 20 types of events"),
    ] = Field(True, description="Leave out what was had: at all, or by events of these types.", examples=[["purchase"]])
    blend: Blend | None = Field(None, description="null: the weights that the trainer found best.")
    diversity: Diversity | None = None
    rules: list[Rule] = Field([], max_length=50, description="In addition to the shop-wide ones.")
    explain: bool = False
    preview: bool = Field(
        False, description="To look at only: neither this list nor its further pages are logged as shown."
    )
    paginate: bool = Field(False, description="Also give a cursor for what follows.")
    cursor: str | None = Field(
        None, max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the page before; alone, or with count."
    )

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "RecommendationRequest":
        if self.user_id is not None and self.session_id is not None:
            raise ValueError("give one of user_id and session_id")
        if self.cursor is not None and (others := self.model_fields_set - {"cursor", "count"}):
            raise ValueError(f"a cursor stands alone, or with count; not with {', '.join(sorted(others))}")
        return self


class WantedList(_Request):
    """A list of a page: what it is called there, and what it holds."""

    name: Name = Field(description="Of this list in the answer; each another one.", examples=["for_you"])
    kind: Literal["recommended", "similar", "bought_together", "popular", "trending"] = Field(
        "recommended",
        description="For whom the page is, like `item_id` or bought together with it, or one of two that are the same "
        "for everyone.",
    )
    item_id: Id | None = Field(None, description="Of similar and bought together items, and of no other kind.")
    item_ids: list[Id] = Field([], max_length=MAX_COUNT, description="A cart, of recommended items only.")
    count: int = Field(10, ge=1, le=MAX_COUNT, description="How many to return at the most.")
    filter: Filter = Filter()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "WantedList":
        if (self.item_id is not None) != (self.kind in ("similar", "bought_together")):
            raise ValueError("item_id: expected for similar items and those bought together, and for no other kind")
        if self.item_ids and self.kind != "recommended":
            raise ValueError("item_ids: expected for recommended items only")
        return self


class ListsRequest(_Request):
    """Several lists for one page, and for whom it is."""

    user_id: Id | None = None
    session_id: Id | None = Field(None, description="Of somebody who is not logged in; not together with user_id.")
    lists: list[WantedList] = Field(
        min_length=1, max_length=MAX_LISTS, description="In the order in which they choose their items."
    )
    preview: bool = Field(False, description="To look at only: no list is logged as shown.")

    @model_validator(mode="after")
    def _is_one_page(self) -> "ListsRequest":
        if self.user_id is not None and self.session_id is not None:
            raise ValueError("give one of user_id and session_id")
        names = [each.name for each in self.lists]
        if len(set(names)) < len(names):
            raise ValueError(f"lists: expected each name once, found {', '.join(names)}")
        return self


class EventIn(_Request):
    """Something that somebody did with an item."""

    event_id: Id | None = Field(None, description="A repeated one changes nothing; without one, one is made.")
    user_id: Id | None = Field(None, description="At least one of user_id and session_id.", examples=["13047"])
    session_id: Id | None = Field(None, description="With user_id: what the session did becomes the user's.")
    item_id: Id = Field(examples=["85123A"])
    type: Name = Field(examples=["purchase"])
    timestamp: Moment | None = Field(None, description="ISO 8601 with a zone, or Unix seconds; without one: now.")
    quantity: int = Field(1, ge=1, le=MAX_QUANTITY, description="Pieces of the item.")
    value: float | None = Field(None, ge=-1e12, le=1e12, allow_inf_nan=False, description="Money, of one piece.")
    list_id: str | None = Field(
        None, min_length=1, max_length=128, pattern=_NO_NUL, description="Of the recommendation that it answers."
    )
    request_id: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        pattern=_NO_NUL,
        json_schema_extra={"deprecated": True},
        description="In place of list_id, as long as this is version 1 of the API.",
    )
    position: int | None = Field(None, ge=1, le=1_000_000, description="Of the item in it, counted from 1.")

    @model_validator(mode="after")
    def _is_somebodys(self) -> "EventIn":
        if self.user_id is None and self.session_id is None:
            raise ValueError("give user_id, session_id or both")
        return self


class EventBatch(_Request):
    """Events, accepted or rejected one by one."""

    events: list[EventIn] = Field(min_length=1, max_length=MAX_EVENTS)


class _ItemFields(_Request):
    title: Words | None = None
    category: Words | None = None
    price: Price | None = None
    image_url: Words | None = None
    available: bool = Field(True, description="False: not on sale, in no list.")
    vector: Vector | None = None


class ItemPut(_ItemFields):
    """All that there is to say of an item: what is not given is null."""

    attributes: Attributes = Field({}, max_length=50)


class ItemPatch(_ItemFields):
    """What changes of an item: what is not given stays, null takes away."""

    attributes: dict[Name, Words | None] = Field({}, max_length=50)


class PutChange(ItemPut):
    """An item as a whole."""

    op: Literal["put"]
    item_id: Id


class PatchChange(ItemPatch):
    """A part of an item."""

    op: Literal["patch"]
    item_id: Id


class DeleteChange(_Request):
    """An item that is no more."""

    op: Literal["delete"]
    item_id: Id


class ItemChanges(_Request):
    """Changes, applied in order, all or none."""

    changes: list[Annotated[PutChange | PatchChange | DeleteChange, Field(discriminator="op")]] = Field(
        min_length=1, max_length=MAX_ITEM_CHANGES
    )

    @model_validator(mode="after")
    def _vectors_are_alike(self) -> "ItemChanges":
        vectors = [(each.item_id, each.vector) for each in self.changes if not isinstance(each, DeleteChange)]
        lengths = [(item_id, len(vector)) for item_id, vector in vectors if vector is not None]
        for item_id, length in lengths:
            if length != lengths[0][1]:
                expected = f"expected {lengths[0][1]} numbers, as item {lengths[0][0]!r} has"
                raise ValueError(f"vector of item {item_id!r}: {expected}, found {length}")
        return self


class SessionToMerge(_Request):
    """A session that turned out to be a user's."""

    session_id: Id


class VersionToActivate(_Request):
    """A version that is kept."""

    artifact_version: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        examples=["20250101T000000Z-als"]
    )
