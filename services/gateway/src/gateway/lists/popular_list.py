"""Popular items that this process keeps for the moment when the services cannot be asked.

Learned from the services every few seconds, described, in order; before that, what a file says: one that an operator
wrote (the answer of `GET /v1/items/popular`), or what a gateway before this one had learned. Whoever is answered from
it gets items that pass the request's filter, are on sale as far as this process knows, and were not seen; those of the
categories that they looked at last come first.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import grpc
import orjson
from pydantic import BaseModel, ValidationError

from gateway import schemas
from gateway.clients import Clients
from gateway.lists.stage_requests import PERSONAL_ALONE, filter_of
from gateway.requests import Filter
from gateway.shop.items import as_now, item_json
from gateway.shop.live_shop import LiveShop
from recsys import durable_file
from recsys.background import running
from recsys.errors import DataError
from recsys.shop.filter import filter_from_wire, passes
from recsys.shop.item_wire import item_from_wire
from recsys.v1.candidate_gen_service_pb2 import GetPopularItemsRequest
from recsys.v1.item_pb2 import Item
from recsys.v1.reranker_service_pb2 import RerankRequest

_LENGTH: Final = 500
_EVERY_S: Final = 15.0
_AGAIN_S: Final = 1.0  # after a failure
_TIMEOUT_S: Final = 1.0
_MOST_REMEMBERED: Final = 20_000  # items of answers, some 10 MB

logger = logging.getLogger(__name__)


class _Listed(BaseModel):
    """The answer of `GET /v1/items/popular`, as far as it is read."""

    artifact_version: str
    items: list[schemas.Item]


class PopularList:
    """The list, and what this process remembers of items that it described lately."""

    def __init__(self, artifact_version: str = "", items: Iterable[Item] = ()) -> None:
        self.level: schemas.Level = "static"
        self._remembered: dict[tuple[str, str], Item] = {}  # by version and id, as that version describes them
        self._keep(artifact_version, items)

    def __bool__(self) -> bool:
        return bool(self._kept)

    def _keep(self, artifact_version: str, items: Iterable[Item]) -> None:
        self.artifact_version = artifact_version
        self._kept = {item.item_id: item for item in items if item.available}
        self._remembered |= {(artifact_version, item_id): item for item_id, item in self._kept.items()}

    def remember(self, artifact_version: str, items: Iterable[Item]) -> None:
        """Keep what an answer of a version says of items that it is not known to say yet; the oldest are forgotten.

        Versions may take turns, as the arms of an experiment do.
        """
        for item in items:
            if (artifact_version, item.item_id) not in self._remembered:
                # not the message itself, which would keep the whole answer in memory
                self._remembered.setdefault((artifact_version, item.item_id), Item()).CopyFrom(item)
        while len(self._remembered) > _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    def described(self, item_id: str, *, artifact_version: str, live: LiveShop) -> Item | None:
        """An item as this version described it lately; one that it did not has its id only. None: not on sale."""
        known = self._remembered.get((artifact_version, item_id))
        item = as_now(item_id, known or Item(item_id=item_id, available=True), live)
        return item if item is not None and item.available else None

    def passing(self, only: Filter, *, without: Collection[str], liked: Sequence[str], live: LiveShop) -> list[Item]:
        """The whole list for somebody, without these items; `liked` are the items that they looked at last."""
        looked_at = (self._remembered.get((self.artifact_version, item_id)) for item_id in liked)
        categories = {known.category for known in looked_at if known} - {""}
        first: list[Item] = []
        others: list[Item] = []
        wanted = filter_of(only)
        conditions = filter_from_wire(wanted).conditions if wanted is not None else ()
        for item_id, kept in self._kept.items():
            item = kept if live.record(item_id) is None else as_now(item_id, kept, live)
            if item is None or not item.available or item_id in without or item_id in only.exclude_item_ids:
                continue
            if not conditions or passes(item_from_wire(item), conditions):
                (first if item.category in categories else others).append(item)
        return first + others

    async def follow(self, clients: Clients, *, file: Path | None) -> None:
        """Learn the list from the services until cancelled, and write it; while they fail the last one stays."""
        while True:
            try:
                await self.learn(clients)
                if file is not None:
                    await asyncio.to_thread(_write, file, self.artifact_version, list(self._kept.values()))
                await asyncio.sleep(_EVERY_S)
            except grpc.aio.AioRpcError:  # that they are unavailable is logged elsewhere
                await asyncio.sleep(_AGAIN_S)

    async def learn(self, clients: Clients) -> None:
        """Ask for the list once. Raises: `grpc.aio.AioRpcError`."""
        found = await clients.candidate_gen.get_popular_items(
            GetPopularItemsRequest(count=_LENGTH, packed=True), timeout_s=_TIMEOUT_S
        )
        request = RerankRequest(
            artifact_version=found.artifact_version, candidates=found.candidates, count=_LENGTH, blend=PERSONAL_ALONE
        )
        ranked = await clients.reranker.rerank(request, timeout_s=_TIMEOUT_S)
        if ranked.items:
            self._keep(ranked.artifact_version, (each.item for each in ranked.items))
            self.level = "popular_in_category"


@asynccontextmanager
async def popular_list(clients: Clients, *, file: Path | None) -> AsyncIterator[PopularList]:
    """A list that is followed until the end of the block; from the file, if it says one."""
    popular = PopularList()
    if file is not None and file.exists():
        try:
            popular = PopularList(*read(file))
        except DataError as error:  # an answer may need this list some day; each one needs the gateway now
            logger.error("the static list cannot be read", extra={"reason": str(error)})
    async with running({"popular_list": partial(popular.follow, clients, file=file)}):
        yield popular


def read(file: Path) -> tuple[str, list[Item]]:
    """Artifact version and items. Raises: DataError."""
    try:
        listed = _Listed.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: expected a list of items, found: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{file}: expected the answer of GET /v1/items/popular, found at {where}: {first['msg']}"
        ) from error
    return listed.artifact_version, [Item(**each.model_dump()) for each in listed.items]


def _write(file: Path, artifact_version: str, items: Iterable[Item]) -> None:
    """Replace the file in one step. That it cannot be written is logged, and no more."""
    listed = {"artifact_version": artifact_version, "items": [item_json(item) for item in items]}
    try:
        durable_file.replace(file, orjson.dumps(listed))
    except OSError as error:
        logger.warning("the static list cannot be written", extra={"file": str(file), "reason": error.strerror})
