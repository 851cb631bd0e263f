"""Events, money, lists and clicks of each day, out of a lake that the sink filled; counted again only what changed."""

import asyncio
from datetime import date

import pytest
from lake_in_folder import DAY_MS, FIRST_DAY_MS, Lake, StreamInMemory

from event_sink.days import Days
from recsys.activity import Day
from recsys.feature_store.interface import Event, Exposure, Subject

ANNA = Subject("user", "anna")
FIRST, SECOND, LAST = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)


def did(
    store: StreamInMemory,
    name: str,
    event_type: str,
    *,
    day: int = 0,
    list_id: str | None = None,
    value: float = 0,
    quantity: int = 1,
) -> None:
    when = FIRST_DAY_MS + day * DAY_MS
    store._append(Event(name, ANNA, "i", event_type, when, 1.0, value=value, list_id=list_id, quantity=quantity))


def shown(store: StreamInMemory, list_id: str, *, day: int = 0, level: str = "full") -> None:
    store._append(Exposure(list_id, ANNA, FIRST_DAY_MS + day * DAY_MS, ("i",), (1.0,), "v1", level=level))


def test_a_day_has_its_events_money_lists_and_clicks(lake: Lake, store: StreamInMemory) -> None:
    for name, level in {"seen": "full", "clicked": "full", "later": "without_rerank", "too late": "full"}.items():
        shown(store, name, level=level)
    did(store, "1", "view", list_id="clicked")
    did(store, "2", "purchase", value=20)
    did(store, "3", "remove", value=-5, list_id="seen")
    did(store, "4", "view", day=1, list_id="later")
    did(store, "5", "view", day=2, list_id="too late")
    asyncio.run(lake.drain())

    first, second, last = Days(lake.path).until(LAST)

    levels = {"full": 3, "without_rerank": 1}
    events = {"view": 1, "purchase": 1, "remove": 1}
    assert first == Day(date="2026-01-01", events=events, money=15, lists=4, clicked_lists=2, levels=levels)
    assert second == Day(date="2026-01-02", events={"view": 1})
    assert last.date == "2026-01-03"


def test_money_is_of_every_piece(lake: Lake, store: StreamInMemory) -> None:
    did(store, "1", "purchase", value=2.5, quantity=6)
    did(store, "2", "remove", value=2.5, quantity=2)
    asyncio.run(lake.drain())
    [day] = Days(lake.path).until(LAST)
    assert (day.money, day.events) == (10, {"purchase": 1, "remove": 1})


def test_days_before_the_last_sixty_and_after_today_are_left_out(lake: Lake, store: StreamInMemory) -> None:
    for day in (0, 1, 60):
        did(store, str(day), "view", day=day)
    asyncio.run(lake.drain())
    assert [day.date for day in Days(lake.path).until(date(2026, 3, 1))] == ["2026-01-01", "2026-01-02"]
    assert [day.date for day in Days(lake.path).until(date(2026, 3, 2))] == ["2026-01-02", "2026-03-02"]


def test_only_what_changed_is_counted_again(lake: Lake, store: StreamInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    count = Days._count

    def noted(days: Days, day: str, parts: tuple[tuple[str, ...], ...]) -> Day:
        counted.append(day)
        return count(days, day, parts)

    monkeypatch.setattr(Days, "_count", noted)
    for day in (0, 1, 2):
        did(store, str(day), "view", day=day)
    asyncio.run(lake.drain())
    days = Days(lake.path)
    days.until(LAST)
    counted.clear()
    did(store, "new", "view", day=2)
    asyncio.run(lake.drain())
    assert [day.events["view"] for day in days.until(LAST)] == [1, 1, 2]
    assert counted == ["2026-01-02", "2026-01-03"]
