"""The use-case of further pages: a list, ranked once, is shown part by part, without what went off sale since."""

from dataclasses import dataclass

from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.list_cursors import ListFacts, RestOfList
from gateway.live import Live
from gateway.recommend import Recommended
from recsys.v1.item_pb2 import Item


@dataclass(frozen=True)
class ListedItem:
    """An item of a further page."""

    item: Item
    score: float
    sources: int  # bit set


@dataclass(frozen=True)
class Page:
    """A part of the list, and what follows it."""

    items: list[ListedItem]
    rest: RestOfList


def rest_of(answer: Recommended, facts: ListFacts) -> RestOfList:
    """What the first page leaves for further ones."""
    beyond, remainder = answer.shown.beyond, answer.shown.remainder
    return RestOfList(
        facts=facts,
        item_ids=[*(ranked.item.item_id for ranked in beyond), *remainder.item_ids],
        scores=[*(ranked.score for ranked in beyond), *remainder.scores],
        sources=[*(sum(1 << source for source in ranked.sources) for ranked in beyond), *remainder.sources],
    )


async def next_page(rest: RestOfList, *, count: int, live: Live, clients: Clients, timeout_s: float) -> Page:
    """The next `count` items that are still on sale.

    Raises: `grpc.aio.AioRpcError` where the catalogue cannot be asked.
    """
    deadline = Deadline.after(timeout_s)
    items: list[ListedItem] = []
    while rest.item_ids and len(items) < count:
        taken, rest = rest.part(0, count - len(items)), rest.part(count - len(items))
        wanted = [item_id for item_id in taken.item_ids if not live.is_hidden(item_id)]
        if not wanted:
            continue
        described = await clients.reranker.get_items(wanted, timeout_s=deadline.remaining_s())
        by_id = {item.item_id: item for item in described.items if item.available}
        rows = zip(taken.item_ids, taken.scores, taken.sources, strict=True)
        items += [ListedItem(by_id[item_id], score, sources) for item_id, score, sources in rows if item_id in by_id]
    return Page(items, rest)
