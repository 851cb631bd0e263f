"""What happened in the shop: asked of the gateway, and as people compare it, this week with the one before."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus

from ui import cards
from ui.gateway_client import GatewayError, gateway
from ui.models import Activity, DayOfActivity


@dataclass(frozen=True)
class Week:
    """Sums over seven days."""

    events: Counter[str]
    money: float
    lists: int
    clicked_lists: int
    levels: Counter[str]

    @property
    def click_through(self) -> float | None:
        """Share of the lists; none where there was no list."""
        return self.clicked_lists / self.lists if self.lists else None


def asked() -> Activity | None:
    """What happened in the shop; a sentence where there is no feature store, or nothing was counted yet."""
    try:
        found = gateway().activity()
    except GatewayError as error:
        if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        cards.notice(error.sentence)
        return None
    if not found.days:
        cards.notice("Nothing has happened in the shop yet, or the event sink does not run.")
        return None
    return found


def this_and_last(activity: Activity, *, today: date) -> tuple[Week, Week]:
    """The seven days until today, and the seven before them."""
    return _until(activity, today), _until(activity, today - timedelta(days=7))


def every_day(activity: Activity, *, today: date, count: int) -> list[DayOfActivity]:
    """The last so many days until today, also those on which nothing happened."""
    known = {day.date: day for day in activity.days}
    dates = [today - timedelta(days=back) for back in reversed(range(count))]
    return [known.get(each) or DayOfActivity(date=each) for each in dates]


def change(now: float | None, before: float | None) -> str:
    """How much more it is than before, for people."""
    if now is None or before is None:
        return "nothing to compare with"
    if before == 0:
        return "none the week before" if now else "as the week before"
    share = now / before - 1
    sign = "▲" if share >= 0.005 else "▼" if share <= -0.005 else "="
    return f"{sign} {abs(share):.0%} on the week before"


def _until(activity: Activity, last: date) -> Week:
    days = [day for day in activity.days if last - timedelta(days=7) < day.date <= last]
    return Week(
        events=summed(day.events for day in days),
        money=sum(day.money for day in days),
        lists=sum(day.lists for day in days),
        clicked_lists=sum(day.clicked_lists for day in days),
        levels=summed(day.levels for day in days),
    )


def summed(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """Counts by name, together."""
    whole: Counter[str] = Counter()
    for each in counts:
        whole.update(each)
    return whole
