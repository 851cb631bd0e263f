"""The feature store on a Valkey server, for several machines: see `valkey_scripts` for what stands where.

Durable only where the server is: `appendonly yes` and `appendfsync always`, as in the compose file; a server set
otherwise is told of in the log.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final, TypeVar

from valkey.asyncio import BlockingConnectionPool, Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import NoBackoff
from valkey.exceptions import ResponseError, ValkeyError

from recsys.errors import StoreUnavailableError
from recsys.feature_store import codec, valkey_scripts
from recsys.feature_store.interface import (
    CLOCKS_APART_MS,
    EVENT_ID_DAYS,
    LATEST_EVENTS,
    MOST_TRENDING,
    RECENT_EVENTS,
    SESSION_DAYS,
    Appended,
    Erasure,
    Event,
    Exposure,
    FeatureStore,
    Merge,
    PackedHistory,
    Profile,
    StreamEntry,
    Subject,
    TextKind,
    TrendingItem,
)
from recsys.ids import user_hash
from recsys.shop.item import ItemChange, ItemRecord, changed

_log = logging.getLogger(__name__)

T = TypeVar("T")

DAY_S: Final = 86_400
"""Seconds of a day."""
CONNECT_S: Final = 0.25
"""Longest wait for a connection."""
ANSWER_S: Final = 3.0  # eight batches of a thousand events at once wait for one another, a tenth of a second each
_MOST_CONNECTIONS: Final = 64
TRIES: Final = 20
"""Of a change that somebody else came before."""
_EVENTS_AT_ONCE: Final = 50  # that one script appends, in some milliseconds: reads wait for it
_STREAM_PART: Final = 1_000  # entries looked at in one go, in some milliseconds
_TEXTS: Final[dict[TextKind, str]] = {"experiment_states": "experiments", "documents": "documents", "rules": "rules"}
DURABLE: Final = {"appendonly": "yes", "appendfsync": "always"}


class ValkeyStore(FeatureStore):
    """Belongs to one event loop. Every write may be sent twice when a connection breaks: each is idempotent, but for an
    exposure, which may stand in the stream twice under one list_id.
    """

    def __init__(self, url: str, *, session_days: int = SESSION_DAYS) -> None:
        self._url = url
        self._session_ms = session_days * DAY_S * 1000
        self._client: Any = self._connected()  # the library's own types leave out half of what it takes
        self._is_checked = False
        self._script = cache(self._client.register_script)

    def _connected(self) -> Any:
        """The client; it connects when first used."""
        pool = BlockingConnectionPool.from_url(
            self._url,
            decode_responses=True,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 1),
            max_connections=_MOST_CONNECTIONS,
            timeout=ANSWER_S,  # more at once wait for a connection
        )
        return Valkey.from_pool(pool)

    def _key(self, name: str) -> str:
        """The key of something that is of the whole shop, as `valkey_scripts` names it."""
        return name

    async def append(self, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
        await self._check_durability()
        appended: list[Appended] = []
        for start in range(0, len(events), _EVENTS_AT_ONCE):
            appended += await self._append_part(events[start : start + _EVENTS_AT_ONCE], now_ms=now_ms)
        return appended

    async def _append_part(self, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
        """Append all of them or none."""
        bounds = (EVENT_ID_DAYS * DAY_S, RECENT_EVENTS, MOST_TRENDING)
        arguments: list[str | int] = [*bounds, now_ms, now_ms - self._session_ms]
        for event in events:
            arguments += facts_of_event(event)
        outcomes = await self._run(valkey_scripts.APPEND, *arguments)
        return [Appended(sequence, is_duplicate=bool(known)) for sequence, known in outcomes]

    async def profile(self, subject: Subject, *, after_sequence: int = 0) -> Profile:
        found = await self._run(valkey_scripts.PROFILE, codec.key_of(subject), after_sequence, LATEST_EVENTS)
        return profile_of(*found)

    async def merge_session(self, session_id: str, *, user_id: str, now_ms: int) -> int:
        text = codec.to_text(Merge(session_id, user_id, now_ms))
        return int(await self._run(valkey_scripts.MERGE, session_id, user_id, RECENT_EVENTS, text, now_ms))

    async def write_histories(self, histories: Sequence[PackedHistory]) -> int:
        kept = 0
        for start in range(0, len(histories), _EVENTS_AT_ONCE):
            arguments: list[str | int] = []
            for one in histories[start : start + _EVENTS_AT_ONCE]:
                key = codec.key_of(Subject("user", one.user_id))
                arguments += [key, user_hash(one.user_id), one.sequence, one.text]
            kept += await self._run(valkey_scripts.HISTORIES, *arguments)
        return kept

    async def trending(self, *, limit: int, now_ms: int) -> list[TrendingItem]:
        # kept negative, so that equal ones come by id
        listed = await self._ask(self._client.zrange, self._key("counters"), 0, limit - 1, withscores=True)
        return codec.trending_of([(item_id, -counter) for item_id, counter in listed], now_ms=now_ms)

    async def change_items(self, changes: Sequence[ItemChange], *, now_ms: int) -> list[ItemRecord]:
        if not changes:
            return []
        ids = list(dict.fromkeys(change.item_id for change in changes))
        for _ in range(TRIES):
            before = dict(zip(ids, await self._ask(self._client.hmget, self._key("items"), ids), strict=True))
            records = {one: _record(one, text) for one, text in before.items() if text is not None}
            for change in changes:
                records[change.item_id] = changed(records.get(change.item_id), change, sequence=0, now_ms=now_ms)
            arguments = [part for one in ids for part in (one, before[one] or "", _record_text(records[one]))]
            sequences = await self._run(valkey_scripts.CHANGE_ITEMS, *arguments)
            if sequences:
                placed = dict(zip(ids, sequences, strict=True))
                return [replace(records[one.item_id], sequence=placed[one.item_id]) for one in changes]
        raise StoreUnavailableError(f"{TRIES} times somebody else changed the same items at the same moment")

    async def item_changes(self, *, after_sequence: int, limit: int) -> list[ItemRecord]:
        found = await self._run(valkey_scripts.AFTER, "items", after_sequence, limit)
        return [_record(item_id, text) for item_id, text in found]

    async def erase_user(self, user_id: str, *, now_ms: int) -> Erasure:
        for _ in range(TRIES):
            sessions = sorted(await self._ask(self._client.smembers, self._key(f"pasts:{user_id}")))
            erasure, who = to_erase(user_id, sessions, now_ms=now_ms)
            until, removed = await self._erase_parts([f"u:{user_id}", *(f"s:{one}" for one in sessions)])
            entered = await self._run(valkey_scripts.ERASE, codec.to_text(erasure), now_ms, until, removed, *who)
            if entered:
                return replace(erasure, sequence=entered[0], store_entries=entered[1])
        raise StoreUnavailableError(f"{TRIES} times another session was merged into the user at the same moment")

    async def _erase_parts(self, keys: Sequence[str]) -> tuple[str, int]:
        """Remove what the stream has of subjects, part by part, so that a long stream holds nobody up.

        Returns the id of the last entry that was looked at, and how many were removed.
        """
        removed, until, last = 0, "", "0-0"
        while last:
            until = last
            last, count = await self._run(valkey_scripts.ERASE_PART, until, _STREAM_PART, *keys)
            removed += count
        return until, removed

    async def erasures(self, *, after_sequence: int = 0) -> list[Erasure]:
        found = await self._run(valkey_scripts.AFTER, "erasures", after_sequence, -1)
        return [_erasure(sequence, text) for sequence, text in found]

    async def erasure(self, user_id: str) -> Erasure | None:
        return max(await self._erasures_of(user_hash(user_id)), key=lambda each: each.sequence, default=None)

    async def note_lake_erasure(self, user_hash: str, *, lake_rows: int, now_ms: int) -> None:
        for erasure in await self._erasures_of(user_hash):
            if erasure.lake_rows is None:
                noted = replace(erasure, lake_rows=lake_rows, lake_erased_ms=now_ms)
                text = f"{user_hash}|{codec.to_text(noted)}"
                await self._ask(self._client.hset, self._key("erasures"), str(noted.sequence), text)

    async def _erasures_of(self, user_hash: str) -> list[Erasure]:
        sequences = list(await self._ask(self._client.smembers, self._key(f"erasures:{user_hash}")))
        texts = await self._ask(self._client.hmget, self._key("erasures"), sequences) if sequences else []
        return [_erasure(sequence, text) for sequence, text in zip(sequences, texts, strict=True)]

    async def read_stream(self, *, after_sequence: int, limit: int) -> list[StreamEntry]:
        entries = await self._ask(
            self._client.xrange, self._key("stream"), min=f"({after_sequence}-0", max="+", count=limit
        )
        return [
            codec.entry_from_text(one["k"], one["e"], sequence=int(entry_id.split("-")[0]), subject_key=one["s"])
            for entry_id, one in entries
        ]

    async def trim_stream(self, *, up_to_sequence: int) -> int:
        return int(
            await self._ask(self._client.xtrim, self._key("stream"), minid=f"{up_to_sequence + 1}-0", approximate=False)
        )

    async def stream_end(self) -> int:
        return int(await self._ask(self._client.get, self._key("sequence:stream")) or 0)

    async def record_exposures(self, exposures: Sequence[Exposure]) -> None:
        arguments: list[str | int] = [CLOCKS_APART_MS]
        for exposure in exposures:
            arguments += facts_of_exposure(exposure)
        await self._check_durability()
        await self._run(valkey_scripts.EXPOSE, *arguments)

    async def texts(self, kind: TextKind) -> dict[str, str]:
        return dict(await self._ask(self._client.hgetall, self._key(_TEXTS[kind])))

    async def write_text(self, kind: TextKind, name: str, text: str) -> None:
        await self._ask(self._client.hset, self._key(_TEXTS[kind]), name, text)

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(self, script: str, *arguments: str | int) -> Any:
        """What one of `valkey_scripts` returns; it is sent by its digest."""
        return await self._ask(self._script(script), args=arguments)

    async def _ask(self, command: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        try:
            return await command(*arguments, **options)
        except (ValkeyError, OSError) as error:
            place = self._url.partition("?")[0].rpartition("@")[2].rpartition("//")[2]  # without a password
            raise StoreUnavailableError(f"{place}: {str(error) or type(error).__name__}") from error

    async def _check_durability(self) -> None:
        if self._is_checked:
            return
        try:
            found = await self._durability()
        except ResponseError:  # not allowed to ask
            found = DURABLE
        except (ValkeyError, OSError):  # unavailable: the write itself will tell
            return
        self._is_checked = True
        if found != DURABLE:
            _log.warning("this server may lose what it acknowledges", extra={"expected": DURABLE, "found": found})

    async def _durability(self) -> dict[str, Any]:
        """`DURABLE` as the server has it."""
        found: dict[str, Any] = await self._client.config_get(*DURABLE)
        return found


def facts_of_event(event: Event) -> list[str | int]:
    """What the scripts that append take of an event."""
    counter = repr(codec.counter_of(event)) if event.weight else ""
    who = [event.event_id, codec.key_of(event.subject), event.item_id, event.event_type]
    return [*who, event.unix_ms, counter, event.quantity, codec.to_text(event)]


def facts_of_exposure(exposure: Exposure) -> list[str | int]:
    """What the scripts that expose take of an exposure."""
    subject = exposure.subject
    who = [codec.key_of(subject), codec.hashed_key_of(subject)] if subject else ["", ""]
    return [*who, exposure.experiment or "", exposure.arm or "", exposure.unix_ms, codec.to_text(exposure)]


def to_erase(user_id: str, sessions: Sequence[str], *, now_ms: int) -> tuple[Erasure, list[str]]:
    """An erasure of a user and of the sessions that were theirs, and whom the scripts that erase are told of."""
    hashes = tuple(user_hash(session) for session in sessions)
    erasure = Erasure(user_hash(user_id), 0, now_ms, valkey_scripts.REMOVED, session_hashes=hashes)
    return erasure, [user_id, erasure.user_hash, *(one for pair in zip(sessions, hashes, strict=True) for one in pair)]


def profile_of(key: str, recent: str, omitted: int, seen: str, arms: list[str], history: str) -> Profile:
    """The profile that a script found."""
    return Profile(
        codec.subject_of(key),
        codec.recent_from_text(recent),
        {event_type: frozenset(item_ids) for event_type, item_ids in json.loads(seen).items()},
        {experiment: text.partition("|")[2] for experiment, text in zip(arms[::2], arms[1::2], strict=True)},
        history=history.partition("|")[2],
        omitted=omitted,
    )


def _erasure(sequence: str, text: str) -> Erasure:
    return codec.erasure_from_text(text.partition("|")[2], int(sequence))


def _record(item_id: str, text: str) -> ItemRecord:
    sequence, flags, *times, fields = text.split("|", 4)
    return ItemRecord(item_id, int(sequence), "w" in flags, "d" in flags, json.loads(fields), *map(int, times))


def _record_text(record: ItemRecord) -> str:
    flags = ("w" if record.is_whole else "") + ("d" if record.is_deleted else "")
    return f"{flags}|{record.created_ms}|{record.updated_ms}|{codec.json_text(record.fields)}"
