"""What the screen needs of the REST API's answers: JSON in, frozen objects out. Other fields are ignored."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of all of them."""

    model_config = ConfigDict(frozen=True)


class Item(Answer):
    """An item of the catalogue; null where the shop said nothing."""

    item_id: str
    title: str | None
    category: str | None
    price: float | None
    image_url: str | None
    available: bool


class RankedItem(Item):
    """An item with its place in a ranking: the higher the score, the better."""

    score: float
    sources: tuple[str, ...]


class HistoryItem(Item):
    """An item that the user already had."""

    event_type: str
    last_event_at: datetime


class Ranking(Answer):
    """Similar or popular items, best first."""

    artifact_version: str
    items: tuple[RankedItem, ...]


class Recommendations(Ranking):
    """A user's ranking; of popular items where the model does not know the user."""

    user_known: bool


class History(Answer):
    """What a user already had, most recent first; `total` counts the items not shown too."""

    items: tuple[HistoryItem, ...]
    total: int


class User(Answer):
    """A user that the model knows, with the number of items in the history."""

    user_id: str
    history_size: int


class UserPage(Answer):
    """Users by id."""

    users: tuple[User, ...]


class ItemPage(Answer):
    """One page of a search; `next_cursor` is null on the last one."""

    items: tuple[Item, ...]
    next_cursor: str | None


class Metric(Answer):
    """One figure of the offline evaluation, with its 95 % interval where one was computed."""

    name: str
    value: float
    low: float | None
    high: float | None


class ServiceModel(Answer):
    """What one service holds; `refused` says why the newest published version was not taken."""

    artifact_version: str
    held_versions: tuple[str, ...]
    refused: str | None


class Model(Answer):
    """The live model, and by service what it holds."""

    artifact_version: str
    model: str
    dim: int
    user_count: int
    item_count: int
    trained_at: datetime
    metrics: tuple[Metric, ...]
    services: dict[str, ServiceModel]
