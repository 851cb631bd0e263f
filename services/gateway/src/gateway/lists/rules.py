"""Shop-wide boost and pin rules: those of a YAML file, or those that were saved over the API in their place.

rules:
  - {name: summer sale, category: Garden, boost: 1.5}
  - {name: gift card first, item_id: GIFT, pin_position: 1}

What is saved stands in the feature store, where every gateway finds it, and says in the place of which rules of the
file. So whoever edits the file has the last word too.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from gateway.lists.stage_requests import rule_to_wire
from gateway.requests import Rule
from recsys import settings_file
from recsys.background import running, while_store_answers
from recsys.feature_store.interface import FeatureStore
from recsys.v1.reranker_service_pb2 import Rule as RuleMessage
from recsys.watched_file import WatchedFile

REFRESH_INTERVAL_S: Final = 1.0

_SAVED: Final = "saved"  # the name of the one text in the store

_log = logging.getLogger(__name__)


class RulesDocument(BaseModel):
    """The file as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: list[Rule] = Field(max_length=100, description="In the order in which they are applied.")


class SavedRules(BaseModel):
    """What the store keeps."""

    model_config = ConfigDict(frozen=True)

    rules: tuple[Rule, ...]
    in_place_of: tuple[Rule, ...]  # what the file said when they were saved


class ShopRules:
    """The rules that hold now; without a file and a store there are none."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises: DataError."""
        self._file = WatchedFile("GATEWAY_RULES_FILE", path, read) if path else None
        self._saved: SavedRules | None = None
        self.all: tuple[Rule, ...] = ()
        self.on_the_wire: tuple[RuleMessage, ...] = ()
        self._settle()

    async def follow_file(self) -> None:
        """Go by what the file says whenever it changes, until cancelled."""
        if self._file is not None:
            await self._file.follow(lambda _: self._settle())

    async def follow(self, store: FeatureStore, *, interval_s: float = REFRESH_INTERVAL_S) -> NoReturn:
        """Refresh until cancelled. While the store is unavailable what was saved last counts; that is logged once."""
        unavailable = "rules are not refreshed"
        await while_store_answers(partial(self.refresh, store), every_s=interval_s, log=_log, unavailable=unavailable)

    async def refresh(self, store: FeatureStore) -> None:
        """Take over what the store says now.

        Raises: StoreUnavailableError (and all stays as it was).
        """
        text = (await store.texts("rules")).get(_SAVED)
        self._saved = None if text is None else SavedRules.model_validate_json(text)
        self._settle()

    async def save(self, rules: Sequence[Rule], store: FeatureStore) -> None:
        """Put these in place of all others, here at once and in every gateway with its next refresh.

        Raises: StoreUnavailableError.
        """
        saved = SavedRules(rules=tuple(rules), in_place_of=self._of_file())
        await store.write_text("rules", _SAVED, saved.model_dump_json(exclude_none=True))
        self._saved = saved
        self._settle()

    def _of_file(self) -> tuple[Rule, ...]:
        return () if self._file is None else self._file.content

    def _settle(self) -> None:
        of_file, saved = self._of_file(), self._saved
        now = saved.rules if saved is not None and saved.in_place_of == of_file else of_file
        if now != self.all:
            self.all = now
            self.on_the_wire = tuple(map(rule_to_wire, now))


@asynccontextmanager
async def followed(path: Path | None, store: FeatureStore | None) -> AsyncIterator[ShopRules]:
    """The rules of a file and a store, followed until the end. Raises: DataError."""
    rules = ShopRules(path)
    loops: dict[str, Callable[[], Awaitable[None]]] = {}
    if path is not None:
        loops["rules_file"] = rules.follow_file
    if store is not None:
        loops["rules"] = partial(rules.follow, store)
    async with running(loops):
        yield rules


def read(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in its order. Raises: DataError, naming file, key, expected and found."""
    return tuple(settings_file.read(path, RulesDocument, form="YAML").rules)
