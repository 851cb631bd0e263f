"""What the API answers. A field that a newer API adds is ignored; a new value of a `Literal` is passed through."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Source = Literal[
    "ann",
    "popular",
    "similar",
    "session",
    "trending",
    "new",
    "rule",
    "transitions",
    "content",
    "bought_together",
]
Level = Literal["full", "without_live_state", "without_rerank", "popular_in_category", "static"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """An item as the shop described it; none where the shop gave nothing."""

    item_id: str
    title: str | None
    category: str | None
    price: float | None
    image_url: str | None
    available: bool
    attributes: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class SingleItem(Item):
    """An item and the version that knows it."""

    artifact_version: str


@dataclass(frozen=True, kw_only=True)
class BlendTerm:
    """One part of a score: weight × value. The name is that of a weight of the blend, or begins with `ranker`."""

    name: str
    value: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class SourceRank:
    """Where a source had the item in its own list, from 1."""

    source: Source
    rank: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What an item of the history added to the personal score, or to what leads to it."""

    item_id: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why an item stands where it stands."""

    personal_score: float
    terms: tuple[BlendTerm, ...]
    sources: tuple[SourceRank, ...]
    rank_by_score: int
    contributions: tuple[Contribution, ...]
    rules: tuple[str, ...]
    comes_after: tuple[Contribution, ...]


@dataclass(frozen=True, kw_only=True)
class RankedItem(Item):
    """An item with its place's reason; scores compare within one answer only."""

    score: float
    sources: tuple[Source, ...]
    propensity: float
    explanation: Explanation | None


@dataclass(frozen=True, kw_only=True)
class RankedItems:
    """Items, best first; `level` says what the answer could be made of."""

    artifact_version: str
    items: tuple[RankedItem, ...]
    level: Level
    degraded: bool


@dataclass(frozen=True, kw_only=True)
class Fill:
    """How full the answer is; `matching` items may be answers at all."""

    asked: int
    returned: int
    matching: int


@dataclass(frozen=True, kw_only=True)
class Subject:
    """For whom; a session that was merged answers as its user."""

    user_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Arm:
    """The experiment that the subject takes part in."""

    name: str
    arm: str
    version_not_held: str | None


@dataclass(frozen=True, kw_only=True)
class Recommendations(RankedItems):
    """Items for somebody, best first. Give `list_id` with the events that answer this list."""

    list_id: str
    request_id: str
    subject: Subject | None
    vector: Literal["trained", "folded_in", "none"]
    user_known: bool
    fill: Fill
    dropped: dict[str, int] | None
    experiment: Arm | None
    next_cursor: str | None
    preview: bool


@dataclass(frozen=True, kw_only=True)
class NamedList(RankedItems):
    """A list of a page. Give `list_id` with the events that answer this list."""

    name: str
    list_id: str


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The lists of a page, in the request's order; no item is in two of them."""

    request_id: str
    lists: tuple[NamedList, ...]
    preview: bool


@dataclass(frozen=True, kw_only=True)
class RejectedEvent:
    """An event that was not stored; `index` is its place in the request, from 0."""

    index: int
    event_id: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class EventOutcome:
    """What became of the events; the accepted ones are on disk."""

    accepted: int
    duplicates: int
    rejected: tuple[RejectedEvent, ...]
    unknown_items: int | None
    clock_skewed: int
    event_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ChangedItem:
    """An item after a change."""

    item_id: str
    deleted: bool
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class ItemChangesDone:
    """Changes that are on disk; every answer shows them within two seconds."""

    changed: int
    items: tuple[ChangedItem, ...]


@dataclass(frozen=True, kw_only=True)
class MergedSession:
    """A session that is its user's from now on."""

    user_id: str
    session_id: str
    moved_events: int


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """How far the erasure of a user has come; none: not yet, or it cannot be said."""

    user_hash: str
    erased_at: datetime
    store_entries: int
    lake_rows: int | None
    lake_erased_at: datetime | None
    model_is_newer: bool | None
    artifact_version: str | None


@dataclass(frozen=True, kw_only=True)
class ItemPage:
    """Items ordered by id, or in the order of the ids that were asked for."""

    artifact_version: str
    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Category:
    """A category, and how many of its items are on sale."""

    category: str
    item_count: int


@dataclass(frozen=True, kw_only=True)
class CategoryPage:
    """Categories with items on sale, ordered by name."""

    artifact_version: str
    categories: tuple[Category, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class HistoryItem(Item):
    """An item of a history. One that has left the catalogue has only its id and is not available."""

    event_type: str
    last_event_at: datetime


@dataclass(frozen=True, kw_only=True)
class History:
    """What a user has seen, most recent first; `total` counts the items that are not here too."""

    artifact_version: str
    user_known: bool
    total: int
    items: tuple[HistoryItem, ...]
    degraded: bool


@dataclass(frozen=True, kw_only=True)
class RecentlyViewed:
    """Items that somebody looked at and that are on sale, most recent first."""

    artifact_version: str
    items: tuple[HistoryItem, ...]
    degraded: bool


@dataclass(frozen=True, kw_only=True)
class User:
    """A user that the model knows, with the number of distinct items in the history."""

    user_id: str
    history_size: int


@dataclass(frozen=True, kw_only=True)
class UserPage:
    """Users ordered by id."""

    artifact_version: str
    users: tuple[User, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of the offline evaluation, with its 95 % interval where one was computed."""

    name: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class ServiceModel:
    """What one service holds; `refused` says why the newest published version was not taken."""

    artifact_version: str
    held_versions: tuple[str, ...]
    refused: str | None


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What the trainer's gate said of the newest version, live or refused."""

    artifact_version: str
    passed: bool
    reasons: tuple[str, ...]
    users_judged: int | None


@dataclass(frozen=True, kw_only=True)
class Model:
    """The live model, and by service what it holds."""

    artifact_version: str
    model: str
    dim: int
    user_count: int
    item_count: int
    trained_at: datetime
    metrics: tuple[Metric, ...]
    services: dict[str, ServiceModel]
    last_run: TrainingRun | None
