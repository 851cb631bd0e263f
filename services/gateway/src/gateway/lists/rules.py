"""Shop-wide boost and pin rules: a YAML file in, rules out, as the file is now; and the file written anew.

rules:
  - {name: summer sale, category: Garden, boost: 1.5}
  - {name: gift card first, item_id: GIFT, pin_position: 1}
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from gateway.lists.stage_requests import rule_to_wire
from gateway.requests import Rule
from recsys import durable_file, settings_file
from recsys.background import running
from recsys.errors import DataError
from recsys.v1.reranker_service_pb2 import Rule as RuleMessage
from recsys.watched_file import WatchedFile


class RulesDocument(BaseModel):
    """The file as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: list[Rule] = Field(max_length=100, description="In the order in which they are applied.")


class ShopRules:
    """The rules of a file, which is read again whenever it changes; without a file there are none."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises: DataError."""
        self._file = WatchedFile("GATEWAY_RULES_FILE", path, read) if path else None
        self._path = path
        self._writing = asyncio.Lock()
        self.all: tuple[Rule, ...] = ()
        self.on_the_wire: tuple[RuleMessage, ...] = ()
        if self._file is not None:
            self._take(self._file.content)

    async def follow(self) -> None:
        """Go by what the file says whenever it changes, until cancelled."""
        if self._file is not None:
            await self._file.follow(self._take)

    async def save(self, document: RulesDocument) -> None:
        """Replace the file whole, and go by it at once; what watches it elsewhere does within a second.

        Raises: DataError, where there is no file or it cannot be written; then nothing was changed.
        """
        if self._path is None or self._file is None:
            raise DataError("no file of rules: set GATEWAY_RULES_FILE")
        text = yaml.safe_dump(document.model_dump(exclude_none=True), allow_unicode=True, sort_keys=False)
        async with self._writing:
            try:
                await asyncio.to_thread(durable_file.replace, self._path, text.encode())
            except OSError as error:
                raise DataError(
                    f"{self._path}: cannot be written: {error.strerror}; edit the file where it is, or let the gateway"
                    " write its folder"
                ) from error
            self._file.look()
            self._take(self._file.content)

    def _take(self, rules: Sequence[Rule]) -> None:
        self.all = tuple(rules)
        self.on_the_wire = tuple(map(rule_to_wire, rules))


@asynccontextmanager
async def followed(path: Path | None) -> AsyncIterator[ShopRules]:
    """The rules of a file, followed until the end. Raises: DataError."""
    rules = ShopRules(path)
    async with running({"rules_file": rules.follow} if path else {}):
        yield rules


def read(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in its order. Raises: DataError, naming file, key, expected and found."""
    return tuple(settings_file.read(path, RulesDocument, form="YAML").rules)
