"""What a feature store holds and answers, whichever backend keeps it: `sqlite` or `valkey`, told apart by `open_store`.

Times are Unix milliseconds. A write has returned only when it would survive the loss of power. Every method may raise
`StoreUnavailableError` (recsys.errors) and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from recsys.shop.item import ItemChange, ItemRecord

# Of a user or session.
RECENT_EVENTS: Final = 200  # are kept at the most; what was seen is kept whole
LATEST_EVENTS: Final = 16  # by time a profile always has, also those that a model knows
SESSION_DAYS: Final = 30  # without an event or a merge, then a session is forgotten, unless the opener says otherwise

EVENT_ID_DAYS: Final = 7  # so long a repeated event_id is known by the store; the lake and the trainer know it for ever
CLOCKS_APART_MS: Final = 5_000  # by so much the clocks of two gateways may differ
HALF_LIFE_S: Final = 86_400  # of the trending counters: a day
MOST_TRENDING: Final = 10_000  # counters; the lightest beyond are dropped, those of ids that no item has among them


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
    value: float | None = None  # money, of one piece
    request_id: str | None = None  # of the recommendation that it answers, from callers that do not name the list
    position: int | None = None  # of the item in that recommendation, from 1
    list_id: str | None = None  # of the recommendation that it answers
    quantity: int = 1  # pieces of the item


class RecentEvent(NamedTuple):
    """What a profile says of an event, and its place in the stream."""

    sequence: int
    event_id: str
    item_id: str
    event_type: str
    unix_ms: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an event."""

    sequence: int  # of the first event with this id
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known live of somebody. A session that was merged answers as its user."""

    subject: Subject
    recent: tuple[RecentEvent, ...]  # most recent first by time, at most RECENT_EVENTS
    seen: Mapping[str, frozenset[str]]  # event type → ids of items, of all events ever appended; no taken-back purchase
    arms: Mapping[str, str] = field(default_factory=dict)  # experiment → arm of the first exposure
    history: str = ""  # what a training knew of a user, see PackedHistory; empty: nothing was written
    omitted: int = 0  # recent events that the asker did not want: none of them is among the first LATEST_EVENTS


@dataclass(frozen=True, slots=True)
class PackedHistory:
    """What a training knew of a user, kept here for versions that hold no users."""

    user_id: str
    sequence: int  # events of the stream up to here are in it
    text: str  # of `recsys.artifact.packed_history`; read by candidate_gen alone


@dataclass(frozen=True, slots=True)
class TrendingItem:
    """An item's counter, decayed to the moment asked for."""

    item_id: str
    weight: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """A recommendation that was shown: what the log of propensities and the experiments are made of."""

    list_id: str
    subject: Subject | None
    unix_ms: int
    item_ids: tuple[str, ...]
    propensities: tuple[float, ...]
    artifact_version: str
    experiment: str | None = None
    arm: str | None = None
    latency_ms: float = 0.0
    request_id: str = ""  # trace id of the call that it answered; several lists may have one
    sources: tuple[str, ...] = ()  # of each item, the labels of what proposed it, with commas between
    level: str = ""  # what the list could be made of


@dataclass(frozen=True, slots=True)
class Merge:
    """A session turned out to be a user's: what the stream has of the session from before is the user's too."""

    session_id: str
    user_id: str
    unix_ms: int


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
    entry: Event | Exposure | Merge | Erasure


TextKind = Literal["experiment_states", "documents", "rules"]
"""Of small texts: `documents` gateway and sink keep here for each other, see `recsys.experiments`; the others are what
was changed over the API of what files say, for every gateway."""


class FeatureStore(Protocol):
    """The one interface. Both backends pass the same contract suite."""

    async def append(self, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
        """Make events durable and count them everywhere. A repeated event_id changes nothing.

        Each event is stored whole or not at all. When it raises, the first events of the batch may be stored, or all
        of them, and some may yet be: whoever sends the same ids again has each once in the end. Also in one batch the
        second of two equal ids is the duplicate. An event of a merged session is its user's. A `remove` takes back as
        many pieces of the same item as its quantity, of purchases that came in before it, and changes nothing where
        there is none. `now_ms` is also the clock by which sessions are forgotten.
        """

    async def profile(self, subject: Subject, *, after_sequence: int = 0) -> Profile:
        """What is known of somebody; empty for a stranger. One statement.

        Recent events of a user up to this place in the stream, which a model knows, are omitted, but for the latest
        ones. Those of a session are all there: no model knows a session by its id.
        """

    async def merge_session(self, session_id: str, *, user_id: str, now_ms: int) -> int:
        """Make the session's past the user's, and its future too; returns the number of recent events moved.

        Again: moves what is new. A session that belongs to another user by now starts afresh for this one. Of two arms
        of one experiment, that of the earlier exposure stays. The stream says so, too, where it is new.
        """

    async def write_histories(self, histories: Sequence[PackedHistory]) -> int:
        """Keep what a training knew, each in place of the user's earlier one; returns how many were kept.

        One that knows less of the stream than what is kept is left out, and one of a user who was erased since.
        """

    async def trending(self, *, limit: int, now_ms: int) -> list[TrendingItem]:
        """The heaviest items first, ties by id."""

    async def change_items(self, changes: Sequence[ItemChange], *, now_ms: int) -> list[ItemRecord]:
        """Apply changes in order, all or none, and return the records as they are then."""

    async def item_changes(self, *, after_sequence: int, limit: int) -> list[ItemRecord]:
        """Records whose last change is later than this, in that order: a follower's next part."""

    async def erase_user(self, user_id: str, *, now_ms: int) -> Erasure:
        """Remove everything of a user and of the sessions merged into it, stream included, and enter it there."""

    async def erasures(self, *, after_sequence: int = 0) -> list[Erasure]:
        """Users erased later than this place in the stream, in order."""

    async def erasure(self, user_id: str) -> Erasure | None:
        """The latest erasure of a user; none: there was none."""

    async def note_lake_erasure(self, user_hash: str, *, lake_rows: int, now_ms: int) -> None:
        """The sink has removed the user from the lake."""

    async def read_stream(self, *, after_sequence: int, limit: int) -> list[StreamEntry]:
        """The next entries of the stream. Sequences rise; they may have gaps."""

    async def trim_stream(self, *, up_to_sequence: int) -> int:
        """Remove entries up to and including this one; returns how many. The rest of the store keeps what it knows."""

    async def stream_end(self) -> int:
        """Place of the latest entry that the stream ever had, 0 before the first; there may be gaps before it."""

    async def record_exposures(self, exposures: Sequence[Exposure]) -> None:
        """Enter recommendations that were shown in the stream; the arm of somebody's first one is kept in the profile.

        What was shown to somebody who has been erased since is dropped. One of a merged session is its user's.
        """

    async def texts(self, kind: TextKind) -> dict[str, str]:
        """All small texts of a kind, by name."""

    async def write_text(self, kind: TextKind, name: str, text: str) -> None:
        """Keep a small text, in place of what was there by this name."""

    async def close(self) -> None:
        """Give back files and connections."""
