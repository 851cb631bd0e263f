"""The public JSON, as the OpenAPI document shows it. Knows neither protobuf nor gRPC."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Source = Literal["ann", "popular", "similar"]

_VERSION = Field(description="The artifact version that answered.", examples=["20250101T000000Z-als"])
_NEXT_CURSOR = Field(description="Give this as `cursor` to get the next page; null at the end.", examples=["MTAwMDI"])


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True)


class Item(_Schema):
    """An item as the shop described it; null where the shop gave nothing."""

    item_id: str = Field(description="The shop's own id, unchanged.", examples=["85123A"])
    title: str | None = Field(examples=["White hanging heart t-light holder"])
    category: str | None = Field(examples=["Home"])
    price: float | None = Field(description="In the shop's currency.", examples=[2.55])
    image_url: str | None = Field(examples=["https://shop.example/85123A.jpg"])
    available: bool = Field(description="False: not on sale.")


class RankedItem(Item):
    """An item with its place's reason."""

    score: float = Field(description="Higher is better; comparable within one answer only.", examples=[1.27])
    sources: list[Source] = Field(description="What proposed the item.", examples=[["ann"]])


class RankedItems(_Schema):
    """Items, best first."""

    artifact_version: str = _VERSION
    items: list[RankedItem]


class Recommendations(RankedItems):
    """Items for a user, best first."""

    user_known: bool = Field(description="False: the model does not know the user; the items are the popular ones.")


class ItemPage(_Schema):
    """Items ordered by id, or in the order of `ids`."""

    artifact_version: str = _VERSION
    items: list[Item]
    next_cursor: str | None = _NEXT_CURSOR


class SingleItem(Item):
    """An item and the version that knows it."""

    artifact_version: str = _VERSION


class HistoryItem(Item):
    """An item that the user had. One that has left the catalogue has only its id and is not available."""

    event_type: str = Field(description="The shop's name of the last event's type.", examples=["purchase"])
    last_event_at: datetime


class History(_Schema):
    """What a user already had, most recent first."""

    artifact_version: str = _VERSION
    user_known: bool
    total: int = Field(description="Items in the whole history, of which `items` are the most recent.")
    items: list[HistoryItem]


class User(_Schema):
    """A user that the model knows."""

    user_id: str = Field(examples=["13047"])
    history_size: int = Field(description="Distinct items in the user's history.")


class UserPage(_Schema):
    """Users ordered by id."""

    artifact_version: str = _VERSION
    users: list[User]
    next_cursor: str | None = _NEXT_CURSOR


class Metric(_Schema):
    """One figure of the offline evaluation, with its 95 % bootstrap interval where one was computed."""

    name: str = Field(examples=["recall@20"])
    value: float
    low: float | None
    high: float | None


class ServiceModel(_Schema):
    """What one service holds."""

    artifact_version: str = Field(description="The version that this service answers with.")
    held_versions: list[str] = Field(description="That one and, where it is held, the one before it.")
    refused: str | None = Field(description="Why the newest published version was not taken; null: it was.")


class Model(_Schema):
    """The live model, as candidate_gen describes it, and what each service holds."""

    artifact_version: str = _VERSION
    model: str = Field(examples=["als"])
    dim: int
    user_count: int
    item_count: int
    trained_at: datetime
    metrics: list[Metric]
    services: dict[str, ServiceModel] = Field(description="By service: `candidate_gen` and `reranker`.")


class Health(_Schema):
    """The process is up."""

    status: Literal["ok"]


class Readiness(_Schema):
    """Both services are serving."""

    status: Literal["ready"]
