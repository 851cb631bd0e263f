"""Shop-wide boost and pin rules: a YAML file in, rules out, as the file is now.

rules:
  - {name: summer sale, category: Garden, boost: 1.5}
  - {name: gift card first, item_id: GIFT, pin_position: 1}
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from gateway.lists.stage_requests import rule_to_wire
from gateway.requests import Rule
from recsys import settings_file
from recsys.background import running
from recsys.v1.reranker_service_pb2 import Rule as RuleMessage
from recsys.watched_file import WatchedFile


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: list[Rule] = Field(max_length=100)


class ShopRules:
    """The rules of a file, which is read again whenever it changes; without a file there are none."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises: DataError."""
        self._file = WatchedFile("GATEWAY_RULES_FILE", path, read) if path else None
        self.on_the_wire: tuple[RuleMessage, ...] = ()
        if self._file is not None:
            self._take(self._file.content)

    async def follow(self) -> None:
        """Go by what the file says whenever it changes, until cancelled."""
        if self._file is not None:
            await self._file.follow(self._take)

    def _take(self, rules: Sequence[Rule]) -> None:
        self.on_the_wire = tuple(map(rule_to_wire, rules))


@asynccontextmanager
async def followed(path: Path | None) -> AsyncIterator[ShopRules]:
    """The rules of a file, followed until the end. Raises: DataError."""
    rules = ShopRules(path)
    async with running({"rules_file": rules.follow} if path else {}):
        yield rules


def read(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in its order. Raises: DataError, naming file, key, expected and found."""
    return tuple(settings_file.read(path, _Document, form="YAML").rules)
