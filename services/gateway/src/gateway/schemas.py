"""The public JSON, as the OpenAPI document shows it. Knows neither protobuf nor gRPC."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from recsys.shop import sources

Source = Annotated[str, WithJsonSchema({"type": "string", "enum": [source.label for source in sources.Source]})]
VectorOrigin = Literal["trained", "folded_in", "none"]
Level = Literal["full", "without_live_state", "without_rerank", "popular_in_category", "static"]

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
    attributes: dict[str, str] = Field(description="What else the shop says of it.", examples=[{"brand": "A"}])


class BlendTerm(_Schema):
    """One part of a score: weight × value."""

    name: str = Field(
        description="personal, popularity, recency or transitions, whose value is 0 to 1 over the candidates; where a "
        "ranker has learned, `ranker:` and a feature, what that one adds, and `ranker`, what every item gets.",
        examples=["personal"],
    )
    value: float
    weight: float


class SourceRank(_Schema):
    """Where a source had the item in its own list."""

    source: Source
    rank: int = Field(description="From 1.")
    score: float = Field(description="The source's own; scores of different sources do not compare.")


class Contribution(_Schema):
    """What an item of the history added to the personal score, or to what leads to it.

    Over the whole history the first sum up to the personal score.
    """

    item_id: str
    value: float


class Explanation(_Schema):
    """Why an item stands where it stands."""

    personal_score: float = Field(description="Exact dot product of the subject's vector and the item's.")
    terms: list[BlendTerm]
    sources: list[SourceRank]
    rank_by_score: int = Field(description="From 1; before diversity, pins and exploration moved it.")
    contributions: list[Contribution] = Field(description="The largest, by absolute value.")
    rules: list[str] = Field(description="That boosted or pinned it.")
    comes_after: list[Contribution] = Field(
        description="Items of the history that it is most often taken up after, or along with where the version counts "
        "no order: what `transitions` is made of, unscaled."
    )


class RankedItem(Item):
    """An item with its place's reason."""

    score: float = Field(description="Higher is better; comparable within one answer only.", examples=[1.27])
    sources: list[Source] = Field(description="What proposed the item.", examples=[["ann"]])
    propensity: float = Field(description="Probability of this item at this place; 1: chance could change nothing.")
    explanation: Explanation | None = Field(description="With `explain` only.")


class RankedItems(_Schema):
    """Items, best first."""

    artifact_version: str = _VERSION
    items: list[RankedItem]
    level: Level = Field(description="What the answer could be made of.")
    degraded: bool = Field(description="The level is not `full`.")


class Fill(_Schema):
    """How full the answer is."""

    asked: int
    returned: int
    matching: int = Field(description="Items of the catalogue that may be answers at all.")


class SubjectOut(_Schema):
    """For whom; a session that was merged answers as its user."""

    user_id: str | None = None
    session_id: str | None = None


class ArmOut(_Schema):
    """The experiment that the subject takes part in."""

    name: str
    arm: str
    version_not_held: str | None = Field(
        description="The arm's own artifact version, where the services do not hold it: the live one answered."
    )


class Recommendations(RankedItems):
    """Items for somebody, best first."""

    list_id: str = Field(description="Give it with the events that answer this list.")
    request_id: str = Field(description="The id under which the log lines of all services stand.")
    subject: SubjectOut | None
    vector: VectorOrigin = Field(
        description="What the subject's vector is: as trained, computed from live events, none."
    )
    user_known: bool = Field(
        description="False: nothing is known of the subject; the items are popular, trending, new."
    )
    fill: Fill
    dropped: dict[str, int] | None = Field(description="With `explain`: how many items each condition alone drops.")
    experiment: ArmOut | None
    next_cursor: str | None = Field(description="With `paginate`: the next page; null at the end.")
    preview: bool = Field(description="Not logged as shown: nothing was stored.")
    level: Level = Field(description="What the answer could be made of.")
    degraded: bool = Field(description="The level is not `full`.")


class NamedList(RankedItems):
    """A list of a page."""

    name: str = Field(description="As the request has it.")
    list_id: str = Field(description="Give it with the events that answer this list.")


class Lists(_Schema):
    """The lists of a page, in the request's order; no item is in two of them."""

    request_id: str = Field(description="The id under which the log lines of all services stand.")
    lists: list[NamedList]
    preview: bool = Field(description="Not logged as shown: nothing was stored.")


class RejectedEvent(_Schema):
    """An event that was not stored."""

    index: int = Field(description="Its place in the request, from 0.")
    event_id: str | None
    reason: str


