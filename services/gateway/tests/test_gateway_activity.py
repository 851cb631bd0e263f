"""What happened in the shop by day, as the event sink has told the store."""

import httpx
import pytest

from gateway.shop.live_shop import LiveShop
from recsys.activity import ACTIVITY, Activity, Coverage, Day, Drift, Known, Shown

pytestmark = pytest.mark.anyio


async def test_before_the_sink_has_counted_there_is_no_day(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/activity")).json() == {
        "as_of": None,
        "age_s": None,
        "days": [],
        "coverage": None,
        "drift": None,
    }


async def test_days_are_told_as_the_sink_counted_them_with_their_age(client: httpx.AsyncClient, live: LiveShop) -> None:
    day = Day(date="2025-01-01", events={"view": 3}, money=2.5, lists=4, clicked_lists=1, levels={"full": 4})
    assert live.store is not None
    await live.store.write_text("documents", ACTIVITY, Activity(as_of_ms=1735689600000, days=(day,)).model_dump_json())

    told = (await client.get("/v1/activity")).json()

    assert told["as_of"] == "2025-01-01T00:00:00Z"
    assert told["age_s"] > 0
    assert told["days"] == [day.model_dump()]
    assert (told["coverage"], told["drift"]) == (None, None)  # of an earlier release


async def test_coverage_and_drift_are_told_as_the_sink_counted_them(client: httpx.AsyncClient, live: LiveShop) -> None:
    coverage = Coverage(catalogue=4, week=Shown(items=3, on_sale=2, gini=0.25, top_share=0.6))
    drift = Drift(
        version="v",
        items=Known(events=7, known=5),
        purchases=Known(events=2, known=1),
        types={"view": 7},
        trained_types={"view": 9},
        head_items=1,
        trained_head_share=0.5,
        head_share=0.25,
    )
    activity = Activity(as_of_ms=1735689600000, days=(), coverage=coverage, drift=drift)
    assert live.store is not None
    await live.store.write_text("documents", ACTIVITY, activity.model_dump_json())

    told = (await client.get("/v1/activity")).json()

    assert told["coverage"] == coverage.model_dump()
    assert told["drift"] == drift.model_dump()
