"""What happened in the shop, day by day: the sink counts it in the lake, and the API tells of it.

In between it is the document ACTIVITY in the feature store.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, NonNegativeInt

ACTIVITY: Final = "activity"
DAYS: Final = 60
"""So many days, with today, are kept."""


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


class Activity(_Counts):
    """The document ACTIVITY."""

    as_of_ms: int  # what was recorded up to then is in it
    days: tuple[Day, ...]  # oldest first; a day on which nothing happened is not there
