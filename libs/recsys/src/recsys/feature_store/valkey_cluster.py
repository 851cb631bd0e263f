"""The feature store on a Valkey Cluster: what is kept of a subject is spread over the nodes, the stream is on one.

A write that concerns the stream and subjects takes two scripts: first the stream's, which says what is true, then each
subject's. An event that was not acknowledged may be in the stream and not in the profile, until it is sent again with
the same id; then it is in both, once. See `valkey_cluster_scripts` for what stands where.
"""

import asyncio
import hashlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from secrets import token_hex
from typing import Any, Final

from valkey.asyncio.cluster import ValkeyCluster
from valkey.exceptions import NoScriptError

from recsys.errors import StoreUnavailableError
from recsys.feature_store import codec, valkey
from recsys.feature_store import valkey_cluster_scripts as scripts
from recsys.feature_store.interface import (
    CLOCKS_APART_MS,
    EVENT_ID_DAYS,
    LATEST_EVENTS,
    MOST_TRENDING,
    RECENT_EVENTS,
    Appended,
    Erasure,
    Event,
    Exposure,
    Merge,
    PackedHistory,
    Profile,
    Subject,
)
from recsys.feature_store.valkey import (
    DAY_S,
    ValkeyStore,
    facts_of_event,
    facts_of_exposure,
    profile_of,
    to_erase,
)
from recsys.ids import user_hash

_log = logging.getLogger(__name__)

SCHEME: Final = "valkey+cluster"
_CONNECT_S: Final = 1.0  # as many connections at once to each node as calls are under way
_HISTORIES_AT_ONCE: Final = 50
_MOST_AT_ONCE: Final = 64  # commands of a process that are under way
_HOPS: Final = 5  # from a session to its user, who may be another one by then
_OF_ONE_SERVER: Final = "sequence:stream"  # a key
_ID_S: Final = EVENT_ID_DAYS * DAY_S


