"""Coverage and drift of the last seven days, out of a lake that the sink filled and a version that is live."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lake_in_folder import DAY_MS, FIRST_DAY_MS, Lake, StreamInMemory
from tiny_artifact import checkerboard, off_sale, publish

from event_sink import live_version
from event_sink.coverage import coverage, gini, items_on_sale
from event_sink.drift import drift
from event_sink.live_version import LiveVersion
from event_sink.reporting import Reporting
from event_sink.sums import Rules
from event_sink.week import Counts, Week
from recsys.activity import ACTIVITY, Activity, Coverage, Drift, Known, Shown
from recsys.artifact import writer
from recsys.feature_store.interface import Event, Exposure, Subject
from recsys.lake import ITEMS

TODAY = date(2026, 1, 8)
SHOP = replace(checkerboard(items=4), first_seen=np.array([1, 1, 1, 0]), popularity=np.array([6, 2, 1, 0], np.float32))


def shown(store: StreamInMemory, *items: str, day: int) -> None:
    store._append(Exposure("l", None, FIRST_DAY_MS + day * DAY_MS, items, (1.0,) * len(items), "v1"))


def did(store: StreamInMemory, what: str, item: str, *, user: str = "", session: str = "", day: int = 6) -> None:
    who = Subject("user", user) if user else Subject("session", session)
    store._append(Event(f"e{store.sequence}", who, item, what, FIRST_DAY_MS + day * DAY_MS, 1.0))


def counts(lake: Lake) -> Counts:
    asyncio.run(lake.drain())
    return Week(lake.path).until(TODAY)


def live(volume: Path) -> LiveVersion:
    found = live_version.read(volume, before=None)
    assert found is not None
    return found


def test_coverage_is_of_yesterday_and_of_seven_days_with_today(lake: Lake, store: StreamInMemory) -> None:
    shown(store, "old", day=0)  # eight days with today
    shown(store, "a", "b", day=1)
    shown(store, "a", "c", day=6)
    shown(store, "a", day=7)
    shown(store, day=7)  # an empty list
    shown(store, "late", day=8)
    found = coverage(counts(lake), pl.Series(["a", "b", "d", "e"]))
    assert found.catalogue == 4
    assert found.yesterday == Shown(items=2, on_sale=1, gini=0, top_share=0.5)
    # a 3, b 1, c 1: of three items the most shown hundredth is one
    assert found.week == Shown(items=3, on_sale=2, gini=gini([1, 1, 3]), top_share=0.6)


def test_without_models_coverage_is_of_what_was_shown_alone(lake: Lake, store: StreamInMemory) -> None:
    assert coverage(counts(lake), None) == Coverage()
    shown(store, "a", day=7)
    found = coverage(counts(lake), None)
    assert (found.catalogue, found.week.items, found.week.on_sale) == (None, 1, None)


def test_items_are_on_sale_as_the_api_said_last(tmp_path: Path) -> None:
    publish(off_sale(SHOP, 0, 1), tmp_path)
    told = {
        "item-00": (False, False, '{"available":true}'),
        "item-01": (False, False, '{"title":"still off"}'),
        "item-02": (True, True, "{}"),
        "item-03": (False, False, '{"available":false}'),
        "new": (True, False, '{"title":"new"}'),
        "new-and-off": (True, False, '{"available":false}'),
    }
    rows = [(item, 1, *facts, 0, 0) for item, facts in told.items()]
    records = pl.DataFrame(rows, schema=ITEMS, orient="row")
    assert sorted(items_on_sale(live(tmp_path).items, records)) == ["item-00", "new"]
    assert sorted(items_on_sale(live(tmp_path).items, records.clear())) == ["item-02", "item-03"]


def test_drift_is_what_the_live_version_was_trained_on(lake: Lake, store: StreamInMemory, tmp_path: Path) -> None:
    publish(SHOP, tmp_path)
    for user in ("user-00", "user-01", "new"):
        did(store, "view", "item-00", user=user)
    did(store, "view", "item-00", user="new")  # again: one of those who have it
    did(store, "purchase", "item-01", user="user-00", day=7)
    did(store, "purchase", "item-03", session="s")  # in the catalogue, and nobody's in training
    did(store, "view", "brand-new", session="s")
    did(store, "view", "item-00", user="user-00", day=0)  # too long ago
    assert drift(counts(lake), live(tmp_path)) == Drift(
        version="v1",
        items=Known(events=7, known=5),
        purchases=Known(events=2, known=1),
        users=Known(events=5, known=3),
        types={"purchase": 2, "view": 5},
        head_items=1,
        trained_head_share=6 / 9,
        head_share=0.5,
    )


def test_a_week_without_events_is_no_drift(lake: Lake, tmp_path: Path) -> None:
    publish(SHOP, tmp_path, users_in="feature_store")
    found = drift(counts(lake), replace(live(tmp_path), recent_events={"view": 3}))
    assert (found.items, found.users, found.types, found.head_share) == (Known(), None, {}, None)
    assert found.trained_types == {"view": 3}


def test_a_version_is_read_once_and_the_next_when_it_is_live(tmp_path: Path) -> None:
    assert live_version.read(tmp_path, before=None) is None
    folder = publish(SHOP, tmp_path)
    first = live(tmp_path)
    assert live_version.read(tmp_path, before=first) is first
    publish(SHOP, tmp_path, version="v2")
    second = live_version.read(tmp_path, before=first)
    assert second is not None
    assert second.name == "v2"
    (folder / "popularity.npy").unlink()
    writer.activate(tmp_path, "v1")
    assert live_version.read(tmp_path, before=second) is None


def test_a_part_is_counted_once(lake: Lake, store: StreamInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    of_part = Week._of_events
    monkeypatch.setattr(Week, "_of_events", lambda self, path: read.append(path) or of_part(self, path))
    week = Week(lake.path)
    for _ in range(2):
        did(store, "view", "a", user="u")
        asyncio.run(lake.drain())
        week.until(TODAY)
    assert week.until(TODAY).events.rows() == [("a", "view", 2)]
    assert len(read) == len(set(read))


def test_what_is_told_has_both(lake: Lake, store: StreamInMemory, tmp_path: Path) -> None:
    publish(SHOP, tmp_path)
    today = (int(datetime.now(UTC).timestamp() * 1000) - FIRST_DAY_MS) // DAY_MS
    shown(store, "item-00", day=today)
    did(store, "view", "item-00", user="user-00", day=today)
    asyncio.run(lake.drain())
    reporting = Reporting(store, lake.path, rules=Rules(click_days=7, clock_skew_s=300), interval_s=5)  # type: ignore[arg-type]
    asyncio.run(reporting.turn(sequence=2, as_of_ms=7))
    told = Activity.model_validate_json(store.documents[ACTIVITY])
    assert told.drift is not None
    assert told.coverage is not None
    assert (told.drift.items, told.coverage.catalogue, told.coverage.week.on_sale) == (Known(events=1, known=1), 4, 1)
