"""The sink as a process: what it leaves in the store for the gateway's report, and what `report` prints."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from recsys.experiments import DEFAULT_METRICS, METRICS, SUMS, MetricsDocument, MetricSums, Sums
from recsys.feature_store.interface import Event, Exposure, FeatureStore, Subject
from recsys.feature_store.opening import open_store

NOW_MS = 1_767_225_600_000
ANNA, GUEST = Subject("user", "anna"), Subject("session", "guest")


async def live(store: FeatureStore) -> None:
    """A gateway starts; a guest is shown a list, signs in and buys."""
    document = MetricsDocument.dump_json({"exp": DEFAULT_METRICS}).decode()
    await store.write_text("documents", METRICS, document)
    await store.record_exposures([Exposure("l", GUEST, NOW_MS, ("i",), (1.0,), "v", "exp", "a")])
    await store.merge_session("guest", user_id="anna", now_ms=NOW_MS + 1)
    bought = Event("e", ANNA, "i", "purchase", NOW_MS + 2, 5.0, value=7.0, list_id="l")
    await store.append([bought], now_ms=NOW_MS + 2)


def test_a_process_leaves_the_sums_in_the_store_and_another_one_works_them_out_again(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/features.db"
    settings = {"EVENT_SINK_FEATURE_STORE_URL": url, "EVENT_SINK_ARTIFACT_DIR": str(tmp_path)}

    async def in_store() -> str | None:
        store = open_store(url)
        try:
            if METRICS not in await store.texts("documents"):
                await live(store)
            return (await store.texts("documents")).get(SUMS)
        finally:
            await store.close()

    def sink(*arguments: str) -> str:
        command = [sys.executable, "-m", "event_sink", *arguments]
        return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True).stdout

    assert asyncio.run(in_store()) is None
    sink("--once")
    text = asyncio.run(in_store())
    assert text is not None
    sums = Sums.model_validate_json(text)
    arm = sums.experiments["exp"].arms["a"]
    assert (arm.units, arm.clicked_exposures) == (1, 1)
    assert arm.metrics["revenue_per_unit"] == MetricSums(outcomes=1, total=7.0, squares=49.0)
    assert sums.as_of_ms > NOW_MS
    assert Sums.model_validate_json(sink("report")).experiments == sums.experiments
