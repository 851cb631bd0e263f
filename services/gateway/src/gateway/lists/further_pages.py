"""The use-case of further pages: a list, ranked once, is shown part by part, without what went off sale since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, get_args

import grpc

from gateway.answers import Level
from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.lists.fallbacks import Fallbacks, is_of_the_caller
from gateway.lists.list_cursors import ListFacts, RestOfList
from gateway.lists.recommend import Recommended, new_list_id
from recsys.v1.item_pb2 import Item

_LEVELS: Final[tuple[Level, ...]] = get_args(Level)  # from the best one down
_CATALOGUE_SHARE: Final = 0.7  # of the time that is left, so that there is some for the answer without it


@dataclass(frozen=True)
class ListedItem:
    """An item of a further page."""

    item: Item
    score: float
    sources: int  # bit set
    propensity: float


@dataclass(frozen=True)
class Page:
    """A part of the list, and what follows it."""

    items: list[ListedItem]
    rest: RestOfList
    facts: ListFacts  # those of the list, and what this page could be made of
    list_id: str = field(default_factory=new_list_id)


def rest_of(answer: Recommended, facts: ListFacts) -> RestOfList:
    """What the first page leaves for further ones."""
    beyond, remainder = answer.shown.beyond, answer.shown.remainder
    propensities = remainder.propensities or [1.0] * len(remainder.item_ids)  # an older reranker says none
    return RestOfList(
        facts=facts,
        item_ids=[*(ranked.item.item_id for ranked in beyond), *remainder.item_ids],
        scores=[*(ranked.score for ranked in beyond), *remainder.scores],
        sources=[*(sum(1 << source for source in ranked.sources) for ranked in beyond), *remainder.sources],
        propensities=[*(ranked.propensity for ranked in beyond), *propensities],
    )


async def next_page(rest: RestOfList, *, count: int, clients: Clients, fallbacks: Fallbacks, timeout_s: float) -> Page:
    """The next `count` items that are still on sale; while the catalogue cannot be asked, as this process knows them.

    Raises: `grpc.aio.AioRpcError` where the catalogue refuses the request.
    """
    deadline = Deadline.after(timeout_s)
    items: list[ListedItem] = []
    level = rest.facts.level
    while rest.item_ids and len(items) < count:
        taken, rest = rest.part(0, count - len(items)), rest.part(count - len(items))
        wanted = [item_id for item_id in taken.item_ids if not fallbacks.live.is_hidden(item_id)]
        if not wanted:
            continue
        try:
            by_id = await _on_sale(wanted, clients, timeout_s=deadline.remaining_s() * _CATALOGUE_SHARE)
        except grpc.aio.AioRpcError as error:
            if is_of_the_caller(error):
                raise
            level = max(level, "without_rerank", key=_LEVELS.index)
            by_id = _as_known(wanted, fallbacks, artifact_version=rest.facts.artifact_version)
        rows = zip(taken.item_ids, taken.scores, taken.sources, taken.propensities, strict=True)
        items += [ListedItem(by_id[row[0]], *row[1:]) for row in rows if row[0] in by_id]
    return Page(items, rest, rest.facts.model_copy(update={"level": level}))


async def _on_sale(item_ids: Sequence[str], clients: Clients, *, timeout_s: float) -> Mapping[str, Item]:
    described = await clients.reranker.get_items(item_ids, timeout_s=timeout_s)
    return {item.item_id: item for item in described.items if item.available}


def _as_known(item_ids: Sequence[str], fallbacks: Fallbacks, *, artifact_version: str) -> Mapping[str, Item]:
    known = (
        fallbacks.popular.described(item_id, artifact_version=artifact_version, live=fallbacks.live)
        for item_id in item_ids
    )
    return {item.item_id: item for item in known if item is not None}