class EventOutcome(_Schema):
    """What became of the events; the accepted ones are on disk."""

    accepted: int
    duplicates: int = Field(description="Of the accepted ones: known already, and so without effect.")
    rejected: list[RejectedEvent]
    unknown_items: int | None = Field(
        description="Distinct items that the catalogue lacks; null: it could not be asked."
    )
    clock_skewed: int = Field(description="Of the accepted ones: too far in the future, and so counted as now.")
    event_ids: list[str] = Field(description="Of the accepted ones, in their order.")


class ChangedItem(_Schema):
    """An item after a change."""

    item_id: str
    deleted: bool
    updated_at: datetime


class ItemChangesDone(_Schema):
    """Changes that are on disk; every answer shows them within two seconds."""

    changed: int
    items: list[ChangedItem]


class MergedSession(_Schema):
    """A session that is its user's from now on."""

    user_id: str
    session_id: str
    moved_events: int


class ErasureReport(_Schema):
    """How far the erasure of a user has come. The id itself is kept nowhere."""

    user_hash: str = Field(description="SHA-256 of the user's id.")
    erased_at: datetime = Field(description="Gone from log and features, and masked everywhere, since then.")
    store_entries: int = Field(description="Removed from the feature store and its stream.")
    lake_rows: int | None = Field(description="Removed from the lake, which was read again to be sure; null: not yet.")
    lake_erased_at: datetime | None
    model_is_newer: bool | None = Field(
        description="The live model was trained without the user; null: cannot be said."
    )
    artifact_version: str | None = Field(description="Of that model.")


class ItemPage(_Schema):
    """Items ordered by id, or in the order of `ids`."""

    artifact_version: str = _VERSION
    items: list[Item]
    next_cursor: str | None = _NEXT_CURSOR


class Category(_Schema):
    """A category that has items on sale."""

    category: str = Field(examples=["Home"])
    item_count: int = Field(description="Items of it that are on sale.")


class CategoryPage(_Schema):
    """Categories ordered by name."""

    artifact_version: str = _VERSION
    categories: list[Category]
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
    degraded: bool = Field(description="Without live events: the feature store did not answer.")


class RecentlyViewed(_Schema):
    """Items that somebody looked at and that are on sale, most recent first."""

    artifact_version: str = _VERSION
    items: list[HistoryItem]
    degraded: bool = Field(description="Without live events: the feature store did not answer.")


class User(_Schema):
    """A user that the model knows."""

    user_id: str = Field(examples=["13047"])
    history_size: int = Field(description="Distinct items in the user's history.")


class UserPage(_Schema):
    """Users ordered by id."""

    artifact_version: str = _VERSION
    users: list[User]
    next_cursor: str | None = _NEXT_CURSOR


class ModelMetric(_Schema):
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


class TrainingRun(_Schema):
    """What the trainer's gate said of the newest version on the volume, live or refused."""

    artifact_version: str = _VERSION
    passed: bool = Field(description="Whether it might go live; else the version before stays.")
    reasons: list[str] = Field(description="One sentence a check.")
    users_judged: int | None = Field(description="How many users it was judged by; null: not recorded.")


class Model(_Schema):
    """The live model, as candidate_gen describes it, and what each service holds."""

    artifact_version: str = _VERSION
    model: str = Field(examples=["als"], description="`popularity`: no personal model was shown to be better.")
    dim: int
    user_count: int
    item_count: int
    trained_at: datetime
    metrics: list[ModelMetric]
    services: dict[str, ServiceModel] = Field(description="By service: `candidate_gen` and `reranker`.")
    last_run: TrainingRun | None = Field(description="The trainer's last run; null: not recorded.")


class RunBaseline(_Schema):
    """What the report of a run has beside its model, by the same users."""

    name: str = Field(examples=["popularity"])
    metrics: dict[str, float] = Field(description="Means.", examples=[{"recall@20": 0.08, "ndcg@20": 0.05}])


class EarnedByList(_Schema):
    """What lists earned, or would have earned in another order: doubly robust, with a 95 % interval."""

    order: str = Field(description="Whose, or as the lists were served.", examples=["as it was served"])
    outcome: str = Field(examples=["clicked", "bought"])
    value: float = Field(description="A list.", examples=[0.21])
    low: float
    high: float


