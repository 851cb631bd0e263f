"""Item features of Feast into the shop's live catalogue: what differs is patched, and nothing else is touched.

So a price or a stock flag that a team keeps in Feast holds in filters, rules and answers within an interval.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, Protocol

from recsys.feature_store.interface import FeatureStore
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.item import ATTRIBUTES, Item, ItemChange, JsonScalar

_log = logging.getLogger(__name__)

_ITEMS_AT_ONCE: Final = 1_000


class ItemFeatures(Protocol):
    """Where features come from: `feast_sync.features.FeastFeatures`."""

    def of_items(self, item_ids: list[str]) -> Mapping[str, Mapping[str, JsonScalar]]: ...


async def sync_items(catalogue: LiveCatalogue, features: ItemFeatures, store: FeatureStore) -> int:
    """Patch every item whose features differ from what the catalogue says now; returns how many.

    Raises:
        DataError: Feast cannot be read. StoreUnavailableError: ours cannot be written.
    """
    patched = 0
    item_ids = _item_ids(catalogue)
    while ids := list(islice(item_ids, _ITEMS_AT_ONCE)):
        wanted = features.of_items(ids)
        changes = [
            ItemChange(item_id, "patch", differing)
            for item_id, fields in wanted.items()
            if (item := catalogue.find(item_id)) is not None and (differing := _differing(item, fields))
        ]
        if changes:
            await store.change_items(changes, now_ms=time.time_ns() // 1_000_000)
            patched += len(changes)
    _log.info("items synced", extra={"patched": patched})
    return patched


def _item_ids(catalogue: LiveCatalogue) -> Iterator[str]:
    ids = catalogue.artifact.items
    yield from (ids.id_of(row) for row in range(len(ids)))
    yield from (new.item.item_id for new in catalogue.new_items())


def _differing(item: Item, fields: Mapping[str, JsonScalar]) -> dict[str, JsonScalar]:
    """The fields whose value the catalogue does not say yet. Attributes are text."""
    ours = {
        name: str(value) if name.startswith(ATTRIBUTES) and value is not None else value
        for name, value in fields.items()
    }
    return {name: value for name, value in ours.items() if item.value(name) != value}
