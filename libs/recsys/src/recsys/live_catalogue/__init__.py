"""The trained catalogue with what the shop changed since laid over it: look-ups, search, masks of what may be shown."""

from recsys.live_catalogue.catalogue import LiveCatalogue, LiveItems
from recsys.live_catalogue.overlay import NewItem
from recsys.live_catalogue.search import ItemPage

__all__ = ["ItemPage", "LiveCatalogue", "LiveItems", "NewItem"]
