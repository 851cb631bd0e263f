"""Each call of a feature store is timed, under what became of it."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Profile, Subject
from recsys.feature_store.opening import open_store
from recsys.observability.metrics import new_registry

pytestmark = pytest.mark.anyio

ANNA = Subject("user", "anna")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def calls(registry: CollectorRegistry, operation: str, outcome: str) -> float:
    labels = {"operation": operation, "outcome": outcome}
    return registry.get_sample_value("recsys_store_latency_seconds_count", labels) or 0.0


async def test_a_call_is_counted_as_well_as_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = new_registry()
    store = open_store(f"sqlite://{tmp_path}/features.db")
    before = {outcome: calls(registry, "profile", outcome) for outcome in ("ok", "unavailable", "cancelled")}
    assert await store.profile(ANNA) == Profile(ANNA, recent=(), seen={})

    async def away(subject: Subject, *, after_sequence: int = 0) -> Profile:
        raise StoreUnavailableError("gone")

    async def hangs(subject: Subject, *, after_sequence: int = 0) -> Profile:
        await asyncio.Event().wait()
        raise AssertionError

    for other, error in ((away, StoreUnavailableError), (hangs, TimeoutError)):
        again = open_store(f"sqlite://{tmp_path}/features.db")
        monkeypatch.setattr(again._store, "profile", other)  # type: ignore[attr-defined]
        with pytest.raises(error):
            async with asyncio.timeout(0.01):
                await again.profile(ANNA)
        await again.close()
    assert {outcome: calls(registry, "profile", outcome) - n for outcome, n in before.items()} == {
        "ok": 1,
        "unavailable": 1,
        "cancelled": 1,
    }
    await store.close()


async def test_what_is_no_call_is_the_store_s_own(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/features.db")
    await store.close()
    assert calls(new_registry(), "close", "ok") == 0
