"""What happened in the shop, day by day: the sink counts it in the lake, and the API tells of it.

In between it is the document ACTIVITY in the feature store.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, NonNegativeInt

ACTIVITY: Final = "activity"
DAYS: Final = 60
"""So many days, with today, are kept."""
WEEK: Final = 7
"""So many days, with today, coverage and drift are of."""


class _Counts(BaseModel):
    model_config = ConfigDict(frozen=True)


class Day(_Counts):
    """One day, in UTC."""

    date: str  # YYYY-MM-DD
    events: dict[str, NonNegativeInt] = {}  # by type
    money: float = 0.0  # value × quantity of purchases, less that of removals
    lists: NonNegativeInt = 0  # that were shown
    clicked_lists: NonNegativeInt = 0  # with an event, other than a removal, that names the list, until the day after
    levels: dict[str, NonNegativeInt] = {}  # lists by what they could be made of


class Shown(_Counts):
    """How the places of some days' lists are spread over items."""

    items: NonNegativeInt = 0  # distinct ones that were shown
    on_sale: NonNegativeInt | None = None  # of them, on sale now; none: as of the catalogue
    gini: float = 0.0  # of how often each of them was shown: 0 all alike, near 1 a few get all
    top_share: float = 0.0  # of all places, those of the most shown hundredth of them


class Coverage(_Counts):
    """How much of the catalogue was shown."""

    catalogue: NonNegativeInt | None = None  # items on sale now; none: the sink does not see the models
    yesterday: Shown = Shown()
    week: Shown = Shown()


class Known(_Counts):
    """Events, and how many of them the model can place."""

    events: NonNegativeInt = 0
    known: NonNegativeInt = 0


class Drift(_Counts):
    """The last WEEK days beside what the live version was trained on."""

    version: str
    items: Known  # all events; known: on an item that it was trained on
    purchases: Known  # the same, of purchases
    users: Known | None = None  # events of users; known: of one that it was trained on; none: it holds no users
    types: dict[str, NonNegativeInt] = {}  # events by type
    trained_types: dict[str, NonNegativeInt] = {}  # the same, of its recent window; empty: not recorded
    head_items: NonNegativeInt | None = None  # most popular ones that had half of its recent window; none: unknown
    trained_head_share: float | None = None  # of people with an item, exactly
    head_share: float | None = None  # the same, of these days


class Activity(_Counts):
    """The document ACTIVITY."""

    as_of_ms: int  # what was recorded up to then is in it
    days: tuple[Day, ...]  # oldest first; a day on which nothing happened is not there
    coverage: Coverage | None = None  # none: of an earlier release
    drift: Drift | None = None  # none: nothing is live, or the sink does not see the models