class ValkeyClusterStore(ValkeyStore):
    """Belongs to one event loop. Every write may be sent twice, as on one server."""

    def _connected(self) -> Any:
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._is_ours = False
        self._prepared = cache(_prepared)
        url = self._url.replace(f"{SCHEME}://", "valkey://", 1)
        return ValkeyCluster.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=valkey.ANSWER_S,
        )

    def _key(self, name: str) -> str:
        return scripts.SHOP + name

    async def profile(self, subject: Subject, *, after_sequence: int = 0) -> Profile:
        key = codec.key_of(subject)
        for _ in range(_HOPS):
            found = await self._run_on(key, scripts.PROFILE, key, after_sequence, LATEST_EVENTS)
            if len(found) > 1:
                return profile_of(*found)
            [key] = found
        raise self._restless(key)

    async def _append_part(self, events: Sequence[Event], *, now_ms: int) -> list[Appended]:
        quiet_ms = now_ms - self._session_ms
        arguments: list[str | int] = [_ID_S, MOST_TRENDING, now_ms, quiet_ms]
        for event in events:
            arguments += facts_of_event(event)
        outcomes, quiet = await self._run(scripts.LOG, *arguments)
        to_note: dict[str, list[tuple[int, Event]]] = defaultdict(list)
        for event, (sequence, _, key, known) in zip(events, outcomes, strict=True):
            if key:  # of two with one id, what the stream has of the first
                to_note[key].append((sequence, codec.event_from_text(known, event.subject) if known else event))
        await _all(self._note(key, placed) for key, placed in to_note.items())
        if to_note:
            await self._run(scripts.NOTED, *(sequence for placed in to_note.values() for sequence, _ in placed))
        if quiet:
            await _all(self._run_on(f"s:{session}", scripts.FORGET, 0, "") for session in quiet)
            await self._run(scripts.QUIET, quiet_ms, *quiet)
        return [Appended(sequence, is_duplicate=bool(known)) for sequence, known, *_ in outcomes]

    async def _note(self, key: str, placed: Sequence[tuple[int, Event]]) -> None:
        arguments: list[str | int] = [RECENT_EVENTS]
        for sequence, event in placed:
            arguments += [sequence, event.unix_ms, event.item_id, event.event_type]
            arguments += [event.quantity, codec.to_text(event)]
        await self._forwarded(key, scripts.NOTE, *arguments)

    async def merge_session(self, session_id: str, *, user_id: str, now_ms: int) -> int:
        text = codec.to_text(Merge(session_id, user_id, now_ms))
        await self._run(scripts.MERGE, session_id, user_id, text, now_ms)
        session, user, moved, token = f"s:{session_id}", f"u:{user_id}", 0, token_hex(8)
        for _ in range(_HOPS):  # an earlier move that was cut off is brought to its end first
            moving, to, *lists = await self._run_on(session, scripts.TAKE, user, token)
            given = [part for listed in lists for part in (len(listed), *listed)]
            await self._run_on(to, scripts.GIVE, moving, RECENT_EVENTS, _ID_S, *given)
            await self._run_on(session, scripts.GIVEN, moving)
            moved += len(lists[0]) // 2 if to == user else 0
            if moving == token:
                return moved
        raise self._restless(session)

    async def write_histories(self, histories: Sequence[PackedHistory]) -> int:
        kept = 0
        for start in range(0, len(histories), _HISTORIES_AT_ONCE):
            part = histories[start : start + _HISTORIES_AT_ONCE]
            places = [fact for one in part for fact in (user_hash(one.user_id), one.sequence)]
            knows = await self._run(scripts.KNOWS_ERASURES, *places)
            written = await _all(
                self._run_on(f"u:{one.user_id}", scripts.HISTORY, one.sequence, one.text)
                for one, may_be_kept in zip(part, knows, strict=True)
                if may_be_kept
            )
            kept += sum(written)
        return kept

    async def erase_user(self, user_id: str, *, now_ms: int) -> Erasure:
        user, removed = f"u:{user_id}", 0
        for _ in range(valkey.TRIES):
            pasts = sorted(await self._ask(self._client.smembers, self._key(f"pasts:{user_id}")))
            current = await self._ask(self._client.smembers, self._key(f"sessions:{user_id}"))
            erasure, who = to_erase(user_id, pasts, now_ms=now_ms)
            keys = [user, *(f"s:{session}" for session in pasts)]
            until, of_stream = await self._erase_parts(keys)
            newest = await self.stream_end()
            removed += of_stream + sum(await _all(self._run_on(key, scripts.FORGET, newest, user) for key in keys))
            entered = await self._run(scripts.ERASE, codec.to_text(erasure), now_ms, until, removed, *who)
            if entered:
                # once more: what was on its way between the two is from before the erasure too
                await _all(self._run_on(key, scripts.FORGET, entered[0], user) for key in keys)
                await _all(self._run_on(f"s:{session}", scripts.UNFORWARD, user) for session in current)
                return replace(erasure, sequence=entered[0], store_entries=entered[1])
        raise StoreUnavailableError(f"{valkey.TRIES} times another session was merged into the user at the same moment")

    async def record_exposures(self, exposures: Sequence[Exposure]) -> None:
        arguments: list[str | int] = [CLOCKS_APART_MS]
        for exposure in exposures:
            arguments += facts_of_exposure(exposure)
        await self._check_durability()
        owners = await self._run(scripts.EXPOSE, *arguments)
        await _all(
            self._forwarded(key, scripts.ASSIGN, each.experiment, f"{each.unix_ms}|{each.arm or ''}")
            for key, each in zip(owners, exposures, strict=True)
            if key and each.experiment
        )

    async def _forwarded(self, key: str, script: str, *arguments: str | int) -> None:
        """Run a script where the subject is by now."""
        for _ in range(_HOPS):
            key = await self._run_on(key, script, *arguments)
            if not key:
                return
        raise self._restless(key)

    async def _run(self, script: str, *arguments: str | int) -> Any:
        return await self._evaluated(scripts.SHOP, script, arguments)

    async def _run_on(self, key: str, script: str, *arguments: str | int) -> Any:
        """What a script returns on the slot of a subject's key."""
        return await self._evaluated(f"{{{key}}}", script, arguments)

    async def _evaluated(self, prefix: str, script: str, arguments: Iterable[str | int]) -> Any:
        text, digest = self._prepared(script)

        async def evaluate() -> Any:
            try:
                return await self._client.evalsha(digest, 1, prefix, *arguments)
            except NoScriptError:  # this node has not seen it yet
                return await self._client.eval(text, 1, prefix, *arguments)

        return await self._ask(evaluate)

    async def _ask(self, command: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        async with self._turns:
            if not self._is_ours:
                await self._expect_own_layout()
            try:
                return await super()._ask(command, *arguments, **options)
            except StoreUnavailableError:  # one broken connection has the client learn its nodes anew, for all callers
                return await super()._ask(command, *arguments, **options)

    async def _expect_own_layout(self) -> None:
        if await super()._ask(self._client.exists, _OF_ONE_SERVER):
            raise StoreUnavailableError(
                f"this cluster has the keys of a store on one server ({_OF_ONE_SERVER}), which are not read here: "
                "expected a cluster of its own, see docs/feature-store.md"
            )
        self._is_ours = True

    async def _durability(self) -> dict[str, Any]:
        """`DURABLE`, or what nodes have that differ, by node."""
        nodes = await self._client.config_get(*valkey.DURABLE, target_nodes=ValkeyCluster.PRIMARIES)
        loose = {node: found for node, found in _by_node(nodes).items() if found != valkey.DURABLE}
        return loose or valkey.DURABLE

    @staticmethod
    def _restless(key: str) -> StoreUnavailableError:
        return StoreUnavailableError(f"{_HOPS} times another one became the owner of {key[:1]}:… at the same moment")


def _prepared(script: str) -> tuple[str, str]:
    """A script for one slot, and its digest."""
    text = scripts.on_slot(script)
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _by_node(found: Any) -> dict[str, Any]:
    """Of one node the client gives its answer alone."""
    return found if all(isinstance(each, dict) for each in found.values()) else {"the only one": found}


async def _all(awaited: Iterable[Awaitable[Any]]) -> list[Any]:
    return list(await asyncio.gather(*awaited))
