"""What a feature store holds and answers, whichever backend keeps it: `sqlite` or `valkey`, told apart by `open_store`.

Times are Unix milliseconds. A write has returned only when it would survive the loss of power. Every method may raise
`StoreUnavailableError` (recsys.errors) and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

RECENT_EVENTS: Final = 200
"""At most so many recent events are kept of a user or session; what was had is kept whole."""

EVENT_ID_DAYS: Final = 7
"""So long a repeated event_id is known by the store; the lake and the trainer know it for ever."""

EXPOSURE_DAYS: Final = 7
"""So long an event may answer a recommendation."""

HALF_LIFE_S: Final = 86_400
"""Of the trending counters: a day."""

MOST_TRENDING: Final = 20_000
"""About so many items have a counter at the most; the lightest lose theirs first."""

LEAST_WEIGHT: Final = 0.01
"""A counter that has decayed below this ends: a single view, after a week."""

SESSION_DAYS: Final = 30.0
"""So long after its last event an anonymous session is kept, where the store was not opened with another number."""

JsonScalar = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody: a user of the shop, or an anonymous session. Exactly one of the two is given."""

    kind: Literal["user", "session"]
    id: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that somebody did with an item."""

    event_id: str
    subject: Subject
    item_id: str
    event_type: str
    unix_ms: int  # when it happened, as far as the shop's clock is trusted
    weight: float  # what it adds to the trending counters; 0: nothing
    value: float | None = None  # money
    request_id: str | None = None  # of the recommendation that it answers
    position: int | None = None  # of the item in that recommendation, from 1


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the stream."""

    sequence: int
    event: Event


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an event."""

    sequence: int  # of the first event with this id
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known live of somebody. A session that was merged answers as its user."""

    subject: Subject
    recent: tuple[StoredEvent, ...]  # most recent first by time, at most RECENT_EVENTS
    had: Mapping[str, frozenset[str]]  # event type → ids of items, of all events that no removal took back


@dataclass(frozen=True, slots=True)
class TrendingItem:
    """An item's counter, decayed to the moment asked for."""

    item_id: str
    weight: float


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What the shop says of an item now. `fields` are those of the catalogue: title, category, price, image_url,
    available, and `attributes.NAME` for each attribute."""

    item_id: str
    kind: Literal["put", "patch", "delete"]  # put: a field not given is null; patch: it stays as it is
    fields: Mapping[str, JsonScalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """All changes of an item so far, put together. To be laid over what the trained catalogue says."""

    item_id: str
    sequence: int  # of the last change, in a count of its own; a record moves to the end when it changes
    is_whole: bool  # since the last put: the trained catalogue does not count
    is_deleted: bool
    fields: Mapping[str, JsonScalar]
    created_ms: int  # of the first change
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """A recommendation that was shown: what the log of propensities and the experiments are made of."""

    request_id: str
    subject: Subject | None
    unix_ms: int
    item_ids: tuple[str, ...]
    propensities: tuple[float, ...]
    artifact_version: str
    experiment: str | None = None
    arm: str | None = None
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Erasure:
    """A user to be forgotten, and how far that has come. The id itself is not kept."""

    user_hash: str  # SHA-256, hex, of the id's UTF-8 bytes
    sequence: int  # place in the stream: what the user does after it is new and stays
    erased_ms: int
    store_entries: int  # removed from the store, at once
    lake_rows: int | None = None  # removed from the lake; none: not yet
    lake_erased_ms: int | None = None
    session_hashes: tuple[str, ...] = ()  # likewise, of the sessions merged into the user: the lake has their rows too


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of the stream, in the order in which they were made durable."""

    sequence: int
    entry: Event | Exposure | Erasure


@dataclass(frozen=True, slots=True)
class ArmTotals:
    """Counts of one arm of an experiment. A unit is a subject; it belongs to the arm of its first exposure."""

    exposures: int = 0
    empty_exposures: int = 0  # without an item
    clicked_exposures: int = 0  # answered by at least one event
    units: int = 0
    clicked_units: int = 0
    converted_units: int = 0  # with a purchase after the first exposure
    revenue: float = 0.0  # value of those purchases
    revenue_squares: float = 0.0  # Σ over units of (revenue of the unit)²
    latency_ms_sum: float = 0.0


@dataclass(frozen=True, slots=True)
class ExperimentState:
    """What the API changed about an experiment of the file."""

    stopped_ms: int | None = None
    shares: Mapping[str, float] = field(default_factory=dict)  # arm → share; an arm not named keeps the file's


class FeatureStore(Protocol):
    """The one interface. Both backends pass the same contract suite."""

    async def append(self, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
        """Make events durable and count them everywhere. A repeated event_id changes nothing.

        SQLite stores all or none. Valkey stores parts of `valkey.EVENTS_AT_ONCE` events in their order, each whole or
        not at all, so that a long batch holds nobody up. After StoreUnavailableError any of them may be there, or come
        to be there: whoever sends the batch again, with the same event ids, has each event once.

        Sessions whose last event came more than the store's session days before `now_ms` are forgotten.
        Also in one batch: the second of two equal ids is the duplicate. An event of a merged session is its user's.
        An event whose request_id names a known exposure is a click there; a purchase of an exposed unit converts it.
        """
        ...

    async def profile(self, subject: Subject) -> Profile:
        """What is known of somebody; empty for a stranger. One round trip."""
        ...

    async def merge_session(self, session_id: str, *, user_id: str, now_ms: int) -> int:
        """Make the session's past the user's, and its future too; returns the number of recent events moved.

        Again: moves what is new. A session that belongs to another user by now starts afresh for this one.
        """
        ...

    async def trending(self, *, limit: int, now_ms: int) -> list[TrendingItem]:
        """The heaviest items first, ties by id."""
        ...

    async def change_items(self, changes: Sequence[ItemChange], *, now_ms: int) -> list[ItemRecord]:
        """Apply changes in order, all or none, and return the records as they are then."""
        ...

    async def item_changes(self, *, after_sequence: int, limit: int) -> list[ItemRecord]:
        """Records whose last change is later than this, in that order: a follower's next part."""
        ...

    async def erase_user(self, user_id: str, *, now_ms: int) -> Erasure:
        """Remove everything of a user and of the sessions merged into it, stream included, and enter it there."""
        ...

    async def erasures(self, *, after_sequence: int = 0) -> list[Erasure]:
        """Users erased later than this place in the stream, in order."""
        ...

    async def erasure(self, user_id: str) -> Erasure | None:
        """The latest erasure of a user; none: there was none."""
        ...

    async def note_lake_erasure(self, user_hash: str, *, lake_rows: int, now_ms: int) -> None:
        """The sink has removed the user from the lake."""
        ...

    async def read_stream(self, *, after_sequence: int, limit: int) -> list[StreamEntry]:
        """The next entries of the stream. Sequences rise; they may have gaps."""
        ...

    async def trim_stream(self, *, up_to_sequence: int) -> int:
        """Remove entries up to and including this one; returns how many. The rest of the store keeps what it knows."""
        ...

    async def record_exposures(self, exposures: Sequence[Exposure]) -> None:
        """Log recommendations that were shown, and count them in their experiments; a repeated request_id once."""
        ...

    async def experiment_totals(self, experiment: str) -> dict[str, ArmTotals]:
        """Arm → totals; arms without an exposure are absent."""
        ...

    async def experiment_states(self) -> dict[str, ExperimentState]:
        """Experiment → what the API changed."""
        ...

    async def set_experiment_state(self, experiment: str, state: ExperimentState) -> None:
        """Replace it."""
        ...

    async def close(self) -> None:
        """Give back files and connections."""
        ...
