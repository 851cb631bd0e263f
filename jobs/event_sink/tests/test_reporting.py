"""The sums in the store: as new as a tenth of the time allows, and made anew by what a gateway says now."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest
from lake_in_folder import Lake, StreamInMemory

from event_sink import reporting, sums
from event_sink.reporting import Reporting
from recsys.activity import ACTIVITY, Activity
from recsys.experiments import (
    DAILY_SUMS,
    DEFAULT_METRICS,
    METRICS,
    SUMS,
    DailySumsDocument,
    Metric,
    MetricsDocument,
    Sums,
)
from recsys.feature_store.interface import Exposure, Subject

RULES = sums.Rules(click_days=7, clock_skew_s=300)


class Clock:
    """A monotonic clock that moves by what a test says, and while sums are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.making_takes_s = 0.0
        self.made = 0
        monkeypatch.setattr(reporting.time, "monotonic", lambda: self.now_s)
        of_lake = sums.of_lake

        def slow(*arguments: object) -> object:
            self.now_s += self.making_takes_s
            self.made += 1
            return of_lake(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(sums, "of_lake", slow)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    return Clock(monkeypatch)


def tell(store: StreamInMemory, *metrics: Metric) -> None:
    """What a gateway does when it starts."""
    document = {"exp": metrics or DEFAULT_METRICS}
    store.documents[METRICS] = MetricsDocument.dump_json(document).decode()


def shown(store: StreamInMemory, list_id: str) -> int:
    return store._append(Exposure(list_id, Subject("user", "u"), 1, ("i",), (1.0,), "v", "exp", "a"))


def written(store: StreamInMemory) -> Sums:
    return Sums.model_validate_json(store.documents[SUMS])


def reporter(store: StreamInMemory, lake: Lake) -> Reporting:
    return Reporting(store, lake.path, rules=RULES, interval_s=5)  # type: ignore[arg-type]


def test_the_sums_say_up_to_when_they_count(lake: Lake, store: StreamInMemory, clock: Clock) -> None:
    tell(store)
    sequence = shown(store, "l")
    asyncio.run(lake.drain())
    asyncio.run(reporter(store, lake).turn(sequence=sequence, as_of_ms=7))
    assert written(store).as_of_ms == 7
    assert written(store).experiments["exp"].arms["a"].exposures == 1


def test_without_experiments_nothing_is_written(lake: Lake, store: StreamInMemory, clock: Clock) -> None:
    asyncio.run(lake.drain())
    asyncio.run(reporter(store, lake).turn(sequence=0, as_of_ms=7))
    assert (store.documents, clock.made) == ({}, 0)


def test_while_nothing_comes_in_they_stay_new_and_are_not_made_again(
    lake: Lake, store: StreamInMemory, clock: Clock
) -> None:
    tell(store)
    sequence = shown(store, "l")
    asyncio.run(lake.drain())
    made = reporter(store, lake)
    for as_of_ms in (1, 2, 3):
        asyncio.run(made.turn(sequence=sequence, as_of_ms=as_of_ms))
        clock.now_s += 5
    assert (written(store).as_of_ms, clock.made) == (3, 1)


def test_they_take_a_tenth_of_the_time_at_most(lake: Lake, store: StreamInMemory, clock: Clock) -> None:
    tell(store)
    clock.making_takes_s = 20
    made = reporter(store, lake)
    started_s = clock.now_s
    for number in range(200):
        sequence = shown(store, f"l{number}")
        asyncio.run(made.turn(sequence=sequence, as_of_ms=sequence))
        clock.now_s += 5
    assert clock.made * clock.making_takes_s <= (clock.now_s - started_s) / 10 + clock.making_takes_s
    assert clock.made > 4


def test_another_definition_is_taken_with_the_next_turn(lake: Lake, store: StreamInMemory, clock: Clock) -> None:
    tell(store)
    made = reporter(store, lake)
    asyncio.run(lake.drain())
    asyncio.run(made.turn(sequence=0, as_of_ms=1))
    orders = Metric(name="orders", measure="count", types=("order",))
    tell(store, orders)
    clock.now_s += 5
    asyncio.run(made.turn(sequence=0, as_of_ms=2))
    assert written(store).experiments["exp"].metrics == (orders,)


def test_what_no_gateway_of_this_version_wrote_stops_nothing(
    lake: Lake, store: StreamInMemory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store.documents[METRICS] = json.dumps({"exp": [{"name": "x", "measure": "of a later version"}]})
    asyncio.run(lake.drain())
    asyncio.run(reporter(store, lake).turn(sequence=0, as_of_ms=1))
    assert caplog.messages == ["experiments are not summed"]
    assert SUMS not in store.documents


def test_what_happened_by_day_is_written_without_experiments_too(
    lake: Lake, store: StreamInMemory, clock: Clock
) -> None:
    now_ms = time.time_ns() // 1_000_000
    sequence = store._append(Exposure("l", Subject("user", "u"), now_ms, ("i",), (1.0,), "v", level="full"))
    asyncio.run(lake.drain())
    asyncio.run(reporter(store, lake).turn(sequence=sequence, as_of_ms=7))
    told = Activity.model_validate_json(store.documents[ACTIVITY])
    assert told.as_of_ms == 7
    assert [day.levels for day in told.days] == [{"full": 1}]


def test_the_first_sums_of_a_day_are_kept_behind_those_of_the_days_before(
    lake: Lake, store: StreamInMemory, clock: Clock
) -> None:
    tell(store)
    before = {f"2025-01-{day:02}": Sums(as_of_ms=day, experiments={}) for day in range(1, 32)}
    before |= {f"2025-02-{day:02}": Sums(as_of_ms=31 + day, experiments={}) for day in range(1, 29)}
    before |= {"2025-03-01": Sums(as_of_ms=60, experiments={})}
    store.documents[DAILY_SUMS] = DailySumsDocument.dump_json(before).decode()
    sequence = shown(store, "l")
    asyncio.run(lake.drain())
    made = reporter(store, lake)
    asyncio.run(made.turn(sequence=sequence, as_of_ms=7))
    clock.now_s += 1000
    asyncio.run(made.turn(sequence=sequence, as_of_ms=8))
    days = list(DailySumsDocument.validate_json(store.documents[DAILY_SUMS]).items())
    assert len(days) == 60
    assert days[0][0] == "2025-01-02"
    assert (days[-1][1].as_of_ms, written(store).as_of_ms) == (7, 8)