class Run(_Schema):
    """A run of the trainer, and what became of its version."""

    artifact_version: str = _VERSION
    state: Literal["live", "kept", "removed"] = Field(description="kept: it can be activated; removed: it is gone.")
    trained_at: datetime
    model: str = Field(examples=["als"])
    user_count: int
    item_count: int
    metrics: dict[str, float] = Field(description="Means on the newest window; empty: it was not judged.")
    baselines: list[RunBaseline] = Field(description="In the order of the report.")
    users_judged: int | None = Field(description="How many users it was judged by; null: not recorded.")
    refusal: str | None = Field(description="Why the gate refused it; null: it did not.")
    forced: bool = Field(description="It went live all the same.")
    earned: list[EarnedByList] = Field(
        description="By the log of what was shown in the newest window; empty: nothing was. An order that has too "
        "little in common with it is left out."
    )
    has_report: bool


class RejectedRows(_Schema):
    """Rows of the shop's files that were rejected for one reason."""

    reason: str
    rows: int
    hint: str | None = Field(description="What would mend them; null: it cannot be told.")


class FileRows(_Schema):
    """What became of the rows of one kind of file: read = kept + rejected + ignored."""

    name: str = Field(examples=["events"])
    read: int
    kept: int
    ignored: int = Field(description="Right, and no events to learn from.")
    rejected: list[RejectedRows] = Field(description="Most frequent first.")


class Reading(_Schema):
    """The last reading of the shop's files."""

    read_at: datetime
    files: list[FileRows]


class RunList(_Schema):
    """Runs of the trainer, newest first."""

    runs: list[Run]
    last_reading: Reading | None = Field(description="null: the shop has no files, or an earlier release read them.")


class RunReport(_Schema):
    """What a run measured."""

    artifact_version: str = _VERSION
    html: str = Field(description="A whole page, which fetches nothing.")


class Activated(_Schema):
    """A version that is the live one from now on; services follow within seconds."""

    artifact_version: str = _VERSION
    refusal: str | None = Field(description="Why the gate had refused it; null: it had not.")


class DayOfActivity(_Schema):
    """What happened on one day, in UTC."""

    date: str = Field(description="YYYY-MM-DD.", examples=["2026-11-29"])
    events: dict[str, int] = Field(description="By type.", examples=[{"view": 1200, "purchase": 31}])
    money: float = Field(description="Value of purchases, less that of removals.")
    lists: int = Field(description="Lists that were shown.")
    clicked_lists: int = Field(
        description="Of them, with an event, other than a removal, that names the list, on its day or the day after."
    )
    levels: dict[str, int] = Field(description="Lists by level.", examples=[{"full": 840}])


class Shown(_Schema):
    """How the places of some days' lists are spread over items."""

    items: int = Field(description="Distinct items that were shown.")
    on_sale: int | None = Field(description="Of them, on sale now; null: as of `catalogue`.")
    gini: float = Field(description="Of how often each of them was shown: 0 all alike, near 1 a few get all.")
    top_share: float = Field(description="Of all places, those of the most shown 1 % of them.")


class Coverage(_Schema):
    """How much of the catalogue was shown."""

    catalogue: int | None = Field(description="Items on sale now; null: the event sink does not see the models.")
    yesterday: Shown
    week: Shown = Field(description="The last 7 days, with today.")


class KnownEvents(_Schema):
    """Events, and how many of them the model can place."""

    events: int
    known: int


class Drift(_Schema):
    """The last 7 days, with today, beside what the live model was trained on."""

    version: str
    items: KnownEvents = Field(description="Of all events; known: on an item that had events in training.")
    purchases: KnownEvents = Field(description="Of purchases alone.")
    users: KnownEvents | None = Field(
        description="Of events of users, not sessions; known: of a trained user. null: the model holds no users."
    )
    types: dict[str, int] = Field(description="Events by type.")
    trained_types: dict[str, int] = Field(
        description="Those of the last weeks of the training (`TRAINER_RECENT_DAYS`); empty: not recorded."
    )
    head_items: int | None = Field(
        description="The fewest items that had half of the people of these weeks; null: not counted."
    )
    trained_head_share: float | None = Field(description="How much they had, exactly.")
    head_share: float | None = Field(description="How much of the last 7 days they have.")


class Activity(_Schema):
    """What happened in the shop, day by day."""

    as_of: datetime | None = Field(description="What was recorded up to then counts; null: nothing was counted yet.")
    age_s: float | None = Field(description="How long ago that was.")
    days: list[DayOfActivity] = Field(description="Oldest first, without days on which nothing happened; 60 at most.")
    coverage: Coverage | None = Field(description="null: nothing was counted, or by an earlier release.")
    drift: Drift | None = Field(description="null: nothing is live, or the event sink does not see the models.")


class Health(_Schema):
    """The process is up."""

    status: Literal["ok"]


class Readiness(_Schema):
    """Whether there is an answer for everybody."""

    status: Literal["ready", "degraded"] = Field(description="degraded: from the list that the gateway keeps.")
