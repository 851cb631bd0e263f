"""The log of exposures: written in groups behind the requests, kept while the store fails, never waited for."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.shop.exposure_log import ExposureLog
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Exposure, FeatureStore

pytestmark = pytest.mark.anyio


class Writes(FeatureStore):
    """Takes exposures only, and not while it is unavailable."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.is_unavailable = False
        self.asked = asyncio.Event()

    async def record_exposures(self, exposures: Sequence[Exposure]) -> None:
        self.asked.set()
        if self.is_unavailable:
            raise StoreUnavailableError("unavailable")
        self.groups.append([each.list_id for each in exposures])


@pytest.fixture
async def store() -> Writes:
    return Writes()  # type: ignore[abstract] # the log needs no more of it


def shown(list_id: str) -> Exposure:
    return Exposure(
        list_id=list_id, subject=None, unix_ms=1, item_ids=("a",), propensities=(1.0,), artifact_version="v1"
    )


async def test_what_is_added_at_once_is_written_as_one_group(store: Writes) -> None:
    log = ExposureLog(store)
    writing = asyncio.create_task(log.run())
    for number in range(3):
        log.add(shown(str(number)))
    assert store.groups == []  # nobody has waited for it

    await store.asked.wait()
    await log.flush()
    writing.cancel()

    assert store.groups == [["0", "1", "2"]]


async def test_many_are_written_in_several_groups(store: Writes) -> None:
    log = ExposureLog(store)
    for number in range(1200):
        log.add(shown(str(number)))

    await log.flush()

    assert [len(group) for group in store.groups] == [500, 500, 200]


async def test_a_full_log_drops_and_counts(store: Writes) -> None:
    log = ExposureLog(store, most_waiting=2)
    for number in range(5):
        log.add(shown(str(number)))

    await log.flush()

    assert (store.groups, log.dropped) == ([["0", "1"]], 3)


async def test_while_the_store_is_unavailable_exposures_wait_and_are_tried_again(
    store: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.shop.exposure_log._RETRY_S", 0.0)
    log = ExposureLog(store)
    store.is_unavailable = True
    log.add(shown("a"))
    writing = asyncio.create_task(log.run())
    await store.asked.wait()
    log.add(shown("b"))
    store.is_unavailable = False
    while not store.groups:
        await asyncio.sleep(0)
    writing.cancel()

    assert (store.groups, log.dropped) == ([["a", "b"]], 0)


async def test_the_end_writes_what_waits_or_counts_it_as_lost(store: Writes) -> None:
    log = ExposureLog(store)
    log.add(shown("a"))
    await log.finish()
    store.is_unavailable = True
    log.add(shown("b"))
    await log.finish()

    assert (store.groups, log.dropped) == ([["a"]], 1)


async def test_without_a_store_nothing_gathers() -> None:
    log = ExposureLog(None, most_waiting=1)
    log.add(shown("a"))
    log.add(shown("b"))

    await log.finish()

    assert log.dropped == 0
