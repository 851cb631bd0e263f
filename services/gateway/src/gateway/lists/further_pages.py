"""The use-case of further pages: a list, ranked once, is answered part by part, without what went off sale since."""

from collections.abc import Iterable, Sequence
from typing import Final

import grpc

from gateway.clients import Clients
from gateway.deadline import Deadline
from gateway.lists.fallbacks import Fallbacks, is_of_the_caller
from gateway.lists.list_cursors import RestOfList
from gateway.lists.ranked import LEVELS, Page, ranked_item
from recsys.v1.item_pb2 import Item, RankedItem

_CATALOGUE_SHARE: Final = 0.7  # of the time that is left, so that there is some for the answer without it


async def next_page(
    rest: RestOfList, *, count: int, clients: Clients, fallbacks: Fallbacks, deadline: Deadline
) -> Page:
    """The next `count` items that are still on sale; while the catalogue cannot be asked, as this process knows them.

    Raises: `grpc.aio.AioRpcError` where the catalogue refuses the request.
    """
    items: list[RankedItem] = []
    level = rest.facts.level
    while rest.item_ids and len(items) < count:
        taken, rest = rest.part(0, count - len(items)), rest.part(count - len(items))
        wanted = [item_id for item_id in taken.item_ids if not fallbacks.live.is_hidden(item_id)]
        if not wanted:
            continue
        described: Iterable[Item]
        try:
            described = await _on_sale(wanted, clients, timeout_s=deadline.remaining_s() * _CATALOGUE_SHARE)
        except grpc.aio.AioRpcError as error:
            if is_of_the_caller(error):
                raise
            level = max(level, "without_rerank", key=LEVELS.index)
            known = (fallbacks.described(each, artifact_version=rest.facts.artifact_version) for each in wanted)
            described = [item for item in known if item is not None]
        by_id = {item.item_id: item for item in described}
        rows = zip(taken.item_ids, taken.scores, taken.sources, taken.propensities, strict=True)
        items += [ranked_item(by_id[row[0]], *row[1:]) for row in rows if row[0] in by_id]
    return Page(items, rest.facts.model_copy(update={"level": level}), rest)


async def _on_sale(item_ids: Sequence[str], clients: Clients, *, timeout_s: float) -> list[Item]:
    described = await clients.reranker.get_items(item_ids, timeout_s=timeout_s)
    return [item for item in described.items if item.available]
