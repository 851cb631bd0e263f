"""An experiment from its first recommendation to its report, through the SQLite feature store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.experiments import report
from gateway.experiments.file import Arm, Experiment, Guardrails
from gateway.experiments.live import Experiments
from recsys.feature_store.interface import Event, Exposure, FeatureStore, Subject
from recsys.feature_store.opening import open_store

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
USERS = [Subject("user", str(number)) for number in range(1000)]
RECENCY = Experiment(
    name="recency",
    arms=(Arm(name="control", share=0.4), Arm(name="fresher", share=0.4)),
    guardrails=Guardrails(latency_ms=5, empty_share=0.05),
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FeatureStore]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    yield store
    await store.close()


def shown(subject: Subject, *, arm: str, number: int = 1, is_empty: bool = False) -> Exposure:
    return Exposure(
        request_id=f"{subject.id}-{number}",
        subject=subject,
        unix_ms=NOW_MS + number,
        item_ids=() if is_empty else ("a", "b"),
        propensities=() if is_empty else (1.0, 1.0),
        artifact_version="v1",
        experiment="recency",
        arm=arm,
        latency_ms=10.0 if arm == "control" else 20.0,
    )


def did(subject: Subject, event_type: str, *, value: float | None = None, answers: int | None = None) -> Event:
    return Event(
        event_id=f"{subject.id}-{event_type}-{answers}-{value}",
        subject=subject,
        item_id="a",
        event_type=event_type,
        unix_ms=NOW_MS + 1000,
        weight=1.0,
        value=value,
        request_id=None if answers is None else f"{subject.id}-{answers}",
        position=None if answers is None else 1,
    )


async def test_what_was_shown_clicked_and_bought_stands_in_the_report(store: FeatureStore) -> None:
    """Every tenth of the control clicks and buys for 2, every second of the other arm clicks and buys for 3."""
    experiments = Experiments([RECENCY])
    await experiments.refresh(store)
    of_arm: dict[str, list[Subject]] = {"control": [], "fresher": []}
    for user in USERS:
        if assigned := experiments.assign(user):
            of_arm[assigned.arm.name].append(user)
    for arm, every, value in (("control", 10, 2.0), ("fresher", 2, 3.0)):
        members = of_arm[arm]
        await store.record_exposures([shown(user, arm=arm) for user in members])
        await store.record_exposures([shown(user, arm=arm, number=2, is_empty=True) for user in members[:5]])
        active = members[::every]
        await store.append([did(user, "view", answers=1) for user in active], now_ms=NOW_MS + 1000)
        await store.append([did(user, "purchase", value=value) for user in active], now_ms=NOW_MS + 1000)

    built = report.build(experiments.get("recency"), await store.experiment_totals("recency"))

    for result, every, value in zip(built.results, (10, 2), (2.0, 3.0), strict=True):
        units = len(of_arm[result.name])
        active_units = len(of_arm[result.name][::every])
        assert (result.units, result.exposures) == (units, units + 5)
        assert (result.clicked_units, result.converted_units) == (active_units, active_units)
        assert result.revenue == pytest.approx(active_units * value)
        assert result.ctr == pytest.approx(active_units / (units + 5))
        assert result.empty_share == pytest.approx(5 / (units + 5))
    (comparison,) = built.comparisons
    assert [metric.verdict for metric in comparison.metrics] == ["better", "better", "better"]
    assert [guardrail.verdict for guardrail in comparison.guardrails] == ["violated", "not decided yet"]
    assert built.split.verdict == "as configured"


async def test_the_sum_of_squares_is_that_of_units_not_of_purchases(store: FeatureStore) -> None:
    """Two purchases of 2 and 3 by one unit are 5² = 25, which the variance of its arm needs."""
    await store.record_exposures([shown(user, arm="control") for user in USERS[:2]])
    await store.append([did(USERS[0], "purchase", value=value) for value in (2.0, 3.0)], now_ms=NOW_MS + 1000)

    totals = (await store.experiment_totals("recency"))["control"]

    assert (totals.converted_units, totals.revenue, totals.revenue_squares) == (1, 5.0, 25.0)


async def test_a_stop_outlives_the_gateway(store: FeatureStore) -> None:
    before = Experiments([RECENCY])
    await before.set_shares("recency", {"fresher": 0.6}, store=store)
    await before.stop("recency", store=store, now_ms=NOW_MS)

    after = Experiments([RECENCY])
    await after.refresh(store)

    assert after.get("recency").shares == {"control": 0.4, "fresher": 0.6}
    assert after.get("recency").state.stopped_ms == NOW_MS
    assert not any(after.assign(user) for user in USERS)
